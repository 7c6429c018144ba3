#include <algorithm>
#include <cmath>

#include "cytograd/report/figures.h"
#include "report/svg.h"

namespace cytograd {
namespace {

constexpr double left = 66, top = 88, plot = 280, bottom = 66, bar = 26, gap = 3, between = 26,
                 panel_gap = 34, least_group = 84, right = 20;

size_t bars_of(const BarChart& chart) {
  return chart.series.empty() ? chart.lengths.size() : chart.series.size();
}

std::string bar_name(const BarChart& chart, size_t i) {
  return chart.series.empty() ? std::to_string(chart.lengths[i]) : chart.series[i];
}

std::string bar_color(const BarChart& chart, size_t i) {
  if (chart.series.empty()) return length_color(chart.lengths[i], i);
  static const char* colors[] = {"#5a6472", "#0065a3", "#c2410c", "#007a5a",
                                 "#a8477f", "#b07400", "#6b4c9a", "#2c7fb8"};
  return colors[i % std::size(colors)];
}

double group_width(const BarChart& chart) {
  const auto n = static_cast<double>(bars_of(chart));
  double width = std::max(least_group, n * bar + (n - 1) * gap);
  for (const BarChart::Panel& p : chart.panels)
    for (const BarChart::Group& g : p.groups)
      width = std::max(width, svg::text_width(g.name.substr(0, g.name.find(" (")), 13) + 6);
  return width;
}

double panel_width(const BarChart::Panel& panel, double group) {
  return static_cast<double>(panel.groups.size()) * (group + between);
}

double highest(const BarChart& chart) {
  double out = 0;
  for (const BarChart::Panel& p : chart.panels) {
    out = std::max(out, p.reference.value_or(0));
    for (const BarChart::Group& g : p.groups)
      for (const auto& b : g.bars)
        if (b) out = std::max(out, b->mean + b->population);
  }
  return std::max(out, 0.1);
}

struct Axis {
  double high, step;
  double y(double v) const { return top + plot * (1 - v / high); }
};

void draw_bar(svg::Picture& picture, const Axis& axis, double x, const Spread& s,
              const std::string& color) {
  const double y = axis.y(std::max(0.0, s.mean)), middle = x + bar / 2;
  picture.rect(x, y, bar, axis.y(0) - y, color);
  const double low = axis.y(std::max(0.0, s.mean - s.population)),
               high = axis.y(s.mean + s.population);
  if (s.population > 0) picture.line(middle, low, middle, high, svg::ink, 1.2);
  for (const double end : {low, high})
    if (s.population > 0) picture.line(middle - 5, end, middle + 5, end, svg::ink, 1.2);
  // The number stands in the bar, where there is room below the whisker.
  const std::string at = svg::number(middle + 4.5), from = svg::number(axis.y(0) - 6);
  if (axis.y(0) - low > 46)
    picture.add("<text x=\"" + at + "\" y=\"" + from + "\" transform=\"rotate(-90 " + at + " " +
                from + ")\" font-size=\"12\" font-weight=\"bold\" fill=\"#ffffff\">" +
                format_fixed(s.mean, 3) + "</text>");
}

void draw_group(svg::Picture& picture, const BarChart& chart, const BarChart::Group& group,
                const Axis& axis, double x, double width) {
  const auto n = static_cast<double>(bars_of(chart));
  double at = x + (width - n * bar - (n - 1) * gap) / 2;
  for (size_t i = 0; i < group.bars.size(); ++i, at += bar + gap) {
    if (group.bars[i])
      draw_bar(picture, axis, at, *group.bars[i], bar_color(chart, i));
    else
      picture.text(at + bar / 2, axis.y(0) - 5, "–", "middle", 13);
  }
  const size_t bracket = group.name.find(" (");
  picture.text(x + width / 2, axis.y(0) + 20, group.name.substr(0, bracket), "middle");
  if (bracket != std::string::npos)
    picture.text(x + width / 2, axis.y(0) + 36, group.name.substr(bracket + 1), "middle", 12);
}

void draw_legend(svg::Picture& picture, const BarChart& chart) {
  double x = left;
  if (chart.series.empty()) {
    const std::string name = "length of the embedding:";
    picture.text(left, 51, name);
    x += svg::text_width(name, 11.5) + 10;
  }
  for (size_t i = 0; i < bars_of(chart); ++i) {
    const std::string text = bar_name(chart, i);
    picture.rect(x, 40, 13, 13, bar_color(chart, i));
    picture.text(x + 18, 51, text);
    x += 18 + svg::text_width(text, 13) + 16;
  }
}

}  // namespace

std::string length_color(int64_t length, size_t place) {
  if (length == 2) return "#c2410c";
  if (length == 64) return "#007a5a";
  if (length == 256) return "#0065a3";
  if (length == 1024) return "#b07400";
  static const char* others[] = {"#a8477f", "#2c7fb8", "#5a5a5a", "#6b4c9a"};
  return others[place % std::size(others)];
}

std::string bar_chart_svg(const BarChart& chart) {
  const double group = group_width(chart);
  double width = left + right - panel_gap;
  for (const BarChart::Panel& p : chart.panels) width += panel_width(p, group) + panel_gap;
  width = std::max(width, 520.0);
  double legend = left + 200;
  for (size_t i = 0; i < bars_of(chart); ++i)
    legend += 34 + svg::text_width(bar_name(chart, i), 13);
  width = std::max(width, legend);
  Axis axis{highest(chart), 0};
  // Shares that a whisker carries above 1 do not double the axis.
  axis.step = svg::tick_step(axis.high, axis.high > 1 && axis.high < 1.2 ? 6 : 4);
  axis.high = std::ceil(axis.high / axis.step - 1e-9) * axis.step;
  svg::Picture picture(width, top + plot + bottom, chart.title);
  picture.text(16, 27, chart.title, "start", 15, "font-weight=\"bold\"");
  for (double v = 0; v <= axis.high + 1e-9; v += axis.step) {
    picture.line(left, axis.y(v), width - right, axis.y(v), svg::rule, 1);
    picture.text(left - 8, axis.y(v) + 4.5, svg::tick_text(v, axis.step), "end");
  }
  const std::string middle = svg::number(top + plot / 2);
  picture.text(18, top + plot / 2, chart.y_label, "middle", 13,
               "transform=\"rotate(-90 18 " + middle + ")\"");
  double x = left;
  for (const BarChart::Panel& panel : chart.panels) {
    const double end = x + panel_width(panel, group);
    picture.text((x + end) / 2, top - 12, panel.name, "middle", 13, "font-style=\"italic\"");
    double at = x + between / 2;
    for (const BarChart::Group& g : panel.groups) {
      draw_group(picture, chart, g, axis, at, group);
      at += group + between;
    }
    if (panel.reference)
      picture.line(x, axis.y(*panel.reference), end, axis.y(*panel.reference), "#808080", 2,
                   "stroke-dasharray=\"6 4\"");
    picture.line(x, axis.y(0), end, axis.y(0), svg::ink, 1.2);
    x = end + panel_gap;
  }
  draw_legend(picture, chart);
  return picture.finish();
}

}  // namespace cytograd
