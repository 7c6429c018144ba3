#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cytograd/io/image.h"
#include "cytograd/report/figures.h"
#include "cytograd/train/metrics.h"

namespace cytograd {

/// One image with what the model says about it.
struct ReportImage {
  Image picture;  ///< as the network sees it
  std::string name, truth, predicted;
  double confidence = 0;
};

/// A table of text; the first row is the header.
using ReportTable = std::vector<std::vector<std::string>>;

/// Columns aligned with blanks, the first to the left, the others to the right.
std::string aligned(const ReportTable& table);

/// What report/index.html shows.
struct Report {
  std::string title, subtitle;
  std::vector<std::pair<std::string, std::string>> facts;  ///< large figures at the top
  std::string metrics_csv;                                 ///< text of metrics.csv
  std::vector<std::string> classes;
  Scores scores;
  Confusion confusion{0};
  std::vector<ReportImage> worst;  ///< wrong with the highest confidence first
  std::vector<ReportImage> best;   ///< right with the highest confidence
  std::string role;                ///< the part that was scored, "test part"
  std::vector<ReliabilityPanel> reliability;
  ReportTable data;     ///< images per class, domain and part
  ReportTable domains;  ///< scores per domain; empty: no section
  std::string environment, config;
};

/// One self-contained page: no script, nothing loaded from elsewhere, light and dark. Everything
/// that comes from files is escaped.
std::string report_html(const Report& report);

/// `<`, `>`, `&`, quotes as entities; control characters and invalid UTF-8 as `\xHH`.
std::string html_text(const std::string& text);
/// Line chart as SVG. @param series name and one value per epoch (NaN: a gap)
std::string line_chart_svg(const std::string& title,
                           const std::vector<std::pair<std::string, std::vector<double>>>& series);
std::string base64(const std::string& bytes);

}  // namespace cytograd
