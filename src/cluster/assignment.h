#pragma once

#include <cstdint>
#include <vector>

#include "cytograd/cluster/kshape.h"

namespace cytograd::cluster {

/// Which centroid each row is nearest to, the lowest of equals.
struct Assignment {
  std::vector<int64_t> labels;
  std::vector<double> distances;  ///< to the own centroid
};
/// @param distances [rows, k]
Assignment nearest(const std::vector<double>& distances, int64_t k);

/// Members per cluster.
std::vector<int64_t> sizes(const Assignment& a, int64_t k);
/// Rows of one cluster.
std::vector<int64_t> members(const Assignment& a, int64_t cluster);

/// Gives each cluster without members the row that is farthest from its centroid in a cluster of
/// two or more; centroid and distance follow.
void reseed_empty(const Curves& curves, Assignment& a, Curves& centroids);

/// k different rows from a named stream.
std::vector<int64_t> random_rows(int64_t rows, int64_t k, uint64_t seed, int64_t start);

/// What k_shape and k_means ask of their options.
void check_options(const char* op, const Curves& curves, int64_t k, int64_t starts,
                   int64_t max_iterations, const std::vector<int64_t>& initial);

}  // namespace cytograd::cluster
