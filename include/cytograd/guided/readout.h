#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cytograd/core/tensor.h"
#include "cytograd/guided/classifiers.h"
#include "cytograd/guided/guide.h"

namespace cytograd {

/// What a readout says beside the class, per row.
struct ReadoutScores {
  std::vector<double> agreement;  ///< share of the 15 nearest training samples with this class
  std::vector<double> anchor_distance;  ///< Manhattan distance to the anchor of this class
  /// The same as a probability: softmax of -distance / temperature over the classes
  /// (guided/confidence.h).
  std::vector<double> anchor_confidence;
  std::vector<double> maturity;  ///< see `maturity_of`; NaN where the guide does not say
};

/// What tells classes from frozen embeddings: the classifier that was chosen, the training
/// embeddings, and a point per class (the guide's where the method has one in the embedding, else
/// the class's mean). Kept in the run folder as classifier.safetensors and reference.safetensors.
struct Readout {
  std::shared_ptr<const Classifier> classifier;
  LabelledRows reference;
  Tensor anchors;                ///< [C, width] float64, NaN for classes without one
  std::vector<GuideClass> rows;  ///< of the guide, one per class, or empty
  double temperature = 1;        ///< of `anchor_confidence`, fitted to the validation part
  int64_t epoch = 0;             ///< finished epochs of the checkpoint it belongs to

  ReadoutScores judge(const std::vector<float>& embeddings,
                      const std::vector<int64_t>& predicted) const;
};

/// Where an embedding lies on the path of a lineage, in stages: the nearest point (Euclidean) of
/// the line through the anchors of the lineage of `predicted` in order of their stages, classes of
/// lineage "none" that have a stage among them, and the stage there, linear between two classes.
/// For a class of lineage "none" the nearest of all paths. NaN if the class has no stage or there
/// is nobody else on its path.
double maturity_of(const double* embedding, int64_t width, int64_t predicted,
                   const std::vector<double>& anchors, const std::vector<GuideClass>& rows);

/// Zero-pads or cuts anchors to the width of the embeddings; class means where they are undefined.
Tensor anchors_of(const Tensor& anchors, const LabelledRows& reference);

void write_readout(const std::string& run, const Readout& readout);
/// Null if the run has none, or one of another epoch. @throws DataError for a damaged file
std::shared_ptr<const Readout> load_readout(const std::string& run, int64_t epoch);

}  // namespace cytograd
