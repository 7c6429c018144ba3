#include <algorithm>
#include <cmath>
#include <limits>

#include "cytograd/train/report.h"
#include "report/svg.h"
#include "report/trajectory_panels.h"
#include "report/trajectory_parts.h"

namespace cytograd {
namespace {

using multimodal::Trajectory;
using namespace trajectory;

constexpr double width = 1080, left = 20, right = 1060, strip_top = 96, frame_gap = 8;
constexpr double frame_side = (right - left - 9 * frame_gap) / 10;
constexpr double heat_left = 62, heat_width = 352, labels_left = 430, labels_right = 516;
constexpr double panels_left = 536, pitch = 178, panel_height = 92;
constexpr double row_height = panel_top + panel_height + panel_bottom + 14;
constexpr double section_head = 30, heat_foot = 76, gene_line = 11.2, small = 11;

std::string embedded(const Image& image, double x, double y, double w, double h,
                     const std::string& more = "") {
  return "<image x=\"" + svg::number(x) + "\" y=\"" + svg::number(y) + "\" width=\"" +
         svg::number(w) + "\" height=\"" + svg::number(h) + "\" preserveAspectRatio=\"none\" " +
         more + " href=\"data:image/png;base64," + base64(encode_png(image)) + "\"/>";
}

class Figure {
 public:
  Figure(const Trajectory& path, const TrajectoryFigure& figure)
      : path_(path),
        figure_(figure),
        order_(heat_order(path)),
        genes_(highlighted(path, figure)),
        head_(height_of_strip()),
        body_(std::max(right_height(), heat_height_wanted() + section_head + heat_foot)),
        picture_(width, head_ + body_ + 16, "Path " + path.name) {
    if (genes_.size() > most_panels) genes_.resize(most_panels);
  }

  std::string finish() {
    picture_.add(
        "<defs><pattern id=\"hatch\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" "
        "patternTransform=\"rotate(45)\"><rect width=\"5\" height=\"5\" fill=\"#ffffff\" "
        "fill-opacity=\"0.55\"/><path d=\"M0 0V5\" stroke=\"#111111\" "
        "stroke-width=\"2\"/></pattern></defs>");
    picture_.text(left, 28, fitted(path_.name, right - left, 18), "start", 18,
                  "font-weight=\"bold\"");
    picture_.text(left, 49, fitted(figure_.subtitle, right - left, 13), "start", 13,
                  "fill-opacity=\"0.75\"");
    draw_strip();
    draw_heat();
    draw_right();
    return picture_.finish();
  }

 private:
  double height_of_strip() const { return strip_top + frame_side + 142; }
  static double rows_of(size_t panels) { return std::ceil(static_cast<double>(panels) / 3); }
  double right_height() const {
    double out = 0;
    for (const size_t n :
         {path_.clusters.clusters.size(), std::min<size_t>(genes_.size(), most_panels),
          figure_.morphology.empty() ? size_t{0} : morphology_titles.size()})
      if (n > 0) out += section_head + rows_of(n) * row_height;
    return out;
  }
  // Every symbol has a line where that fits a page; else about as tall as it is wide.
  double heat_height_wanted() const {
    const double all = gene_line * static_cast<double>(order_.size());
    return order_.empty() ? 60 : all <= 760 ? std::max(all, 220.0) : 420;
  }

  void head(char letter, double x, double y, const std::string& title) {
    picture_.text(x, y, std::string(1, letter), "start", 17, "font-weight=\"bold\"");
    picture_.text(x + 20, y, title, "start", 13.5);
  }
  static double at(double t) { return left + frame_side / 2 + t * (right - left - frame_side); }

  void draw_strip() {
    head(letter_++, left, strip_top - 14, "Cells decoded along the path");
    double y = strip_top + (path_.frames.defined() ? frame_side : 0);
    if (path_.frames.defined()) draw_frames();
    const std::vector<int64_t> steps = frame_steps(path_.t);
    picture_.line(at(0), y + 8, at(1), y + 8, svg::ink, 1);
    for (size_t i = 0; i < steps.size(); ++i) {
      const double t = static_cast<double>(i) / (strip_frames - 1);
      const double real = path_.t[static_cast<size_t>(steps[i])];
      picture_.line(at(t), y + 4, at(t), y + 12, svg::ink, 1);
      picture_.text(at(t), y + 25, (i == 0 ? "t = " : "") + format_fixed(real, 2), "middle", 12);
    }
    draw_support("images", path_.support.image, y + 33);
    draw_support("RNA", path_.support.rna, y + 48);
    draw_stations(y + 66);
    draw_support_legend(y + 98);
  }

