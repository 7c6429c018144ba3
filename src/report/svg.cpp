#include "report/svg.h"

#include <algorithm>
#include <cmath>

#include "cytograd/train/report.h"

namespace cytograd::svg {

std::string hex(const std::array<uint8_t, 3>& color) {
  static const char* digits = "0123456789abcdef";
  std::string out = "#";
  for (const uint8_t v : color) out += {digits[v >> 4], digits[v & 15]};
  return out;
}

double tick_step(double span, int steps) {
  const double raw = span / steps, power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double m : {1.0, 2.0, 5.0})
    if (raw <= m * power * 1.0001) return m * power;
  return 10 * power;
}

std::string tick_text(double value, double step) {
  const int digits =
      step >= 1 ? 0 : std::min(6, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  // -0.0 would keep its sign.
  return format_fixed(std::abs(value) < 1e-9 * step ? 0.0 : value, digits);
}

double text_width(const std::string& text, double size) {
  const auto letters = std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  });
  return 0.56 * size * static_cast<double>(letters);
}

Picture::Picture(double width, double height, const std::string& title) {
  const std::string w = number(width), h = number(height);
  out_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + w + "\" height=\"" + h +
         "\" viewBox=\"0 0 " + w + " " + h +
         "\" font-family=\"Helvetica,Arial,sans-serif\" role=\"img\">\n<title>" + html_text(title) +
         "</title>\n";
  rect(0, 0, width, height, "#ffffff");
}

void Picture::rect(double x, double y, double width, double height, const std::string& fill,
                   const std::string& more) {
  out_ += "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + number(width) +
          "\" height=\"" + number(height) + "\" fill=\"" + fill + "\" " + more + "/>\n";
}

void Picture::line(double x1, double y1, double x2, double y2, const std::string& stroke,
                   double width, const std::string& more) {
  out_ += "<line x1=\"" + number(x1) + "\" y1=\"" + number(y1) + "\" x2=\"" + number(x2) +
          "\" y2=\"" + number(y2) + "\" stroke=\"" + stroke + "\" stroke-width=\"" + number(width) +
          "\" " + more + "/>\n";
}

void Picture::circle(double x, double y, double radius, const std::string& fill,
                     const std::string& more) {
  out_ += "<circle cx=\"" + number(x) + "\" cy=\"" + number(y) + "\" r=\"" + number(radius) +
          "\" fill=\"" + fill + "\" " + more + "/>\n";
}

void Picture::text(double x, double y, const std::string& text, const char* anchor, double size,
                   const std::string& more) {
  out_ += "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor +
          "\" font-size=\"" + number(size) + "\" fill=\"" + ink + "\" " + more + ">" +
          html_text(text) + "</text>\n";
}

}  // namespace cytograd::svg
