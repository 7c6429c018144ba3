#pragma once

#include <string>
#include <vector>

#include "cytograd/multimodal/drivers.h"
#include "cytograd/multimodal/trajectory.h"

/// @file
/// A path between kinds of cells as a figure for print and as a page to explore;
/// docs/multimodal.md. Both stand alone: they load nothing.

namespace cytograd {

/// What a figure shows besides the path itself.
struct TrajectoryFigure {
  /// Genes drawn as lines, by symbol; empty: of each cluster the two whose fold change spans most.
  /// Symbols that the path has not are left out and named in a note.
  std::vector<std::string> highlight;
  /// [T][6], `multimodal::Morphology::values` of the mean path, NaN where there is none; or empty.
  std::vector<std::vector<double>> morphology;
  double microns_per_pixel = 0;             ///< that it was measured with; 0: areas are in pixels
  std::vector<multimodal::Driver> drivers;  ///< of all genes, or empty
  std::string subtitle;
  bool outline = true;  ///< of the mean mask on the frames
};

/// Image strip, heat map of genes, clusters, highlighted genes, morphology and support, 1080 units
/// wide (180 mm, two columns). Frames and heat map are embedded PNG.
/// @throws ShapeError naming what does not fit the path (T, genes, frames, morphology, drivers)
std::string trajectory_svg(const multimodal::Trajectory& path, const TrajectoryFigure& figure);

/// The same to explore along t, with all genes: HTML that works offline. Bands of at most 300
/// genes (highlighted, then those that change most) are kept. @throws ShapeError as above
std::string trajectory_page(const multimodal::Trajectory& path, const TrajectoryFigure& figure);

/// Writes figure.svg, page.html and, where the program rsvg-convert is installed, figure.png (300
/// dots per inch) into `folder`, which exists.
/// @return what the user should know   @throws ShapeError, FileError
std::vector<std::string> write_trajectory_figures(const multimodal::Trajectory& path,
                                                  const TrajectoryFigure& figure,
                                                  const std::string& folder);

}  // namespace cytograd
