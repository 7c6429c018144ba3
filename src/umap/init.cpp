#include "cytograd/umap/init.h"

#include <algorithm>
#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "kernels/gemm.h"
#include "umap/subspace.h"

namespace cytograd::umap {
namespace {

std::vector<float> centred(const Points& p) {
  std::vector<double> mean(static_cast<size_t>(p.columns), 0.0);
  for (int64_t i = 0; i < p.rows; ++i)
    for (int64_t c = 0; c < p.columns; ++c) mean[static_cast<size_t>(c)] += p.row(i)[c];
  std::vector<float> out(static_cast<size_t>(p.rows * p.columns));
  for (int64_t i = 0; i < p.rows; ++i)
    for (int64_t c = 0; c < p.columns; ++c)
      out[i * p.columns + c] = static_cast<float>(p.row(i)[c] - mean[static_cast<size_t>(c)] /
                                                                    static_cast<double>(p.rows));
  return out;
}

}  // namespace

std::vector<float> principal_positions(const Points& points, int64_t dims, uint64_t seed) {
  const int64_t n = points.rows, width = points.columns;
  const std::vector<float> x = centred(points);
  Block axes = random_block(width, std::min(width, dims + 8), seed);
  std::vector<float> scores(static_cast<size_t>(n * axes.count));
  const Operator covariance = [&](const Block& v, Block& out) {
    kernels::gemm<float>(false, false, n, v.count, width, x.data(), width, v.values.data(), v.count,
                         scores.data(), v.count);
    kernels::gemm<float>(true, false, width, v.count, n, x.data(), width, scores.data(), v.count,
                         out.values.data(), v.count);
  };
  orthonormalise(axes);
  for (int step = 0; step < 12; ++step) {
    Block next = axes;
    covariance(axes, next);
    axes = next;
    orthonormalise(axes);
  }
  const std::vector<double> variance = rotate_to_eigenvectors(covariance, axes);
  fix_signs(axes);
  kernels::gemm<float>(false, false, n, axes.count, width, x.data(), width, axes.values.data(),
                       axes.count, scores.data(), axes.count);
  std::vector<float> out(static_cast<size_t>(n * dims));
  Rng rng(seed, "umap axis");
  for (int64_t d = 0; d < dims; ++d) {
    const bool flat = d >= axes.count || !(variance[d] > 1e-10 * variance[0]);
    for (int64_t i = 0; i < n; ++i)
      out[i * dims + d] = flat ? static_cast<float>(rng.normal()) : scores[i * axes.count + d];
  }
  return out;
}

std::vector<float> random_positions(int64_t rows, int64_t dims, uint64_t seed) {
  std::vector<float> out(static_cast<size_t>(rows * dims));
  Rng rng(seed, "umap random");
  for (float& v : out) v = static_cast<float>(rng.uniform(-10, 10));
  return out;
}

void rescale(std::vector<float>& positions, int64_t dims, const char* what) {
  const int64_t n = static_cast<int64_t>(positions.size()) / dims;
  for (int64_t d = 0; d < dims; ++d) {
    float low = positions[static_cast<size_t>(d)], high = low;
    for (int64_t i = 0; i < n; ++i) {
      low = std::min(low, positions[i * dims + d]);
      high = std::max(high, positions[i * dims + d]);
    }
    check<ConfigError>(high > low, "umap", what, " has the same value ", low,
                       " for every row in coordinate ", d);
    const double scale = 10 / (static_cast<double>(high) - low);
    for (int64_t i = 0; i < n; ++i) {
      float& v = positions[i * dims + d];
      v = static_cast<float>(scale * (static_cast<double>(v) - low));
    }
  }
}

void add_noise(std::vector<float>& positions, double deviation, uint64_t seed) {
  Rng rng(seed, "umap noise");
  for (float& v : positions) v = static_cast<float>(v + deviation * rng.normal());
}

}  // namespace cytograd::umap
