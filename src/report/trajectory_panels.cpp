#include "report/trajectory_panels.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cytograd/core/error.h"

namespace cytograd::trajectory {
namespace {

constexpr double letters = 11;

class Axes {
 public:
  Axes(const Panel& panel) : p_(panel) {}
  double x(double t) const { return p_.x + t * p_.width; }
  double y(double v) const {
    const double share = (v - p_.limits.low) / (p_.limits.high - p_.limits.low);
    return p_.y + p_.height * (1 - std::clamp(share, -0.02, 1.02));
  }
  std::string point(double t, double v) const {
    return svg::number(x(t)) + " " + svg::number(y(v));
  }

 private:
  const Panel& p_;
};

// Thousands as k, so that areas in pixels have room.
std::string short_tick(double v, double step) {
  return step >= 1000 ? svg::tick_text(v / 1000, step / 1000) + "k" : svg::tick_text(v, step);
}

void draw_frame(svg::Picture& picture, const Panel& p, const std::vector<double>& marks,
                const Axes& axes) {
  for (const double m : marks)
    if (m > 0.001 && m < 0.999)
      picture.line(axes.x(m), p.y, axes.x(m), p.y + p.height, "#bbbbbb", 0.8,
                   "stroke-dasharray=\"2 3\"");
  const double span = p.limits.high - p.limits.low;
  double step = svg::tick_step(span, 3);
  // One number alone says nothing of the scale.
  if (std::floor(p.limits.high / step) - std::ceil(p.limits.low / step) < 1)
    step = svg::tick_step(span, 6);
  for (double v = std::ceil(p.limits.low / step - 1e-9) * step; v <= p.limits.high + 1e-9 * step;
       v += step) {
    picture.line(p.x - 4, axes.y(v), p.x, axes.y(v), svg::ink, 1);
    picture.text(p.x - 7, axes.y(v) + 4, short_tick(v, step), "end", letters);
  }
  for (const double t : {0.0, 0.5, 1.0}) {
    picture.line(axes.x(t), p.y + p.height, axes.x(t), p.y + p.height + 4, svg::ink, 1);
    picture.text(axes.x(t), p.y + p.height + 15,
                 t == 0.5 ? "0.5"
                 : t == 0 ? "0"
                          : "1",
                 "middle", letters);
  }
  picture.line(p.x, p.y, p.x, p.y + p.height, svg::ink, 1);
  picture.line(p.x, p.y + p.height, p.x + p.width, p.y + p.height, svg::ink, 1);
}

void draw_title(svg::Picture& picture, const Panel& p) {
  const double room = p.width + panel_left - 14, from = p.x - panel_left + 14;
  // A long title stands alone: the colour of the curve says what the note does.
  const double slanted = p.italic ? 1.15 : 1;  // times as wide
  const bool alone =
      p.title_more.empty() ||
      slanted * wide_text(p.title, 12.5) + wide_text(p.title_more, letters) + 6 > room;
  picture.text(from, p.y - 8, fitted(p.title, room, 12.5), "start", 12.5,
               p.italic ? "font-style=\"italic\" font-weight=\"bold\"" : "font-weight=\"bold\"");
  if (!alone)
    picture.text(p.x + p.width, p.y - 8, p.title_more, "end", letters, "fill-opacity=\"0.75\"");
}

// Runs of steps where all of it is a number.
template <class Has>
std::vector<std::pair<size_t, size_t>> runs(size_t n, Has has) {
  std::vector<std::pair<size_t, size_t>> out;
  for (size_t i = 0; i < n; ++i) {
    if (!has(i)) continue;
    if (out.empty() || out.back().second != i) out.emplace_back(i, i);
    out.back().second = i + 1;
  }
  return out;
}

}  // namespace

double wide_text(const std::string& text, double size) {
  double out = 0;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xc0) == 0x80) continue;
    const bool wide = (c >= 'A' && c <= 'Z') || c == '%' || static_cast<unsigned char>(c) >= 0x80;
    out += c == 'W' || c == 'M' || c == 'm' || c == 'w' ? 0.9 : wide ? 0.72 : 0.57;
  }
  return out * size;
}

std::string fitted(const std::string& text, double width, double size) {
  // Escapes are wider than what they stand for.
  const std::string all = escape_control(text);
  if (wide_text(all, size) <= width) return all;
  std::vector<std::string> characters;
  for (const char c : all) {
    if ((static_cast<unsigned char>(c) & 0xc0) != 0x80 || characters.empty())
      characters.emplace_back();
    characters.back() += c;
  }
  // Names of a family differ at their ends.
  double room = width - wide_text("…", size), of_end = 0.4 * room;
  std::string begin, end;
  while (!characters.empty() && wide_text(characters.back(), size) <= of_end) {
    of_end -= wide_text(characters.back(), size);
    room -= wide_text(characters.back(), size);
    end = characters.back() + end;
    characters.pop_back();
  }
  for (const std::string& c : characters) {
    room -= wide_text(c, size);
    if (room < 0) break;
    begin += c;
  }
  return begin + "…" + end;
}

Limits limits_of(const std::vector<std::span<const double>>& values, double least) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const auto& list : values)
    for (const double v : list)
      if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
  if (!(low <= high)) return {};
  const double middle = (low + high) / 2;
  const double half = std::max({(high - low) / 2 * 1.06, least / 2, 1e-9 * std::abs(middle)});
  // Amounts do not go below nothing.
  return low >= 0 && middle - half < 0 ? Limits{0, 2 * half} : Limits{middle - half, middle + half};
}

void draw_panel(svg::Picture& picture, const Panel& p, const std::vector<double>& t,
                const std::vector<double>& marks, const PanelCurve& c) {
  const Axes axes(p);
  draw_frame(picture, p, marks, axes);
  draw_title(picture, p);
  if (!c.low.empty())
    for (const auto& [begin, end] : runs(t.size(), [&](size_t i) {
           return std::isfinite(c.low[i]) && std::isfinite(c.high[i]);
         })) {
      std::string path;
      for (size_t i = begin; i < end; ++i)
        path += (i == begin ? "M" : "L") + axes.point(t[i], c.high[i]);
      for (size_t i = end; i-- > begin;) path += "L" + axes.point(t[i], c.low[i]);
      picture.add("<path d=\"" + path + "Z\" fill=\"" + c.color + "\" fill-opacity=\"0.2\"/>");
    }
  bool any = false;
  for (const auto& [begin, end] : runs(t.size(), [&](size_t i) { return std::isfinite(c.y[i]); })) {
    any = true;
    std::string path;
    for (size_t i = begin; i < end; ++i)
      path += (i == begin ? "M" : "L") + axes.point(t[i], c.y[i]);
    if (end - begin == 1) picture.circle(axes.x(t[begin]), axes.y(c.y[begin]), 1.6, c.color);
    picture.add("<path d=\"" + path + "\" fill=\"none\" stroke=\"" + c.color +
                "\" stroke-width=\"2\" stroke-linejoin=\"round\"/>");
  }
  if (!any)
    picture.text(p.x + p.width / 2, p.y + p.height / 2, "no value", "middle", letters,
                 "fill-opacity=\"0.7\"");
}

}  // namespace cytograd::trajectory
