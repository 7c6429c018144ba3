#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace cytograd::umap {

/// A few vectors of length `rows`, stored row by row: [rows, count].
struct Block {
  int64_t rows = 0, count = 0;
  std::vector<float> values;
  float* row(int64_t i) { return values.data() + i * count; }
  const float* row(int64_t i) const { return values.data() + i * count; }
};

/// y = A x for a symmetric A.
using Operator = std::function<void(const Block& x, Block& y)>;

/// Makes the vectors orthonormal, in order; ones that depend on those before become 0.
void orthonormalise(Block& x);

/// Turns orthonormal vectors towards eigenvectors of A within their span, largest eigenvalue first.
/// @return eigenvalues
std::vector<double> rotate_to_eigenvectors(const Operator& a, Block& x);

/// Eigenvalues, falling, and eigenvectors (columns of `vectors`, [n, n]) of a symmetric matrix, by
/// Jacobi's rotations.
std::vector<double> symmetric_eigen(std::vector<double> matrix, int64_t n,
                                    std::vector<double>& vectors);

/// Standard normal values from a named stream.
Block random_block(int64_t rows, int64_t count, uint64_t seed);

/// Signs are free; the entry of largest size of each vector becomes positive.
void fix_signs(Block& x);

}  // namespace cytograd::umap
