#pragma once

#include "cytograd/umap/neighbors.h"

/// @file
/// How well a map keeps neighbourhoods (Venna and Kaski 2001).

namespace cytograd::umap {

/// 1 - 2 / (N k (2N - 3k - 1)) times the sum, over the k nearest of each point on the map that are
/// not among its k nearest in the data, of (rank in the data - k). In [0, 1]; 1 is best. The points
/// themselves do not count as neighbours. O(N^2 columns) time, O(N) memory per thread.
/// @throws ShapeError if the rows differ, ValueError unless 1 <= k < N / 2
double trustworthiness(const Points& data, const Points& map, int64_t k);
/// The same with data and map exchanged: neighbours in the data that the map tore apart.
double continuity(const Points& data, const Points& map, int64_t k);

}  // namespace cytograd::umap
