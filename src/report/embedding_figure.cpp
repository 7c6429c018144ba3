#include <algorithm>
#include <cmath>
#include <limits>

#include "cytograd/core/error.h"
#include "cytograd/guided/ellipse.h"
#include "cytograd/io/image.h"
#include "cytograd/report/figures.h"
#include "cytograd/train/report.h"
#include "report/svg.h"

namespace cytograd {
namespace {

constexpr double longest = 520, left = 62, top = 44, bottom = 66, legend_gap = 22, line = 20;
constexpr double region_share = 0.35, most_stretch = 2.2;

bool is_finite(const Point2& p) { return std::isfinite(p[0]) && std::isfinite(p[1]); }

// The points' box and 10 % more, on a picture with one scale for both axes.
struct Frame {
  double low[2], high[2], scale = 1, width = 0, height = 0;

  explicit Frame(const std::vector<Point2>& points) {
    for (int d = 0; d < 2; ++d) {
      low[d] = std::numeric_limits<double>::infinity();
      high[d] = -low[d];
    }
    for (const Point2& p : points)
      for (size_t d = 0; d < 2; ++d)
        if (is_finite(p)) {
          low[d] = std::min(low[d], p[d]);
          high[d] = std::max(high[d], p[d]);
        }
    double span[2];
    for (int d = 0; d < 2; ++d) {
      if (!(low[d] <= high[d])) low[d] = high[d] = 0;
      const double middle = (low[d] + high[d]) / 2;
      span[d] = std::max(high[d] - low[d], 1e-6 * std::max(1.0, std::abs(middle))) * 1.1;
    }
    // A narrow cloud keeps enough room for its ellipses.
    const double least = std::max(span[0], span[1]) / most_stretch;
    for (int d = 0; d < 2; ++d) {
      const double middle = (low[d] + high[d]) / 2;
      span[d] = std::max(span[d], least);
      low[d] = middle - span[d] / 2;
      high[d] = middle + span[d] / 2;
    }
    scale = longest / std::max(span[0], span[1]);
    width = span[0] * scale;
    height = span[1] * scale;
  }
  double x(double v) const { return left + (v - low[0]) * scale; }
  double y(double v) const { return top + height - (v - low[1]) * scale; }
};

uint8_t tint(uint8_t channel, double share) {
  return static_cast<uint8_t>(std::lround(255 + share * (channel - 255.0)));
}

// Regions as pixels, darker where two of them meet.
void draw_regions(svg::Picture& picture, const EmbeddingFigure& f, const Frame& frame) {
  const double step = longest / static_cast<double>(f.grid);
  const auto columns = static_cast<int64_t>(std::ceil(frame.width / step - 1e-9));
  const auto rows = static_cast<int64_t>(std::ceil(frame.height / step - 1e-9));
  std::vector<Point2> places;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      places.push_back({frame.low[0] + (static_cast<double>(c) + 0.5) * step / frame.scale,
                        frame.high[1] - (static_cast<double>(r) + 0.5) * step / frame.scale});
  const std::vector<int64_t> classes = f.regions(places);
  check<ShapeError>(classes.size() == places.size(), "embedding_svg",
                    "expects a class for each of ", places.size(), " places, got ", classes.size());
  Image image(rows, columns, 3);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) {
      const auto at = static_cast<size_t>(r * columns + c);
      const bool edge = (c + 1 < columns && classes[at + 1] != classes[at]) ||
                        (r + 1 < rows && classes[at + static_cast<size_t>(columns)] != classes[at]);
      const auto& color = f.colors.at(static_cast<size_t>(classes[at]));
      for (size_t k = 0; k < 3; ++k)
        image.at(r, c)[k] =
            edge ? static_cast<uint8_t>(0.55 * tint(color[k], region_share) + 0.45 * 110)
                 : tint(color[k], region_share);
    }
  picture.add("<image x=\"" + svg::number(left) + "\" y=\"" + svg::number(top) + "\" width=\"" +
              svg::number(static_cast<double>(columns) * step) + "\" height=\"" +
              svg::number(static_cast<double>(rows) * step) +
              "\" preserveAspectRatio=\"none\" href=\"data:image/png;base64," +
              base64(encode_png(image)) + "\"/>");
}

void draw_axes(svg::Picture& picture, const EmbeddingFigure& f, const Frame& frame) {
  const double step =
      svg::tick_step(std::min(frame.high[0] - frame.low[0], frame.high[1] - frame.low[1]), 5);
  const double floor = top + frame.height;
  for (double v = std::ceil(frame.low[0] / step) * step; v <= frame.high[0]; v += step) {
    picture.line(frame.x(v), floor, frame.x(v), floor + 5, svg::soft, 1);
    picture.text(frame.x(v), floor + 19, svg::tick_text(v, step), "middle", 12);
  }
  for (double v = std::ceil(frame.low[1] / step) * step; v <= frame.high[1]; v += step) {
    picture.line(left - 5, frame.y(v), left, frame.y(v), svg::soft, 1);
    picture.text(left - 8, frame.y(v) + 4, svg::tick_text(v, step), "end", 12);
  }
  picture.text(left + frame.width / 2, floor + 39, f.x_label, "middle");
  const std::string middle = svg::number(top + frame.height / 2);
  picture.text(16, top + frame.height / 2, f.y_label, "middle", 13,
               "transform=\"rotate(-90 16 " + middle + ")\"");
  picture.rect(left, top, frame.width, frame.height, "none", "stroke=\"#777777\"");
}

// Darker than the class's colour, so that pale ones show on white.
std::array<uint8_t, 3> darker(const std::array<uint8_t, 3>& c) {
  std::array<uint8_t, 3> out{};
  for (size_t k = 0; k < 3; ++k) out[k] = static_cast<uint8_t>(c[k] * 0.62);
  return out;
}

void draw_points(svg::Picture& picture, const EmbeddingFigure& f, const Frame& frame) {
  const double radius =
      std::clamp(90 / std::sqrt(static_cast<double>(f.points.size()) + 1), 1.6, 4.2);
  for (const bool wrong : {false, true})
    for (size_t i = 0; i < f.points.size(); ++i) {
      if (!is_finite(f.points[i]) || (!f.wrong.empty() && f.wrong[i]) != wrong) continue;
      const auto& color = f.colors.at(static_cast<size_t>(f.labels[i]));
      picture.circle(frame.x(f.points[i][0]), frame.y(f.points[i][1]), radius, svg::hex(color),
                     wrong ? "stroke=\"#000000\" stroke-width=\"1.4\""
                           : "stroke=\"" + svg::hex(darker(color)) + "\" stroke-width=\"0.6\"");
    }
}

void draw_ellipses(svg::Picture& picture, const EmbeddingFigure& f, const Frame& frame) {
  for (size_t c = 0; c < f.classes.size(); ++c) {
    std::vector<Point2> own;
    for (size_t i = 0; i < f.points.size(); ++i)
      if (f.labels[i] == static_cast<int64_t>(c) && is_finite(f.points[i]))
        own.push_back(f.points[i]);
    const auto e = confidence_ellipse(own, f.ellipse_level);
    if (!e) continue;
    const std::string x = svg::number(frame.x(e->center[0])),
                      y = svg::number(frame.y(e->center[1]));
    // y points down on the picture, so that angles turn the other way.
    picture.add("<ellipse cx=\"" + x + "\" cy=\"" + y + "\" rx=\"" +
                svg::number(e->major * frame.scale) + "\" ry=\"" +
                svg::number(e->minor * frame.scale) + "\" transform=\"rotate(" +
                format_fixed(-e->angle * 180 / 3.14159265358979323846, 2) + " " + x + " " + y +
                ")\" fill=\"none\" stroke=\"" + svg::hex(darker(f.colors[c])) +
                "\" stroke-width=\"1.8\"/>");
  }
}

}  // namespace

