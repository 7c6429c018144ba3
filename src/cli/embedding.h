#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cli/session.h"
#include "cytograd/report/embedding_page.h"
#include "cytograd/report/figures.h"

/// @file
/// Embeddings of a run as pictures: what `cyto report` shows of one run and of a grid.

namespace cytograd::cli {

/// Cells of a data set with what one run says about them.
struct EmbeddedCells {
  std::vector<std::string> names, parts;  ///< sample, "train", "val", "test" or "all"
  std::vector<int64_t> predicted;
  std::vector<double> confidence;
  std::vector<double> agreement, anchor_confidence;  ///< empty without a readout
  LabelledRows rows;                                 ///< embeddings with the true classes

  int64_t size() const { return rows.size(); }
  /// Places of the cells of a part, or of all if there are none.
  std::vector<int64_t> part(const std::string& name) const;
};
/// From predictions with embeddings.
void add_cells(EmbeddedCells& cells, const Evaluation& evaluation, const Dataset& dataset);
/// From report/embeddings.csv as `cyto train` wrote it. @throws FileError, DataError
EmbeddedCells read_cells(const std::string& run, const std::vector<std::string>& classes);

/// Cells in the plane.
struct Plane {
  std::vector<Point2> places;
  std::string x_label, y_label, note;
  std::function<std::vector<int64_t>(const std::vector<Point2>&)> regions;
};
/// An embedding of two components as it is, with the regions of the run's own classifier; of
/// guide2d the first two; of others a UMAP of the training cells that starts at the guide, on which
/// the rest is placed. The latter two with the regions of 15 neighbours in the plane.
Plane plane_of(const TrainedModel& trained, const EmbeddedCells& cells);

/// Colours of the classes: of the run's guide, else distinct ones.
std::vector<std::array<uint8_t, 3>> class_colors(const TrainedModel& trained);

/// Classes as a legend names them: by lineage and stage of the guide, else as they are.
std::vector<size_t> class_order(const TrainedModel& trained);

/// The cells of the held-back part in the plane.
std::string embedding_figure(const std::string& title, const TrainedModel& trained,
                             const EmbeddedCells& cells, const Plane& plane);

/// Reliability of the classifier's probability, of the distance to the class's point, and of the
/// neighbours' agreement, over the held-back part.
std::vector<ReliabilityPanel> reliability_panels(const TrainedModel& trained,
                                                 const EmbeddedCells& cells);

/// A page of the cells of a data set, in the order of its samples, with their pictures.
class PageBuilder {
 public:
  /// Takes at most `page_points` cells, evenly spread over the data set.
  PageBuilder(const std::string& title, const TrainedModel& trained, const Task& task);
  void add(const std::string& name, const EmbeddedCells& cells, const Plane& plane);
  std::string html() const;

 private:
  EmbeddingPage page_;
  std::map<std::string, size_t> place_;  // of a sample on the page
};

/// report/embedding.svg and report/embedding.html of one run; returns what was written.
std::vector<std::string> write_embedding_pages(const std::string& run, const TrainedModel& trained,
                                               const Task& task, const std::string& role);

/// The report of what `cyto crossval` wrote: tables, figures and pages. @return what was written,
/// the page first
std::vector<std::string> write_grid_report(const std::string& folder, Device device);
/// The same of a protocol over domains.
std::vector<std::string> write_domain_report(const std::string& folder, Device device);

}  // namespace cytograd::cli
