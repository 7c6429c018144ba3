#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cytograd/guided/guide.h"
#include "cytograd/train/aggregate.h"
#include "cytograd/train/metrics.h"

/// @file
/// Figures of the guided evaluation as SVG that stands alone. Everything that comes from files is
/// escaped.

namespace cytograd {

/// Scores of methods by length of the embedding: a bar per mean, a whisker per standard deviation.
struct BarChart {
  struct Group {
    std::string name;                         ///< a part in brackets goes to a second line
    std::vector<std::optional<Spread>> bars;  ///< one per length; empty: not there
  };
  struct Panel {
    std::string name;
    std::vector<Group> groups;
    std::optional<double> reference;  ///< a grey line: the best baseline
  };
  std::string title, y_label;
  std::vector<int64_t> lengths;
  std::vector<std::string> series = {};  ///< names of the bars of a group, in place of `lengths`
  std::vector<Panel> panels;
};
std::string bar_chart_svg(const BarChart& chart);

/// Colour of a length: 2 red, 64 green, 256 blue, 1024 orange in shades that colour-blind readers
/// can tell apart (Okabe and Ito), others from the same set.
std::string length_color(int64_t length, size_t place);

/// Confusion matrices beside each other: rows are the truth, shade and number the share of the row
/// in percent, below it the count where there is room. Rows without a cell are left blank.
struct ConfusionPanel {
  std::string name;
  Confusion confusion{0};
};
std::string confusion_svg(const std::string& title, const std::vector<std::string>& classes,
                          const std::vector<ConfusionPanel>& panels);

/// Accuracy by confidence with the number of cells per bin, one panel per kind of confidence.
struct ReliabilityPanel {
  std::string name;
  Reliability data;
};
std::string reliability_svg(const std::string& title, const std::vector<ReliabilityPanel>& panels);

/// Points of the plane with what a classifier makes of it.
struct EmbeddingFigure {
  std::string title, note, x_label = "component 1", y_label = "component 2";
  std::vector<std::string> classes;
  std::vector<std::array<uint8_t, 3>> colors;  ///< one per class
  std::vector<size_t> order;                   ///< of the legend; empty: as classes
  std::vector<Point2> points;                  ///< points that are not finite are left out
  std::vector<int64_t> labels;
  std::vector<bool> wrong;  ///< empty, or per point: drawn with a dark ring
  /// Classes of places; empty: no decision regions.
  std::function<std::vector<int64_t>(const std::vector<Point2>&)> regions;
  int64_t grid = 400;  ///< places along the longer side
  double ellipse_level = 0.95;
  bool ellipses = true;
};
/// Regions at 35 % of their class's colour over the points' box enlarged by 10 %, points, and the
/// confidence ellipse of each class that has one (guided/ellipse.h).
std::string embedding_svg(const EmbeddingFigure& figure);

}  // namespace cytograd
