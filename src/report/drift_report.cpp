#include "cytograd/report/drift_report.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cytograd/core/error.h"
#include "cytograd/io/text.h"
#include "cytograd/report/figures.h"
#include "report/page.h"

namespace cytograd {
namespace {

// Distances differ by orders of magnitude between models.
std::string distance_text(double v) {
  if (!std::isfinite(v)) return "n/a";
  return v != 0 && std::abs(v) < 0.01 ? format_fixed(v * 1000, 3) + "e-3" : format_fixed(v, 4);
}

std::string percent(const std::optional<double>& v) {
  return v ? format_fixed(100 * *v, 1) + " %" : "n/a";
}

std::string times(const std::optional<double>& ratio) {
  return ratio ? format_fixed(*ratio, *ratio < 10 ? 1 : 0) : "n/a";
}

BarChart mix_chart(const Drift& d, const std::vector<std::string>& classes) {
  BarChart out;
  out.title = "Predicted classes";
  out.y_label = "share";
  out.series = {"these images", "training"};
  out.panels.push_back({"", {}, {}});
  for (size_t c = 0; c < classes.size(); ++c) {
    const auto bar = [](double share) {
      Spread s;
      s.count = 1;
      s.mean = share;
      return std::optional<Spread>(s);
    };
    BarChart::Group group{escape_control(classes[c]), {}};
    const auto n = static_cast<double>(std::max<int64_t>(d.n, 1));
    group.bars = {bar(static_cast<double>(d.predicted[c]) / n), bar(d.training_share[c])};
    out.panels[0].groups.push_back(group);
  }
  return out;
}

ReportTable confidence_table(const Drift& d) {
  const std::string below = "below " + format_fixed(d.low, 2);
  return {
      {"", "these images", "held-back cells of the run"},
      {"mean confidence", score_text(d.mean_confidence, 3), score_text(d.mean_confidence_held, 3)},
      {"share " + below, percent(d.low_share), percent(d.low_share_held)}};
}

}  // namespace

ReportTable drift_table(const Drift& d) {
  ReportTable out = {{"training domain", "cells", "distance", "of means", "of covariances",
                      "without drift", "times that"}};
  std::vector<size_t> order(d.domains.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto far = [&](size_t i) {
    const MomentDistance& x = d.domains[i].distance;
    return std::isnan(x.covariance) ? x.mean : x.sum();
  };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return far(a) < far(b); });
  for (const size_t i : order) {
    const DomainDrift& x = d.domains[i];
    out.push_back({escape_control(x.domain), std::to_string(x.n), distance_text(x.distance.sum()),
                   distance_text(x.distance.mean), distance_text(x.distance.covariance),
                   x.expected ? distance_text(*x.expected) : "n/a", times(x.ratio())});
  }
  return out;
}

ReportTable mix_table(const Drift& d, const std::vector<std::string>& classes) {
  ReportTable out = {{"predicted class", "images", "share", "in training"}};
  for (size_t c = 0; c < classes.size(); ++c) {
    std::optional<double> share;
    if (d.n > 0) share = static_cast<double>(d.predicted[c]) / static_cast<double>(d.n);
    out.push_back({escape_control(classes[c]), std::to_string(d.predicted[c]), percent(share),
                   percent(d.training_share[c])});
  }
  return out;
}

std::string drift_sentence(const Drift& d) {
  std::string out = std::to_string(d.n) + (d.n == 1 ? " image" : " images");
  if (d.nearest < 0) return out;
  const DomainDrift& near = d.domains[static_cast<size_t>(d.nearest)];
  out += "; nearest training domain: " + escape_control(near.domain);
  if (near.ratio())
    out += ", " + times(near.ratio()) + " times as far as held-back cells of its own";
  return out;
}

std::string drift_text(const Drift& d, const std::vector<std::string>& classes) {
  return drift_sentence(d) + "\n\n" + aligned(drift_table(d)) + "\n" +
         aligned(confidence_table(d)) + "\n" + aligned(mix_table(d, classes)) +
         "\nThe mix of classes differs from training's by " + score_text(d.mix_distance, 3) +
         " (total variation, 0 to 1).\n";
}

std::string drift_html(const std::string& title, const Drift& d,
                       const std::vector<std::string>& classes) {
  const std::string near =
      d.nearest < 0 ? "n/a" : escape_control(d.domains[static_cast<size_t>(d.nearest)].domain);
  std::optional<double> ratio;
  if (d.nearest >= 0) ratio = d.domains[static_cast<size_t>(d.nearest)].ratio();
  std::string out = page_begin(title, drift_sentence(d),
                               {{"images", std::to_string(d.n)},
                                {"nearest training domain", near},
                                {"times its own distance", times(ratio)},
                                {"unsure, below " + format_fixed(d.low, 2), percent(d.low_share)},
                                {"change of the mix", score_text(d.mix_distance, 3)}});
  out +=
      "<h2>Distance to the training domains</h2><p>Of means and covariances of the features, "
      "each divided by its spread over the training cells. Without drift: the same for as many "
      "held-back cells of that domain.</p>" +
      table_html(drift_table(d)) + "<h2>Confidence</h2>" + table_html(confidence_table(d)) +
      "<h2>Classes</h2><p>What the model says; without labels nobody knows whether it is "
      "right.</p>" +
      figure_html("Predicted classes and those of training", bar_chart_svg(mix_chart(d, classes))) +
      table_html(mix_table(d, classes));
  return out + "</body></html>\n";
}

}  // namespace cytograd
