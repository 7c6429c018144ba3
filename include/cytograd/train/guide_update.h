#pragma once

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "cytograd/guided/classifiers.h"
#include "cytograd/guided/guide.h"
#include "cytograd/train/config.h"

/// @file
/// Where the guide of guide-umap goes after an epoch. A way of moving it is a function from the
/// training embeddings to new points u; e = keep e + (1 - keep) u is the trainer's. One row per way
/// in src/train/guide_update.cpp.

namespace cytograd {

struct GuideUpdateInput {
  const TrainConfig& config;
  const LabelledRows& rows;          ///< training embeddings [N, n] in evaluation mode
  const std::vector<Point2>& guide;  ///< one point of the plane per class
  const Tensor& e;                   ///< [C, n] float64, the guide of this epoch
  uint64_t seed = 0;                 ///< of this run and epoch
  int64_t epoch = 0;                 ///< from 0
};

struct GuideStep {
  Tensor u;  ///< [C, n] float64; rows of classes without training samples are not used
  /// How far classes have moved on the map: mean distance of their centres to the places of the
  /// guide, which lies in [0, 10] x [0, 10]. NaN where there is no map.
  double drift = std::numeric_limits<double>::quiet_NaN();
};

/// @throws DivergedError if it cannot be found
using GuideUpdate = std::function<GuideStep(const GuideUpdateInput&)>;

std::vector<std::string> guide_update_names();
GuideUpdate guide_update_of(const TrainConfig& config);

/// keep e + (1 - keep) u, for classes of `present`; the others keep e.
Tensor low_pass(const Tensor& e, const Tensor& u, double keep, const std::vector<bool>& present);
/// Mean Euclidean distance of the rows of two [C, n], over the classes of `present`.
double mean_distance(const Tensor& a, const Tensor& b, const std::vector<bool>& present);
/// Mean of each class, NaN for those without rows: [C, width] float64.
Tensor class_means(const LabelledRows& rows);

}  // namespace cytograd
