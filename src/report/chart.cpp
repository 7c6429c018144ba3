#include <algorithm>
#include <cmath>
#include <limits>

#include "cytograd/io/text.h"
#include "cytograd/train/report.h"
#include "report/svg.h"

namespace cytograd {
namespace {

constexpr double width = 460, height = 250, left = 48, right = 12, top = 12, bottom = 34;

struct Range {
  double low, high;
};

Range range_of(const std::vector<std::pair<std::string, std::vector<double>>>& series) {
  Range r{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const auto& [name, values] : series)
    for (const double v : values)
      if (std::isfinite(v)) r = {std::min(r.low, v), std::max(r.high, v)};
  if (!(r.low <= r.high)) return {0, 1};
  if (r.low >= 0 && r.low < 0.5 * r.high) r.low = 0;
  if (r.high - r.low < 1e-9) r.high = r.low + 1;
  return r;
}

std::string number(double v) { return format_fixed(v, 1); }
}  // namespace

std::string line_chart_svg(const std::string& title,
                           const std::vector<std::pair<std::string, std::vector<double>>>& series) {
  size_t count = 1;
  for (const auto& [name, values] : series) count = std::max(count, values.size());
  const Range r = range_of(series);
  const auto x = [&](size_t i) {
    const double t = count > 1 ? static_cast<double>(i) / static_cast<double>(count - 1) : 0.5;
    return left + t * (width - left - right);
  };
  const auto y = [&](double v) {
    return height - bottom - (v - r.low) / (r.high - r.low) * (height - top - bottom);
  };
  std::string out = "<figure><figcaption>" + html_text(title) +
                    "</figcaption><svg viewBox=\"0 0 460 258\" role=\"img\" aria-label=\"" +
                    html_text(title) + "\">";
  const double step = svg::tick_step(r.high - r.low);
  for (double v = std::ceil(r.low / step - 1e-9) * step; v <= r.high + 1e-9 * step; v += step) {
    out += "<line class=\"grid\" x1=\"48\" x2=\"448\" y1=\"" + number(y(v)) + "\" y2=\"" +
           number(y(v)) + "\"/><text x=\"42\" y=\"" + number(y(v) + 4) + "\" text-anchor=\"end\">" +
           svg::tick_text(v, step) + "</text>";
  }
  for (const size_t i : {size_t{0}, count - 1})
    out += "<text x=\"" + number(x(i)) + "\" y=\"232\" text-anchor=\"" +
           (i == 0 && count > 1 ? "start"
            : count > 1         ? "end"
                                : "middle") +
           "\">epoch " + std::to_string(i + 1) + "</text>";
  int k = 0;
  for (const auto& [name, values] : series) {
    std::string points;
    const std::string style = "s" + std::to_string(k);
    for (size_t i = 0; i < values.size(); ++i) {
      if (!std::isfinite(values[i])) continue;
      points += number(x(i)) + "," + number(y(values[i])) + " ";
      if (count <= 40)
        out += "<circle class=\"" + style + "\" r=\"2.5\" cx=\"" + number(x(i)) + "\" cy=\"" +
               number(y(values[i])) + "\"/>";
    }
    out += "<polyline class=\"" + style + "\" points=\"" + points + "\"/>";
    const double at = 60 + 190 * k;
    out += "<line class=\"" + style + "\" x1=\"" + number(at) + "\" x2=\"" + number(at + 18) +
           "\" y1=\"244\" y2=\"244\"/><text x=\"" + number(at + 23) + "\" y=\"248\">" +
           html_text(name) + "</text>";
    ++k;
  }
  return out + "</svg></figure>";
}

std::string base64(const std::string& bytes) {
  static const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](size_t k) {
      return k < bytes.size() ? static_cast<unsigned char>(bytes[k]) : 0u;
    };
    const unsigned v = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    out += digits[v >> 18];
    out += digits[v >> 12 & 63];
    out += i + 1 < bytes.size() ? digits[v >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? digits[v & 63] : '=';
  }
  return out;
}

}  // namespace cytograd
