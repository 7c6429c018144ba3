#pragma once

#include <vector>

#include "cytograd/umap/graph.h"
#include "cytograd/umap/layout.h"

namespace cytograd::umap {

struct InverseOptions {
  int64_t neighbors = 1;  ///< at most the number of rows is used
  int64_t epochs = 100;
  Curve curve;
  double learning_rate = 0.25, repulsion = 1;
  int64_t negative_rate = 5;
  uint64_t seed = 42;
};

/// The rows of the data space, [queries, data.columns], for points of the map; `scales` are those
/// of the data's graph. Rows of the map that are NaN take no part.
/// Each query is computed alone: the same bits for any number of threads and any other queries,
/// up to the largest weight, which is taken over all of them.
std::vector<float> invert(const Points& data, const Points& map, const Scales& scales,
                          const Points& queries, const InverseOptions& options);

/// The steps of the descent: r is drawn to a training row of weight w and scale sigma, or driven
/// off a random one.
void inverse_attract(float* r, const float* row, int64_t columns, double weight, double sigma,
                     double rate);
void inverse_repel(float* r, const float* row, int64_t columns, double rho, double sigma,
                   double repulsion, double rate);

}  // namespace cytograd::umap
