#pragma once

#include <span>
#include <string>
#include <vector>

#include "report/svg.h"

/// @file
/// Small diagrams of curves over t, for figures.

namespace cytograd::trajectory {

/// A curve with a band around it, NaN leaves a gap.
struct PanelCurve {
  std::span<const double> y;
  std::vector<double> low, high;  ///< empty: no band
  std::string color;
};

struct Limits {
  double low = 0, high = 1;
};
/// Of all these values and a little more, at least `least` wide. Without values 0 to 1.
Limits limits_of(const std::vector<std::span<const double>>& values, double least);

struct Panel {
  double x = 0, y = 0, width = 130, height = 90;  ///< of the plot itself
  std::string title, title_more;                  ///< the second part in soft ink
  bool italic = false;                            ///< titles of genes
  Limits limits;
};

/// Space that a panel needs around its plot.
inline constexpr double panel_left = 38, panel_top = 22, panel_bottom = 22;

void draw_panel(svg::Picture& picture, const Panel& panel, const std::vector<double>& t,
                const std::vector<double>& marks, const PanelCurve& curve);

/// The text, or its beginning, an ellipsis and its end, so that it fits; control characters are
/// escaped.
std::string fitted(const std::string& text, double width, double size);
/// Upper estimate of the width of a text in Helvetica, capitals included.
double wide_text(const std::string& text, double size);

}  // namespace cytograd::trajectory
