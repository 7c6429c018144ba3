#include <stb/stb_easy_font.h>

#include <algorithm>
#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/guided/guide.h"
#include "cytograd/io/text.h"
#include "cytograd/train/report.h"

namespace cytograd {
namespace {

using Color = std::array<uint8_t, 3>;
constexpr Color line_color{0xb8, 0xb8, 0xb8}, text_color{0x22, 0x22, 0x22};
constexpr double radius = 0.22;  // of a disc, in units of the guide

// Where the guide's plane lies in a picture: y up there, down here.
struct Frame {
  double low_x = 0, high_y = 0, scale = 1, width = 0, height = 0, margin = 0;

  Frame(const Guide& guide, double side) {
    double high_x = -INFINITY, low_y = INFINITY;
    low_x = INFINITY, high_y = -INFINITY;
    for (const GuideClass& c : guide.classes) {
      low_x = std::min(low_x, c.x);
      high_x = std::max(high_x, c.x);
      low_y = std::min(low_y, c.y);
      high_y = std::max(high_y, c.y);
    }
    const double span = std::max({high_x - low_x, high_y - low_y, 1.0});
    margin = side / 9;
    scale = (side - 2 * margin) / span;
    width = (high_x - low_x) * scale + 2 * margin;
    height = (high_y - low_y) * scale + 2 * margin;
  }
  Point2 at(double x, double y) const {
    return {margin + (x - low_x) * scale, margin + (high_y - y) * scale};
  }
};

std::string hex(const Color& c) {
  static const char* digits = "0123456789abcdef";
  std::string out = "#";
  for (const uint8_t v : c) out += {digits[v >> 4], digits[v & 15]};
  return out;
}

std::string number(double v) { return format_fixed(v, 1); }

// Smallest distance of two classes; discs do not touch.
double disc_radius(const Guide& guide, double scale) {
  double nearest = 1;
  for (size_t i = 0; i < guide.classes.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      nearest = std::min(nearest, std::hypot(guide.classes[i].x - guide.classes[j].x,
                                             guide.classes[i].y - guide.classes[j].y));
  return std::max(3.0, radius * nearest * scale);
}

// Share of the pixel that a shape with this signed distance covers.
double coverage(double distance) { return std::clamp(0.5 - distance, 0.0, 1.0); }

void blend(Image& image, int64_t x, int64_t y, const Color& color, double share) {
  if (x < 0 || y < 0 || x >= image.width || y >= image.height || share <= 0) return;
  uint8_t* p = image.at(y, x);
  for (size_t c = 0; c < 3; ++c)
    p[c] = static_cast<uint8_t>(std::lround(p[c] + share * (color[c] - p[c])));
}

// Pixels of a box, each with the share that `distance(x, y)` of its centre gives.
template <class F>
void paint(Image& image, const Point2& low, const Point2& high, const Color& color, F distance) {
  for (auto y = static_cast<int64_t>(low[1]) - 2; y <= static_cast<int64_t>(high[1]) + 2; ++y)
    for (auto x = static_cast<int64_t>(low[0]) - 2; x <= static_cast<int64_t>(high[0]) + 2; ++x)
      blend(image, x, y, color,
            coverage(distance(static_cast<double>(x) + 0.5, static_cast<double>(y) + 0.5)));
}

void paint_line(Image& image, const Point2& a, const Point2& b, double half_width) {
  const Point2 low{std::min(a[0], b[0]), std::min(a[1], b[1])};
  const Point2 high{std::max(a[0], b[0]), std::max(a[1], b[1])};
  const double dx = b[0] - a[0], dy = b[1] - a[1], length = std::max(dx * dx + dy * dy, 1e-9);
  paint(image, low, high, line_color, [&](double x, double y) {
    const double t = std::clamp(((x - a[0]) * dx + (y - a[1]) * dy) / length, 0.0, 1.0);
    return std::hypot(x - a[0] - t * dx, y - a[1] - t * dy) - half_width;
  });
}

void paint_disc(Image& image, const Point2& at, double r, const Color& color) {
  paint(image, {at[0] - r, at[1] - r}, {at[0] + r, at[1] + r}, color,
        [&](double x, double y) { return std::hypot(x - at[0], y - at[1]) - r; });
}

// Centred at x; letters are boxes of stb_easy_font, enlarged.
void paint_text(Image& image, double x, double y, const std::string& text, double zoom) {
  std::string letters = escape_control(text);
  for (char& c : letters)
    if (static_cast<unsigned char>(c) >= 128) c = '?';
  struct Vertex {
    float x, y, z;
    uint8_t color[4];
  };
  std::vector<Vertex> corners(letters.size() * 80 + 80);
  const int quads = stb_easy_font_print(0, 0, letters.data(), nullptr, corners.data(),
                                        static_cast<int>(corners.size() * sizeof(Vertex)));
  const double left = x - zoom * stb_easy_font_width(letters.data()) / 2;
  for (size_t q = 0; q < static_cast<size_t>(quads); ++q) {
    const Vertex &a = corners[4 * q], &b = corners[4 * q + 2];
    for (auto py = std::lround(y + zoom * a.y); py < std::lround(y + zoom * b.y); ++py)
      for (auto px = std::lround(left + zoom * a.x); px < std::lround(left + zoom * b.x); ++px)
        blend(image, px, py, text_color, 1);
  }
}

}  // namespace

Color class_color(const GuideClass& row, size_t place) {
  // Distinct on a colour-blind reader's screen too (Okabe and Ito, and darker copies).
  static const char* fallback[] = {"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9",
                                   "#d55e00", "#f0e442", "#5a5a5a", "#003c5e", "#7a5400"};
  const std::string text = row.color.empty() ? fallback[place % std::size(fallback)] : row.color;
  const auto value = std::stoul(text.substr(1), nullptr, 16);
  return {static_cast<uint8_t>(value >> 16), static_cast<uint8_t>(value >> 8),
          static_cast<uint8_t>(value)};
}

std::vector<std::array<size_t, 2>> lineage_edges(const std::vector<GuideClass>& classes) {
  std::vector<std::array<size_t, 2>> out;
  for (size_t i = 0; i < classes.size(); ++i) {
    const GuideClass& c = classes[i];
    if (c.lineage == "none" || !c.stage) continue;
    // The nearest earlier stage of the same lineage, else of the root.
    std::optional<size_t> from;
    for (const bool root : {false, true}) {
      for (size_t j = 0; j < classes.size(); ++j) {
        const GuideClass& d = classes[j];
        if (!d.stage || *d.stage >= *c.stage || d.lineage != (root ? "none" : c.lineage)) continue;
        if (!from || *d.stage > *classes[*from].stage) from = j;
      }
      if (from) break;
    }
    if (from) out.push_back({*from, i});
  }
  return out;
}

std::string guide_svg(const Guide& guide) {
  const Frame frame(guide, 640);
  const double r = disc_radius(guide, frame.scale);
  std::string out =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + number(frame.width) + " " +
      number(frame.height) +
      "\" font-family=\"sans-serif\" font-size=\"13\" text-anchor=\"middle\">\n<title>" +
      html_text(guide.name) + "</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
  for (const auto& [from, to] : lineage_edges(guide.classes)) {
    const auto a = frame.at(guide.classes[from].x, guide.classes[from].y);
    const auto b = frame.at(guide.classes[to].x, guide.classes[to].y);
    out += "<line x1=\"" + number(a[0]) + "\" y1=\"" + number(a[1]) + "\" x2=\"" + number(b[0]) +
           "\" y2=\"" + number(b[1]) + "\" stroke=\"" + hex(line_color) +
           "\" stroke-width=\"2\"/>\n";
  }
  for (size_t i = 0; i < guide.classes.size(); ++i) {
    const GuideClass& c = guide.classes[i];
    const auto p = frame.at(c.x, c.y);
    out += "<circle cx=\"" + number(p[0]) + "\" cy=\"" + number(p[1]) + "\" r=\"" + number(r) +
           "\" fill=\"" + hex(class_color(c, i)) + "\" stroke=\"#555555\"/>\n<text x=\"" +
           number(p[0]) + "\" y=\"" + number(p[1] + r + 13) + "\" fill=\"" + hex(text_color) +
           "\" stroke=\"#ffffff\" stroke-width=\"4\" stroke-linejoin=\"round\" "
           "paint-order=\"stroke\">" +
           html_text(c.name) + "</text>\n";
  }
  return out + "</svg>\n";
}

Image guide_image(const Guide& guide, int64_t side) {
  check<ValueError>(side >= 64 && side <= 16384, "guide_image", "side expects 64..16384, got ",
                    side);
  const Frame frame(guide, static_cast<double>(side));
  Image out(static_cast<int64_t>(std::ceil(frame.height)),
            static_cast<int64_t>(std::ceil(frame.width)), 3, 255);
  const double r = disc_radius(guide, frame.scale);
  for (const auto& [from, to] : lineage_edges(guide.classes))
    paint_line(out, frame.at(guide.classes[from].x, guide.classes[from].y),
               frame.at(guide.classes[to].x, guide.classes[to].y), static_cast<double>(side) / 600);
  const double zoom = std::max(1.0, std::round(static_cast<double>(side) / 600));
  for (size_t i = 0; i < guide.classes.size(); ++i) {
    const auto p = frame.at(guide.classes[i].x, guide.classes[i].y);
    paint_disc(out, p, r + zoom, {0x55, 0x55, 0x55});
    paint_disc(out, p, r, class_color(guide.classes[i], i));
    paint_text(out, p[0], p[1] + r + 4 * zoom, guide.classes[i].name, zoom);
  }
  return out;
}

}  // namespace cytograd
