#pragma once

#include <cstdint>
#include <vector>

#include "cytograd/core/tensor.h"
#include "cytograd/guided/classifiers.h"

/// @file
/// A probability from the distances of an embedding to the points of the classes:
/// p_c = softmax_c(-d_c / T), d_c the Manhattan distance to the point of class c. T is found on
/// the validation part, as temperature scaling does for logits (Guo et al. 2017).

namespace cytograd {

/// Manhattan distances of rows to points: [N, C], infinity for points that are not finite.
/// @param values [N, width]   @param anchors [C, width]
/// @throws ShapeError if the points have another width than the rows
std::vector<double> anchor_distances(const std::vector<float>& values, const Tensor& anchors);

/// softmax(-d / T) of each row at `classes[i]`, [N]. A class without a point has probability 0.
/// @param distances [N, count]   @throws ValueError unless temperature > 0
std::vector<double> distance_confidence(const std::vector<double>& distances, int64_t count,
                                        const std::vector<int64_t>& classes, double temperature);

/// The T in [0.02, 50] with the least log loss of the true classes; 1 without rows. Rows whose
/// class has no point are left out. Golden section on log T.
double fit_temperature(const std::vector<double>& distances, int64_t count,
                       const std::vector<int64_t>& labels);

}  // namespace cytograd
