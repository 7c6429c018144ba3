#include "cytograd/train/scatter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "cytograd/io/text.h"
#include "cytograd/train/report.h"

namespace cytograd {
namespace {

constexpr double side = 640, margin = 24, top = 44, legend = 220, line = 20;

// Ten hues that stay apart for most colour-blind readers, then the same lighter.
constexpr std::array colours = {"#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee",
                                "#aa3377", "#e07b39", "#3d4f8a", "#7fae7a", "#8c564b",
                                "#8fb3d9", "#f4a6b0", "#7cc98a", "#e5dc95", "#b3e5f5",
                                "#d590b8", "#f2bd96", "#9aa5cf", "#bdd9ba", "#c9a59d"};

struct Box {
  double low[2], high[2];
  explicit Box(const std::vector<float>& xy) {
    for (int d = 0; d < 2; ++d) {
      low[d] = std::numeric_limits<double>::infinity();
      high[d] = -low[d];
      for (size_t i = d; i < xy.size(); i += 2)
        if (std::isfinite(xy[i])) {
          low[d] = std::min<double>(low[d], xy[i]);
          high[d] = std::max<double>(high[d], xy[i]);
        }
      if (!(high[d] > low[d])) high[d] = (low[d] = std::isfinite(low[d]) ? low[d] - 1 : 0) + 2;
    }
  }
  // One scale for both axes: distances on the picture are those of the map.
  double scale() const {
    return (side - 2 * margin) / std::max(high[0] - low[0], high[1] - low[1]);
  }
};

std::string number(double v) { return format_fixed(v, 2); }

std::string colour_of(int32_t label) {
  return label < 0 ? "#b0b0b0" : colours[static_cast<size_t>(label) % colours.size()];
}

}  // namespace

std::string scatter_svg(const std::string& title, const std::vector<float>& xy,
                        const std::vector<int32_t>& labels,
                        const std::vector<std::string>& classes) {
  const Box box(xy);
  const double scale = box.scale(), middle = side / 2;
  const double height =
      std::max(side + top, top + line * static_cast<double>(classes.size() + 1) + margin);
  const double width = side + (classes.empty() ? 0 : legend);
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + number(width) +
                    " " + number(height) +
                    "\" font-family=\"sans-serif\" font-size=\"13\">\n"
                    "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n<text x=\"" +
                    number(margin) + "\" y=\"28\" font-size=\"16\">" + html_text(title) +
                    "</text>\n<g fill-opacity=\"0.75\">\n";
  const size_t count = xy.size() / 2;
  const double radius = std::clamp(60 / std::sqrt(static_cast<double>(count) + 1), 1.1, 4.0);
  for (size_t i = 0; i < count; ++i) {
    const double x = xy[2 * i], y = xy[2 * i + 1];
    if (!std::isfinite(x) || !std::isfinite(y)) continue;
    const double px = middle + scale * (x - (box.low[0] + box.high[0]) / 2);
    const double py = top + middle - scale * (y - (box.low[1] + box.high[1]) / 2);
    out += "<circle cx=\"" + number(px) + "\" cy=\"" + number(py) + "\" r=\"" + number(radius) +
           "\" fill=\"" + colour_of(labels.empty() ? 0 : labels[i]) + "\"/>\n";
  }
  out += "</g>\n";
  for (size_t c = 0; c < classes.size(); ++c) {
    const double y = top + line * static_cast<double>(c + 1);
    out += "<circle cx=\"" + number(side + 10) + "\" cy=\"" + number(y - 4) + "\" r=\"5\" fill=\"" +
           colour_of(static_cast<int32_t>(c)) + "\"/><text x=\"" + number(side + 22) + "\" y=\"" +
           number(y) + "\">" + html_text(classes[c]) + "</text>\n";
  }
  return out + "</svg>\n";
}

}  // namespace cytograd
