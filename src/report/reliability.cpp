#include <algorithm>

#include "cytograd/report/figures.h"
#include "report/svg.h"

namespace cytograd {
namespace {

constexpr double side = 216, left = 58, gap = 46, top = 62, counts = 54, space = 14, bottom = 48;

struct Frame {
  double x0;
  double x(double v) const { return x0 + side * v; }
  static double y(double v) { return top + side * (1 - v); }
};

void draw_axes(svg::Picture& picture, const Frame& f, const ReliabilityPanel& panel, bool first) {
  picture.rect(f.x0, top, side, side, "none", "stroke=\"#999999\"");
  for (const double v : {0.0, 0.2, 0.4, 0.6, 0.8, 1.0}) {
    picture.line(f.x(0), Frame::y(v), f.x(1), Frame::y(v), svg::rule, 1);
    if (first) picture.text(f.x(0) - 7, Frame::y(v) + 4, svg::tick_text(v, 0.2), "end", 12);
    picture.text(f.x(v), top + side + space + counts + 16, svg::tick_text(v, 0.2), "middle", 12);
  }
  picture.text(f.x(0.5), top - 10, panel.name, "middle", 13, "font-weight=\"bold\"");
  picture.text(f.x(0.5), top + side + space + counts + 36, "confidence", "middle");
}

// Accuracy of each bin as a bar, its mean confidence as a point; below, how many cells it has.
void draw_bins(svg::Picture& picture, const Frame& f, const Reliability& r) {
  const auto n = static_cast<double>(r.bins.size());
  int64_t most = 1;
  for (const Reliability::Bin& b : r.bins) most = std::max(most, b.count);
  const double floor = top + side + space + counts;
  for (size_t i = 0; i < r.bins.size(); ++i) {
    const Reliability::Bin& b = r.bins[i];
    if (b.count == 0) continue;
    const double x = f.x(static_cast<double>(i) / n) + 0.8, width = side / n - 1.6;
    picture.rect(x, Frame::y(b.accuracy), width, std::max(0.8, side * b.accuracy), "#7fb2d6");
    const double height =
        std::max(1.0, counts * static_cast<double>(b.count) / static_cast<double>(most));
    picture.rect(x, floor - height, width, height, "#8c8c8c");
  }
  picture.line(f.x(0), Frame::y(0), f.x(1), Frame::y(1), svg::soft, 1.2,
               "stroke-dasharray=\"5 4\"");
  for (const Reliability::Bin& b : r.bins)
    if (b.count > 0)
      picture.circle(f.x(b.confidence), Frame::y(b.accuracy), 3.2, "#0065a3",
                     "stroke=\"#ffffff\" stroke-width=\"0.8\"");
  picture.line(f.x(0), floor, f.x(1), floor, "#999999", 1);
  picture.text(f.x(0) - 7, floor - counts + 8, std::to_string(most), "end", 12);
  picture.text(f.x(0) - 7, floor + 3, "0", "end", 12);
  const std::string said =
      r.n > 0 ? "ECE " + format_fixed(r.ece, 3) + ", n = " + std::to_string(r.n) : "no cells";
  picture.rect(f.x(0) + 5, top + 5, svg::text_width(said, 12.5) + 10, 20, "#ffffff",
               "fill-opacity=\"0.85\"");
  picture.text(f.x(0) + 9, top + 19, said, "start", 12.5);
}

}  // namespace

std::string reliability_svg(const std::string& title, const std::vector<ReliabilityPanel>& panels) {
  const auto n = static_cast<double>(panels.size());
  const double width = std::max(left + n * side + (n - 1) * gap + 24, 360.0);
  svg::Picture picture(width, top + side + space + counts + bottom, title);
  picture.text(12, 26, title, "start", 15, "font-weight=\"bold\"");
  for (size_t i = 0; i < panels.size(); ++i) {
    const Frame f{left + static_cast<double>(i) * (side + gap)};
    draw_axes(picture, f, panels[i], i == 0);
    draw_bins(picture, f, panels[i].data);
  }
  const std::string at = svg::number(top + side / 2);
  picture.text(16, top + side / 2, "accuracy", "middle", 13,
               "transform=\"rotate(-90 16 " + at + ")\"");
  const std::string below = svg::number(top + side + space + counts / 2);
  picture.text(16, top + side + space + counts / 2, "cells", "middle", 13,
               "transform=\"rotate(-90 16 " + below + ")\"");
  return picture.finish();
}

}  // namespace cytograd
