#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/core/tensor.h"
#include "cytograd/models/beta_vae.h"
#include "cytograd/multimodal/run.h"

/// @file
/// Measures of a VAE in use: does its latent carry anything, does its decoder work from the mean.

namespace cytograd::multimodal {

using Values = std::vector<std::pair<std::string, double>>;

/// Sum of squares about the mean of each column: the baseline of R^2. Columns may be weighted, the
/// weights shared by `repeat` neighbouring ones (a mask over channels). One pass (Welford).
class SpreadSum {
 public:
  /// @param x  [rows, ...] float32   @param weight  [rows, columns / repeat] flat, or undefined
  void add(const Tensor& x, const Tensor& weight = {}, int64_t repeat = 1);
  double total() const;

 private:
  std::vector<double> mean_, weight_, squares_;
};

/// Latents of cells, gathered in batches.
class LatentStats {
 public:
  void add(const models::Posterior& posterior);
  /// Dimensions whose mu varies (divisor n - 1) by more than 0.01.
  int64_t active_units() const;
  double mean_length() const;     ///< of mu
  double mean_deviation() const;  ///< of the posteriors
  double kl() const;              ///< mean over cells
  int64_t cells() const { return cells_; }

 private:
  int64_t cells_ = 0;
  double length_ = 0, deviation_ = 0, kl_ = 0;
  std::vector<double> mean_, squares_;
};

/// 1 - error / spread; NaN where there is no spread.
double r2_of(double error, double spread);

/// Whether the latent is no use: fewer than 10 active units, or means that the decoder does not
/// know: r2_mu a tenth of r2_z below it. NaN counts as not measured.
bool is_collapsed(int64_t active_units, double r2_mu, double r2_z);

/// Posterior of cells in evaluation mode, in batches, on the host.
template <class Encode>
models::Posterior encode_all(int64_t cells, int64_t batch, Encode encode) {
  models::Posterior out{Tensor::empty({cells, 50}), Tensor::empty({cells, 50})};
  for (int64_t begin = 0; begin < cells; begin += batch) {
    const int64_t n = std::min(batch, cells - begin);
    std::vector<int64_t> rows;
    for (int64_t i = 0; i < n; ++i) rows.push_back(begin + i);
    const models::Posterior part = encode(rows);
    out.mu.as_strided({n, 50}, {50, 1}, begin * 50).copy_(part.mu);
    out.log_var.as_strided({n, 50}, {50, 1}, begin * 50).copy_(part.log_var);
  }
  return out;
}

}  // namespace cytograd::multimodal
