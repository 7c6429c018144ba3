#include "umap/subspace.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cytograd/core/random.h"

namespace cytograd::umap {
namespace {

double dot(const Block& x, int64_t p, const Block& y, int64_t q) {
  double sum = 0;
  for (int64_t i = 0; i < x.rows; ++i) sum += static_cast<double>(x.row(i)[p]) * y.row(i)[q];
  return sum;
}

// One rotation that makes entry (p, q) zero.
void rotate(std::vector<double>& m, std::vector<double>& vectors, int64_t n, int64_t p, int64_t q) {
  const double apq = m[p * n + q];
  if (apq == 0) return;
  const double theta = (m[q * n + q] - m[p * n + p]) / (2 * apq);
  const double t = (theta >= 0 ? 1 : -1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
  const double c = 1 / std::sqrt(t * t + 1), s = t * c;
  for (int64_t i = 0; i < n; ++i) {
    const double x = m[i * n + p], y = m[i * n + q];
    m[i * n + p] = c * x - s * y;
    m[i * n + q] = s * x + c * y;
  }
  for (int64_t i = 0; i < n; ++i) {
    const double x = m[p * n + i], y = m[q * n + i];
    m[p * n + i] = c * x - s * y;
    m[q * n + i] = s * x + c * y;
    const double v = vectors[i * n + p], w = vectors[i * n + q];
    vectors[i * n + p] = c * v - s * w;
    vectors[i * n + q] = s * v + c * w;
  }
}

}  // namespace

void orthonormalise(Block& x) {
  for (int64_t q = 0; q < x.count; ++q) {
    const double before = std::sqrt(dot(x, q, x, q));
    for (int pass = 0; pass < 2; ++pass)
      for (int64_t p = 0; p < q; ++p) {
        const auto factor = static_cast<float>(dot(x, p, x, q));
        for (int64_t i = 0; i < x.rows; ++i) x.row(i)[q] -= factor * x.row(i)[p];
      }
    const double norm = std::sqrt(dot(x, q, x, q));
    const auto scale = static_cast<float>(norm > 1e-5 * before && norm > 0 ? 1 / norm : 0);
    for (int64_t i = 0; i < x.rows; ++i) x.row(i)[q] *= scale;
  }
}

std::vector<double> symmetric_eigen(std::vector<double> m, int64_t n,
                                    std::vector<double>& vectors) {
  std::vector<double> v(static_cast<size_t>(n * n), 0.0);
  for (int64_t i = 0; i < n; ++i) v[i * n + i] = 1;
  for (int sweep = 0; sweep < 50; ++sweep) {
    double off = 0, on = 0;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) (i == j ? on : off) += m[i * n + j] * m[i * n + j];
    if (off <= 1e-26 * on) break;
    for (int64_t p = 0; p < n; ++p)
      for (int64_t q = p + 1; q < n; ++q) rotate(m, v, n, p, q);
  }
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t p, int64_t q) { return m[p * n + p] > m[q * n + q]; });
  std::vector<double> values;
  vectors.assign(v.size(), 0);
  for (int64_t k = 0; k < n; ++k) {
    values.push_back(m[order[k] * n + order[k]]);
    for (int64_t i = 0; i < n; ++i) vectors[i * n + k] = v[i * n + order[k]];
  }
  return values;
}

std::vector<double> rotate_to_eigenvectors(const Operator& a, Block& x) {
  const int64_t m = x.count;
  Block y = x;
  a(x, y);
  std::vector<double> inner(static_cast<size_t>(m * m)), vectors;
  for (int64_t p = 0; p < m; ++p)
    for (int64_t q = p; q < m; ++q)
      inner[p * m + q] = inner[q * m + p] = (dot(x, p, y, q) + dot(y, p, x, q)) / 2;
  const std::vector<double> values = symmetric_eigen(inner, m, vectors);
  std::vector<double> row(static_cast<size_t>(m));
  for (int64_t i = 0; i < x.rows; ++i) {
    for (int64_t k = 0; k < m; ++k) {
      row[k] = 0;
      for (int64_t p = 0; p < m; ++p) row[k] += x.row(i)[p] * vectors[p * m + k];
    }
    for (int64_t k = 0; k < m; ++k) x.row(i)[k] = static_cast<float>(row[k]);
  }
  return values;
}

Block random_block(int64_t rows, int64_t count, uint64_t seed) {
  Block out{rows, count, std::vector<float>(static_cast<size_t>(rows * count))};
  Rng rng(seed, "umap subspace");
  for (float& v : out.values) v = static_cast<float>(rng.normal());
  return out;
}

void fix_signs(Block& x) {
  for (int64_t k = 0; k < x.count; ++k) {
    float largest = 0;
    for (int64_t i = 0; i < x.rows; ++i)
      if (std::abs(x.row(i)[k]) > std::abs(largest)) largest = x.row(i)[k];
    if (largest < 0)
      for (int64_t i = 0; i < x.rows; ++i) x.row(i)[k] = -x.row(i)[k];
  }
}

}  // namespace cytograd::umap