  void draw_frames() {
    const int64_t side = path_.frames.size(1);
    const std::vector<int64_t> steps = frame_steps(path_.t);
    for (size_t i = 0; i < steps.size(); ++i) {
      const double x = left + static_cast<double>(i) * (frame_side + frame_gap);
      picture_.add(
          embedded(frame_image(path_.frames, steps[i]), x, strip_top, frame_side, frame_side));
      if (!path_.masks.defined() || !figure_.outline) continue;
      const std::string d = outline_path(mask_at(path_.masks, steps[i]), side, x, strip_top,
                                         frame_side / static_cast<double>(side));
      if (d.empty()) continue;
      for (const char* stroke : {"stroke=\"#ffffff\" stroke-width=\"2.2\" stroke-opacity=\"0.8\"",
                                 "stroke=\"#111111\" stroke-width=\"0.9\""})
        picture_.add("<path d=\"" + d + "\" fill=\"none\" " + stroke + "/>");
    }
  }

  // From half way to the step before to half way to the step after.
  double edge(size_t i) const {
    if (i == 0) return at(0);
    if (i == path_.t.size()) return at(1);
    return at((path_.t[i - 1] + path_.t[i]) / 2);
  }

  void draw_support(const std::string& name, const std::vector<double>& support, double y) {
    if (support.empty()) return;
    constexpr double tall = 11;
    picture_.text(at(0) - 5, y + 9.5, name, "end", small);
    for (size_t i = 0; i < support.size(); ++i)
      picture_.rect(edge(i), y, edge(i + 1) - edge(i) + 0.3, tall,
                    svg::hex(support_color(support[i])));
    for (size_t i = 0; i < support.size(); ++i) {
      if (!(support[i] > outside_percentile)) continue;
      const size_t begin = i;
      while (i + 1 < support.size() && support[i + 1] > outside_percentile) ++i;
      picture_.rect(edge(begin), y, std::max(edge(i + 1) - edge(begin), 2.0), tall, "url(#hatch)",
                    "class=\"outside\"");
    }
    picture_.rect(at(0), y, at(1) - at(0), tall, "none", "stroke=\"#555555\" stroke-width=\"0.8\"");
  }

  void draw_support_legend(double y) {
    if (path_.support.image.empty() && path_.support.rna.empty()) return;
    double x = at(0);
    picture_.text(x, y + 9.5, "Distance to the cells (percentile)", "start", small);
    picture_.text(x + 206, y + 9.5, "0", "end", small);
    x += 210;
    for (int i = 0; i < 33; ++i)
      picture_.rect(x + 3.0 * i, y, 3.3, 11, svg::hex(support_color(i * 100.0 / 33)));
    picture_.text(x + 104, y + 9.5, "99", "start", small);
    picture_.rect(x + 134, y, 30, 11, svg::hex(support_color(100)));
    picture_.rect(x + 134, y, 30, 11, "url(#hatch)", "stroke=\"#555555\" stroke-width=\"0.8\"");
    picture_.text(x + 169, y + 9.5, "above 99: outside the data", "start", small);
  }

  // Names side by side where they fit, else on two lines, else shortened.
  void draw_stations(double y) {
    double end[2] = {0, 0};
    for (size_t i = 0; i < path_.stations.size(); ++i) {
      const double x = at(path_.station_t[i]);
      picture_.add("<path d=\"M" + svg::number(x - 5) + " " + svg::number(y + 4) + "L" +
                   svg::number(x + 5) + " " + svg::number(y + 4) + "L" + svg::number(x) + " " +
                   svg::number(y - 4) + "Z\" fill=\"" + svg::ink + "\"/>");
      std::string name = fitted(path_.stations[i], 230, 12.5);
      double wide = wide_text(name, 12.5);
      const double from = std::clamp(x - wide / 2, left, right - wide);
      const size_t line = from >= end[0] ? 0 : from >= end[1] ? 1 : end[0] <= end[1] ? 0 : 1;
      if (from < end[line]) {
        const double room = std::min(2 * (x - end[line]), right - end[line]);
        if (room < 24) continue;
        name = fitted(path_.stations[i], room, 12.5);
        wide = wide_text(name, 12.5);
      }
      end[line] = std::clamp(x - wide / 2, left, right - wide) + wide + 8;
      picture_.text(std::clamp(x, left + wide / 2, right - wide / 2),
                    y + 18 + 13 * static_cast<double>(line), name, "middle", 12.5,
                    "font-weight=\"bold\"");
    }
  }

