#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/io/text.h"

/// @file
/// Pieces of pictures that stand alone: white ground, own fonts and colours.

namespace cytograd::svg {

inline constexpr const char* ink = "#222222";
inline constexpr const char* soft = "#555555";
inline constexpr const char* rule = "#dddddd";

inline std::string number(double v) { return format_fixed(v, 1); }
std::string hex(const std::array<uint8_t, 3>& color);
/// 1, 2 or 5 times a power of ten, so that about `steps` of them cover the span.
double tick_step(double span, int steps = 4);
/// A tick of such a step: as many digits as the step needs.
std::string tick_text(double value, double step);
/// Rough width of a text in a sans-serif font.
double text_width(const std::string& text, double size);

class Picture {
 public:
  Picture(double width, double height, const std::string& title);
  void rect(double x, double y, double width, double height, const std::string& fill,
            const std::string& more = "");
  void line(double x1, double y1, double x2, double y2, const std::string& stroke, double width,
            const std::string& more = "");
  void circle(double x, double y, double radius, const std::string& fill,
              const std::string& more = "");
  /// @param anchor start, middle or end
  void text(double x, double y, const std::string& text, const char* anchor = "start",
            double size = 13, const std::string& more = "");
  void add(const std::string& element) { out_ += element + "\n"; }
  std::string finish() { return out_ + "</svg>\n"; }

 private:
  std::string out_;
};

}  // namespace cytograd::svg
