#pragma once

// Printed by tests/reference/nt_xent.py.

struct NtXentRow {
  const char* name;
  double temperature, value, sine, cosine;
};

inline constexpr NtXentRow nt_xent_rows[] = {
    {"nt_xent", 0.1, 7.098077471783, -1.495614907960, 4.293372226267},
    {"nt_xent", 0.5, 2.385908316781, 0.028131446755, 1.242401560389},
    {"nt_xent", 2.0, 2.173821864880, 0.028784297976, 0.325264094637},
    {"alignment", 1.0, 2.031200633634, 0.163772140689, 1.300004320880},
    {"uniformity", 1.0, -4.429821490065, -1.287644576953, -0.423838557673},
    {"spread", 1.0, 1.092523861696, 0.041748310080, -0.006080220095},
};
