#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

/// @file
/// Numbers and names as text, the same under every locale.

namespace cytograd {

/// The whole of `text` as a decimal number, or nothing. Takes "inf" and "nan"; no spaces, no hex.
std::optional<double> parse_double(std::string_view text);
/// The whole of `text` as a decimal integer, or nothing.
std::optional<int64_t> parse_int(std::string_view text);
/// The shortest text that reads back as the same value: 0.1, 1e-05, nan.
std::string format_double(double value);
std::string format_float(float value);
/// With a fixed number of digits after the point.
std::string format_fixed(double value, int digits);

/// Without spaces, tabs, line ends at both ends.
std::string_view trim(std::string_view text);
std::string to_lower_ascii(std::string_view text);
bool is_valid_utf8(std::string_view text);
/// As a JSON string, in quotes; invalid UTF-8 and control characters become `\\xHH` text.
std::string json_text(const std::string& text);

/// The candidate closest to `word` (insertions, deletions, replacements, swaps of neighbours; case
/// ignored), or "" if none is near enough to be meant.
std::string nearest_name(std::string_view word, std::span<const std::string> candidates);

}  // namespace cytograd