  // Row by row, and in columns the step nearest in t; small ones repeat rows to stay sharp.
  Image heat_image() const {
    constexpr int64_t columns = 600;
    const auto n = static_cast<int64_t>(order_.size());
    const int64_t repeat = std::max<int64_t>(1, (1200 + n - 1) / n);
    const std::vector<int64_t> steps = frame_steps(path_.t, columns);
    Image out(n * repeat, columns, 3);
    for (int64_t i = 0; i < n; ++i) {
      const std::vector<double> z = clipped_scores(path_.fold.row(order_[static_cast<size_t>(i)]));
      for (int64_t c = 0; c < columns; ++c) {
        const auto color = score_color(z[static_cast<size_t>(steps[static_cast<size_t>(c)])]);
        std::copy_n(color.begin(), 3, out.at(i * repeat, c));
      }
      for (int64_t k = 1; k < repeat; ++k)
        std::copy_n(out.at(i * repeat, 0), 3 * columns, out.at(i * repeat + k, 0));
    }
    return out;
  }

  void draw_heat() {
    const double top = head_ + section_head - 10;
    const size_t flat = path_.genes.size() - order_.size();
    head(letter_++, left, head_,
         std::to_string(order_.size()) + (order_.size() == 1 ? " gene" : " genes") +
             (flat > 0 ? ", without " + std::to_string(flat) + " flat" : ""));
    if (order_.empty()) {
      picture_.text(heat_left, top + 30, "No gene changes along this path.", "start", 13);
      return;
    }
    const double tall = body_ - section_head - heat_foot;
    const double row = tall / static_cast<double>(order_.size());
    picture_.add(embedded(heat_image(), heat_left, top, heat_width, tall));
    picture_.rect(heat_left, top, heat_width, tall, "none",
                  "stroke=\"#555555\" stroke-width=\"0.8\"");
    draw_groups(top, row);
    draw_symbols(top, row, tall);
    draw_heat_axis(top + tall);
  }

  void draw_groups(double top, double row) {
    for (size_t i = 0; i < order_.size();) {
      const int64_t c = cluster_of(path_, order_[i]);
      size_t end = i;
      while (end < order_.size() && cluster_of(path_, order_[end]) == c) ++end;
      const double y = top + row * static_cast<double>(i),
                   tall = row * static_cast<double>(end - i);
      picture_.rect(heat_left - 13, y, 9, tall, svg::hex(cluster_color(path_, c)));
      if (i > 0) picture_.line(heat_left - 13, y, heat_left + heat_width, y, "#ffffff", 1.4);
      const std::string name = cluster_name(path_, order_[i]);
      if (wide_text(name, 12.5) < tall - 4) {
        const std::string x = svg::number(heat_left - 20), middle = svg::number(y + tall / 2);
        picture_.text(heat_left - 20, y + tall / 2, name, "middle", 12.5,
                      "font-weight=\"bold\" transform=\"rotate(-90 " + x + " " + middle + ")\"");
      }
      i = end;
    }
  }

  // All symbols where rows are tall enough, else those of the highlighted genes, moved apart.
  void draw_symbols(double top, double row, double tall) {
    const bool all = row >= gene_line - 0.3;
    const double least = 12.5;
    struct Label {
      size_t row;
      double y;
    };
    std::vector<Label> labels;
    for (size_t i = 0; i < order_.size(); ++i)
      if (all || std::find(genes_.begin(), genes_.end(), order_[i]) != genes_.end())
        labels.push_back({i, top + row * (static_cast<double>(i) + 0.5)});
    if (!all) {
      for (size_t k = 1; k < labels.size(); ++k)
        labels[k].y = std::max(labels[k].y, labels[k - 1].y + least);
      double lowest = top + tall - 4;
      for (size_t k = labels.size(); k-- > 0; lowest = labels[k].y - least)
        labels[k].y = std::min(labels[k].y, lowest);
    }
    for (const Label& l : labels) {
      const int64_t gene = order_[l.row];
      const double from = top + row * (static_cast<double>(l.row) + 0.5);
      const bool chosen = std::find(genes_.begin(), genes_.end(), gene) != genes_.end();
      const double x = all ? heat_left + heat_width + 5 : labels_left;
      if (!all)
        picture_.add("<path d=\"M" + svg::number(heat_left + heat_width + 1) + " " +
                     svg::number(from) + "h3L" + svg::number(labels_left - 4) + " " +
                     svg::number(l.y) +
                     "h2\" fill=\"none\" stroke=\"#555555\" "
                     "stroke-width=\"0.7\"/>");
      picture_.text(
          x, l.y + 3.8, fitted(path_.genes[static_cast<size_t>(gene)], labels_right - x, small),
          "start", small,
          chosen ? "font-style=\"italic\" font-weight=\"bold\"" : "font-style=\"italic\"");
    }
  }

