#include "cytograd/report/grid_report.h"

#include <cmath>
#include <limits>

#include "cytograd/guided/classifiers.h"
#include "report/page.h"

namespace cytograd {

std::string grid_report_html(const GridReport& r) {
  std::string out = page_begin(r.title, r.subtitle, r.facts);
  if (!r.page.empty())
    out += "<p><a href=\"" + html_text(r.page) +
           "\">All cells in the plane, interactive</a>: pointing at one shows its image.</p>";
  out += "<h2>Macro-F1</h2><p>Mean ± standard deviation over " + std::to_string(r.table.folds) +
         " test folds, by length of the embedding. CE by its own classifier, all others by the one "
         "chosen on training data. missing: no fold is finished; (3/5): some are; –: not in the "
         "grid.</p>" +
         table_html(grid_text(r.table, GridMetric::macro, "own"));
  out += figure_html("Macro-F1 by method and length", bar_chart_svg(grid_chart(r.table)));
  out +=
      "<p>Bars: mean, whiskers: standard deviation, dashed line: best baseline of its panel.</p>";
  out += "<h2>Micro-F1</h2>" + table_html(grid_text(r.table, GridMetric::micro, "own"));
  out += "<h2>Every classifier</h2><details><summary>Macro-F1</summary>" +
         table_html(grid_text(r.table, GridMetric::macro, "")) +
         "</details><details><summary>Micro-F1</summary>" +
         table_html(grid_text(r.table, GridMetric::micro, "")) + "</details>";
  out +=
      "<h2>Cells</h2><p>Means over folds. n: components in use at the best epoch. Within-class "
      "variance: its share of the whole variance of test embeddings. ECE: expected calibration "
      "error of the classifier's probability, of the distance to the class's point and of the "
      "agreement of 15 neighbours.</p>" +
      table_html(r.details);
  out += "<h2>Embeddings</h2><div class=\"pair\">";
  if (!r.guide.empty()) out += figure_html("The guide", r.guide);
  for (const GridCellReport& c : r.cells)
    if (!c.embedding.empty()) out += figure_html("Embedding of " + c.name, c.embedding);
  out += "</div><h2>Confidence</h2><div class=\"pair\">";
  for (const GridCellReport& c : r.cells)
    if (!c.reliability.empty()) out += figure_html("Reliability of " + c.name, c.reliability);
  return out + "</div></body></html>\n";
}

double within_class_share(const LabelledRows& rows) {
  const auto width = static_cast<size_t>(rows.width);
  // Row 0: all; row c + 1: class c.
  const auto groups = static_cast<size_t>(rows.classes) + 1;
  std::vector<double> mean(groups * width), count(groups), squares(groups);
  const auto each = [&](auto&& f) {
    for (int64_t i = 0; i < rows.size(); ++i)
      for (const size_t g :
           {size_t{0}, static_cast<size_t>(rows.labels[static_cast<size_t>(i)]) + 1})
        f(g, rows.row(i));
  };
  each([&](size_t g, const float* row) {
    ++count[g];
    for (size_t k = 0; k < width; ++k) mean[g * width + k] += row[k];
  });
  for (size_t g = 0; g < groups; ++g)
    for (size_t k = 0; k < width && count[g] > 0; ++k) mean[g * width + k] /= count[g];
  each([&](size_t g, const float* row) {
    for (size_t k = 0; k < width; ++k)
      squares[g] += (row[k] - mean[g * width + k]) * (row[k] - mean[g * width + k]);
  });
  double sum = 0, used = 0;
  for (size_t g = 1; g < groups; ++g)
    if (count[g] >= 2) {
      sum += squares[g] / count[g];
      ++used;
    }
  if (used == 0 || !(squares[0] > 0)) return std::numeric_limits<double>::quiet_NaN();
  return sum / used / (squares[0] / count[0]);
}

}  // namespace cytograd
