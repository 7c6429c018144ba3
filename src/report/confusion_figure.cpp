#include <algorithm>
#include <array>
#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/report/figures.h"
#include "report/svg.h"

namespace cytograd {
namespace {

constexpr double top = 70, gap = 40, right = 22, font = 12;

struct Layout {
  double cell, names, width, height;
  size_t classes;

  Layout(const std::vector<std::string>& list, size_t panels) : classes(list.size()) {
    double longest = 40;
    for (const std::string& name : list) longest = std::max(longest, svg::text_width(name, font));
    names = longest + 18;
    cell = classes <= 6 ? 52 : classes <= 10 ? 44 : 36;
    const double side = cell * static_cast<double>(classes);
    const auto n = static_cast<double>(panels);
    width = names + n * side + (n - 1) * gap + right + 20;
    height = top + side + names + 24;
  }
  double side() const { return cell * static_cast<double>(classes); }
  double x(size_t panel) const { return 20 + names + static_cast<double>(panel) * (side() + gap); }
};

// White to a blue on which white letters can be read.
std::array<uint8_t, 3> shade(double share) {
  const std::array<double, 3> full = {13, 71, 130};
  std::array<uint8_t, 3> out{};
  for (size_t k = 0; k < 3; ++k)
    out[k] = static_cast<uint8_t>(std::lround(255 + share * (full[k] - 255)));
  return out;
}

std::string text_at(double x, double y, const std::string& text, double size,
                    const std::string& fill) {
  return "<text x=\"" + svg::number(x) + "\" y=\"" + svg::number(y) +
         "\" text-anchor=\"middle\" font-size=\"" + svg::number(size) + "\" fill=\"" + fill +
         "\">" + text + "</text>";
}

void draw_cell(svg::Picture& picture, const Layout& l, const Confusion& m, size_t panel, int64_t t,
               int64_t p) {
  const double x = l.x(panel) + l.cell * static_cast<double>(p),
               y = top + l.cell * static_cast<double>(t);
  const int64_t row = m.truth_count(t), count = m.at(t, p);
  const double share = row > 0 ? static_cast<double>(count) / static_cast<double>(row) : 0;
  picture.rect(x, y, l.cell, l.cell, svg::hex(shade(share)),
               "stroke=\"#ffffff\" stroke-width=\"1\"");
  if (count == 0) return;
  const std::string ink = share > 0.45 ? "#ffffff" : "#222222";
  picture.add(text_at(x + l.cell / 2, y + l.cell / 2 + 1, format_fixed(100 * share, 0), 12.5, ink));
  picture.add(text_at(x + l.cell / 2, y + l.cell / 2 + 14, std::to_string(count), 9.5,
                      share > 0.45 ? "#dfe8f2" : "#666666"));
}

void draw_panel(svg::Picture& picture, const Layout& l, const ConfusionPanel& panel, size_t at,
                const std::vector<std::string>& classes) {
  const double x0 = l.x(at);
  picture.text(x0 + l.side() / 2, top - 12, panel.name, "middle", 13, "font-weight=\"bold\"");
  for (size_t c = 0; c < classes.size(); ++c) {
    const auto label = static_cast<int64_t>(c);
    const double middle = l.cell * (static_cast<double>(c) + 0.5);
    if (at == 0)
      picture.text(x0 - 8, top + middle + 4, classes[c], "end", font,
                   panel.confusion.truth_count(label) > 0 ? "" : "fill-opacity=\"0.45\"");
    const std::string px = svg::number(x0 + middle + 4), py = svg::number(top + l.side() + 8);
    picture.text(x0 + middle + 4, top + l.side() + 8, classes[c], "end", font,
                 "transform=\"rotate(-90 " + px + " " + py + ")\"");
    if (panel.confusion.truth_count(label) == 0) {
      picture.rect(x0, top + l.cell * static_cast<double>(c), l.side(), l.cell, "#f1f1f1",
                   "stroke=\"#ffffff\" stroke-width=\"1\"");
      picture.text(x0 + l.side() / 2, top + middle + 4, "n/a", "middle", 11);
      continue;
    }
    for (int64_t p = 0; p < panel.confusion.classes(); ++p)
      draw_cell(picture, l, panel.confusion, at, label, p);
  }
  picture.rect(x0, top, l.side(), l.side(), "none", "stroke=\"#999999\"");
}

}  // namespace

std::string confusion_svg(const std::string& title, const std::vector<std::string>& classes,
                          const std::vector<ConfusionPanel>& panels) {
  for (const ConfusionPanel& p : panels)
    check<ShapeError>(p.confusion.classes() == static_cast<int64_t>(classes.size()),
                      "confusion_svg", "expected ", classes.size(), " classes, got ",
                      p.confusion.classes());
  const Layout l(classes, panels.size());
  svg::Picture picture(std::max(l.width, 420.0), l.height, title);
  picture.text(16, 26, title, "start", 15, "font-weight=\"bold\"");
  for (size_t i = 0; i < panels.size(); ++i) draw_panel(picture, l, panels[i], i, classes);
  const std::string y = svg::number(top + l.side() / 2);
  picture.text(14, top + l.side() / 2, "truth", "middle", 13,
               "transform=\"rotate(-90 14 " + y + ")\"");
  picture.text(l.x(0) + l.side() / 2, l.height - 8, "prediction", "middle");
  return picture.finish();
}

}  // namespace cytograd
