#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cytograd/guided/classifiers.h"
#include "cytograd/report/grid_table.h"

namespace cytograd {

/// What one method with one length adds to the page of a cross-validation.
struct GridCellReport {
  std::string name;
  std::string embedding;    ///< SVG of its first finished fold, or empty
  std::string reliability;  ///< SVG over the test parts of all finished folds, or empty
};

struct GridReport {
  std::string title, subtitle, page;  ///< page: link to the interactive one, or empty
  std::vector<std::pair<std::string, std::string>> facts;
  GridTable table;
  ReportTable details;  ///< one row per cell
  std::string guide;    ///< SVG, or empty
  std::vector<GridCellReport> cells;
};

/// One page without script that loads nothing from elsewhere.
std::string grid_report_html(const GridReport& report);

/// Within-class part of the variance of embeddings [N, width]: the mean squared distance to the
/// mean of the own class, averaged over classes with two rows or more, over that to the mean of
/// all. Unchanged by shifting, turning and scaling. NaN where all rows coincide.
double within_class_share(const LabelledRows& rows);

}  // namespace cytograd
