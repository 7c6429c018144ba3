#pragma once

#include <cstdint>
#include <ostream>

namespace cytograd {

/// A height and a width, as for kernels, strides and padding. One number stands for both.
struct Pair {
  int64_t h, w;
  constexpr Pair(int64_t both) : h(both), w(both) {}  // implicit: `.stride = 2`
  constexpr Pair(int64_t height, int64_t width) : h(height), w(width) {}
  bool operator==(const Pair&) const = default;
};

/// Prints `[3, 5]`.
inline std::ostream& operator<<(std::ostream& out, const Pair& pair) {
  return out << '[' << pair.h << ", " << pair.w << ']';
}

}  // namespace cytograd