std::string embedding_svg(const EmbeddingFigure& f) {
  check<ShapeError>(f.points.size() == f.labels.size() && f.colors.size() == f.classes.size() &&
                        (f.wrong.empty() || f.wrong.size() == f.points.size()),
                    "embedding_svg", "expects a label per point and a colour per class, got ",
                    f.points.size(), " points, ", f.labels.size(), " labels, ", f.classes.size(),
                    " classes, ", f.colors.size(), " colours");
  const Frame frame(f.points);
  double names = 0;
  for (const std::string& name : f.classes) names = std::max(names, svg::text_width(name, 13));
  const double legend = left + frame.width + legend_gap;
  const double rows = static_cast<double>(f.classes.size()) + (f.wrong.empty() ? 0 : 1);
  const double width =
      std::max({legend + 20 + std::max(names, 110.0) + 12, 24 + svg::text_width(f.title, 15),
                24 + svg::text_width(f.note, 12)});
  const double height = std::max(top + frame.height + bottom, top + line * rows + 20);
  svg::Picture picture(width, height, f.title);
  picture.text(12, 26, f.title, "start", 15, "font-weight=\"bold\"");
  picture.add("<clipPath id=\"plot\"><rect x=\"" + svg::number(left) + "\" y=\"" +
              svg::number(top) + "\" width=\"" + svg::number(frame.width) + "\" height=\"" +
              svg::number(frame.height) + "\"/></clipPath><g clip-path=\"url(#plot)\">");
  if (f.regions) draw_regions(picture, f, frame);
  draw_points(picture, f, frame);
  if (f.ellipses) draw_ellipses(picture, f, frame);
  picture.add("</g>");
  draw_axes(picture, f, frame);
  for (size_t place = 0; place < f.classes.size(); ++place) {
    const size_t c = f.order.empty() ? place : f.order.at(place);
    const double y = top + 10 + line * static_cast<double>(place);
    picture.circle(legend + 6, y, 5.5, svg::hex(f.colors.at(c)),
                   "stroke=\"" + svg::hex(darker(f.colors.at(c))) + "\"");
    picture.text(legend + 18, y + 4.5, f.classes.at(c));
  }
  if (!f.wrong.empty()) {
    const double y = top + 10 + line * static_cast<double>(f.classes.size());
    picture.circle(legend + 6, y, 5, "#ffffff", "stroke=\"#000000\" stroke-width=\"1.6\"");
    picture.text(legend + 18, y + 4.5, "misclassified");
  }
  if (!f.note.empty()) picture.text(12, height - 9, f.note, "start", 12, "fill-opacity=\"0.8\"");
  return picture.finish();
}

}  // namespace cytograd