  void draw_heat_axis(double y) {
    for (const double t : {0.0, 0.25, 0.5, 0.75, 1.0}) {
      const double x = heat_left + t * heat_width;
      picture_.line(x, y, x, y + 4, svg::ink, 1);
      picture_.text(x, y + 16, format_double(t), "middle", small);
    }
    picture_.text(heat_left + heat_width / 2, y + 31, "pseudotime t", "middle", 12);
    const double bar = heat_left, top = y + 43;
    for (int i = 0; i < 60; ++i)
      picture_.rect(bar + 2.0 * i, top, 2.3, 10, svg::hex(score_color(-2 + 4 * (i + 0.5) / 60)));
    picture_.rect(bar, top, 120, 10, "none", "stroke=\"#555555\" stroke-width=\"0.8\"");
    for (const int v : {-2, 0, 2})
      picture_.text(bar + 60 + 30.0 * v, top + 22, v < 0 ? "−2" : std::to_string(v), "middle",
                    small);
    picture_.text(bar + 130, top + 9.5, "z-score over t of each gene", "start", small);
  }

  Panel panel_at(size_t i, double top) const {
    Panel p;
    p.x = panels_left + panel_left + static_cast<double>(i % 3) * pitch;
    p.y = top + panel_top + static_cast<double>(i / 3) * row_height;
    p.width = pitch - panel_left - 10;
    p.height = panel_height;
    return p;
  }

  void draw_right() {
    double top = head_;
    const auto section = [&](size_t panels, const std::string& title, auto draw) {
      if (panels == 0) return;
      head(letter_++, panels_left, top, title);
      for (size_t i = 0; i < panels; ++i) draw(i, panel_at(i, top + section_head - 16));
      top += section_head + rows_of(panels) * row_height;
    };
    section(path_.clusters.clusters.size(), "Fold change over t, mean ± SD of the clusters",
            [&](size_t i, Panel p) { draw_cluster(i, std::move(p)); });
    section(genes_.size(),
            std::string("Genes, fold change") +
                (path_.fold_low.rows > 0 ? " with 5th to 95th percentile of the paths" : ""),
            [&](size_t i, Panel p) { draw_gene(genes_[i], std::move(p)); });
    section(figure_.morphology.empty() ? 0 : morphology_titles.size(),
            "Morphology of the decoded cells",
            [&](size_t i, Panel p) { draw_morphology(i, std::move(p)); });
  }

  void draw_cluster(size_t i, Panel p) {
    const cluster::GeneCluster& c = path_.clusters.clusters[i];
    PanelCurve curve{c.mean, {}, {}, svg::hex(cluster_color(path_, static_cast<int64_t>(i)))};
    for (size_t k = 0; k < c.mean.size(); ++k) {
      curve.low.push_back(c.mean[k] - c.deviation[k]);
      curve.high.push_back(c.mean[k] + c.deviation[k]);
    }
    p.title = c.name;
    p.title_more = "n = " + std::to_string(c.members.size());
    p.limits = limits_of({curve.low, curve.high}, 0.2);
    draw_panel(picture_, p, path_.t, path_.station_t, curve);
  }

  void draw_gene(int64_t gene, Panel p) {
    const auto band = [&](const cluster::Curves& c) {
      if (c.rows == 0) return std::vector<double>();
      const auto row = c.row(gene);
      return std::vector<double>(row.begin(), row.end());
    };
    const PanelCurve curve{path_.fold.row(gene), band(path_.fold_low), band(path_.fold_high),
                           svg::hex(cluster_color(path_, cluster_of(path_, gene)))};
    p.title = path_.genes[static_cast<size_t>(gene)];
    const std::string cluster = cluster_name(path_, gene);
    p.title_more = fitted(cluster.starts_with("transient-") ? cluster.substr(10) : cluster, 60, 11);
    p.italic = true;
    p.limits = limits_of({curve.y, curve.low, curve.high}, 0.2);
    draw_panel(picture_, p, path_.t, path_.station_t, curve);
  }

  void draw_morphology(size_t score, Panel p) {
    std::vector<double> y;
    for (const auto& row : figure_.morphology) y.push_back(row[score]);
    p.title = morphology_titles[score];
    p.title_more = morphology_units(figure_)[score];
    p.limits = limits_of({y}, 0.05);
    draw_panel(picture_, p, path_.t, path_.station_t, {y, {}, {}, "#6a3d9a"});
  }

  const Trajectory& path_;
  const TrajectoryFigure& figure_;
  std::vector<int64_t> order_, genes_;
  double head_, body_;
  svg::Picture picture_;
  char letter_ = 'a';
};

}  // namespace

std::string trajectory_svg(const Trajectory& path, const TrajectoryFigure& figure) {
  check_figure("trajectory_svg", path, figure);
  return Figure(path, figure).finish();
}

}  // namespace cytograd
