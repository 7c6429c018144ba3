#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cytograd/core/parallel.h"
#include "cytograd/rna/expression.h"

/// @file
/// The steps on a block of cells `first`, `first` + 1, ... of a matrix; the whole matrix is the
/// block from 0 on. Results do not depend on how a matrix is cut into blocks.

namespace cytograd::rna {

/// Parts fit together and values are finite and not negative. @throws ValueError, DataError
void check_expression(const char* op, const CsrMatrix& x);

/// The same without a look at the values. @throws ValueError
void check_structure(const char* op, const CsrMatrix& x);

/// Cells per chunk: depends on their number alone, and gives at most 32 chunks.
inline int64_t chunk_of(int64_t cells) { return std::max<int64_t>(1, (cells + 31) / 32); }

/// Sums over cells per gene, by chunks of all cells that are added in order.
class GeneSums {
 public:
  GeneSums(int64_t cells, int64_t genes)
      : grain_(chunk_of(cells)),
        genes_(static_cast<size_t>(genes)),
        partial_(static_cast<size_t>((cells + grain_ - 1) / grain_)) {}

  /// Adds f(value, gene) of every stored value. Blocks come in order.
  template <class F>
  void add(int64_t first, const CsrMatrix& x, const F& f) {
    if (x.rows == 0) return;
    const int64_t begin_chunk = first / grain_, end_chunk = (first + x.rows - 1) / grain_ + 1;
    parallel_for(end_chunk - begin_chunk, 1, [&](int64_t begin, int64_t end) {
      for (int64_t c = begin_chunk + begin; c < begin_chunk + end; ++c) {
        std::vector<double>& sums = partial_[static_cast<size_t>(c)];
        sums.resize(genes_, 0.0);
        const int64_t from = std::max<int64_t>(0, c * grain_ - first),
                      to = std::min(x.rows, (c + 1) * grain_ - first);
        const auto last = static_cast<size_t>(x.indptr[static_cast<size_t>(to)]);
        for (auto e = static_cast<size_t>(x.indptr[static_cast<size_t>(from)]); e < last; ++e) {
          const auto gene = static_cast<size_t>(x.indices[e]);
          sums[gene] += f(static_cast<double>(x.values[e]), gene);
        }
      }
    });
  }

  std::vector<double> total() const {
    std::vector<double> out(genes_, 0.0);
    for (const std::vector<double>& sums : partial_)
      for (size_t g = 0; g < sums.size(); ++g) out[g] += sums[g];
    return out;
  }

 private:
  int64_t grain_;
  size_t genes_;
  std::vector<std::vector<double>> partial_;
};

/// Mean and variance of genes in two passes over the cells.
class MomentSums {
 public:
  /// @param undo_log  of expm1(x) in place of x
  MomentSums(int64_t cells, int64_t genes, bool undo_log);
  /// The first pass.
  void add(int64_t first, const CsrMatrix& x);
  /// The second one.
  void add_distances(int64_t first, const CsrMatrix& x);
  /// After both.
  GeneMoments moments() const;
  /// Cells per gene whose value is stored; after the first pass.
  std::vector<double> stored() const { return stored_.total(); }

 private:
  double value(double v) const;
  int64_t cells_;
  bool undo_log_;
  GeneSums sums_, stored_, squares_;
  std::vector<double> mean_;
};

/// Sums of the cells of a block into `sums`, genes that are left out left out.
void add_cell_sums(int64_t first, const CsrMatrix& x, const std::vector<uint8_t>& left_out,
                   std::vector<double>& sums);
/// Marks genes with more than a share of any cell.
void mark_dominant(int64_t first, const CsrMatrix& x, const std::vector<double>& sums, double share,
                   std::vector<uint8_t>& dominant);
/// Target and counts of what is left out, by the sums of all cells. @throws ValueError
Normalised normalisation(const std::vector<double>& sums, const std::vector<uint8_t>& left_out,
                         const NormaliseOptions& options);
/// @throws ValueError for n_top, bins < 1
void check_options(const HvgOptions& options);
/// @throws ValueError for a target or a share that is none
void check_options(const NormaliseOptions& options);
/// Multiplies each cell by target / its sum.
void normalise_cells(int64_t first, CsrMatrix& x, const std::vector<double>& sums, double target);
void take_logarithms(CsrMatrix& x);

}  // namespace cytograd::rna
