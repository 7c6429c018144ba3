#pragma once

#include <cstdint>
#include <vector>

#include "cytograd/umap/graph.h"

/// @file
/// Where points stand before the layout. All are [rows, dims], row-major, and depend on the seed
/// alone where they are random.

namespace cytograd::umap {

/// The eigenvectors of the normalised graph with the largest eigenvalues below the trivial one, by
/// subspace iteration under a Chebyshev filter. Components that are not connected are laid out one
/// by one around the principal components of their centres in `points`.
std::vector<float> spectral_positions(const Graph& graph, const Points& points, int64_t dims,
                                      uint64_t seed);

/// Scores of the first principal components, by subspace iteration; components of no variance are
/// drawn from the standard normal distribution.
std::vector<float> principal_positions(const Points& points, int64_t dims, uint64_t seed);

/// Uniform in [-10, 10].
std::vector<float> random_positions(int64_t rows, int64_t dims, uint64_t seed);

/// Moves and scales every coordinate to [0, 10]. @throws ConfigError for a coordinate that is the
/// same everywhere, naming `what`
void rescale(std::vector<float>& positions, int64_t dims, const char* what);

/// Adds normal noise of this standard deviation.
void add_noise(std::vector<float>& positions, double deviation, uint64_t seed);

}  // namespace cytograd::umap
