#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "cytograd/core/error.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/index.h"
#include "cytograd/ops/matmul.h"
#include "cytograd/ops/pairwise_distance.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/ops/shape.h"
#include "cytograd/ops/softmax.h"

/// @file
/// Losses that move the latents of one modality (images) onto those of another (RNA), class by
/// class (Mert et al., "Multimodal Analysis of White Blood Cell Differentiation in AML Patients
/// using a beta-VAE", equation 4); docs/losses/alignment.md.

namespace cytograd::losses {

/// Mean [D] and covariance [D, D] of a class, divisor n - 1.
struct ClassMoments {
  Tensor mean, covariance;
};

/// Moments of the samples that posteriors N(mu_i, exp(log_var_i)) give: the mean of mu, and the
/// covariance of mu plus the mean variance on its diagonal. Two passes in float64; the result has
/// the dtype and device of mu and no graph.
/// @param mu, log_var  [N, D]   @throws ShapeError; ValueError for N < 2
inline ClassMoments posterior_moments(const Tensor& mu, const Tensor& log_var) {
  constexpr const char* op = "posterior_moments";
  check<ShapeError>(mu.ndim() == 2 && mu.shape() == log_var.shape(), op,
                    "expects mu and log_var of one shape [N, D], got ", mu.shape(), " and ",
                    log_var.shape());
  check<ValueError>(mu.size(0) >= 2, op, "a covariance needs at least two cells, got ", mu.size(0));
  const int64_t n = mu.size(0), d = mu.size(1);
  const Tensor x = mu.detach().to(Dtype::float64);
  const Tensor m = mean(x, 0, true), centred = x - m;
  const Tensor covariance =
      matmul(transpose(centred, 0, 1), centred) * (1 / static_cast<double>(n - 1));
  const Tensor noise = mean(exp(log_var.detach().to(Dtype::float64)), 0);
  const Tensor diagonal = covariance.as_strided({d}, {d + 1}, covariance.offset());
  diagonal.copy_(diagonal + noise);
  return {reshape(m, {d}).to(mu.dtype()), covariance.to(mu.dtype())};
}

/// Which divergences of the softmaxed covariances count.
enum class AlignmentDivergence {
  symmetric,             ///< half the sum of the two
  features_from_target,  ///< KL(features | target)
  target_from_features,  ///< KL(target | features)
};

/// The two parts of `moment_alignment`, scalars.
struct MomentAlignment {
  Tensor mean_part;        ///< mean over D of the squared differences of the means; see unbiased
  Tensor covariance_part;  ///< divergence of the covariances, divided by D
  Tensor value() const { return mean_part + covariance_part; }
};

/// Distance of features Z [n, D] to fixed moments: with P = softmax(cov(Z) + 1e-6 I) and
/// Q = softmax(C + 1e-6 I), both over the columns, sum_ij P ln(P / Q) / D and the like.
/// Gradients: features.
/// @param unbiased  the mean part is less by trace(cov(Z)) / (n D), by which the mean of n samples
///   alone is expected to miss that of the distribution they are drawn from: few samples then do
///   not pull each other together. The value may be negative.
/// @throws ShapeError; ValueError for n < 2
inline MomentAlignment moment_alignment(
    const Tensor& features, const ClassMoments& target,
    AlignmentDivergence divergence = AlignmentDivergence::symmetric, bool unbiased = false) {
  constexpr const char* op = "moment_alignment";
  check<ShapeError>(features.ndim() == 2, op, "features expect [n, D], got ", features.shape());
  check<ValueError>(features.size(0) >= 2, op, "a covariance needs at least two samples, got ",
                    features.size(0));
  const int64_t n = features.size(0), d = features.size(1);
  check<ShapeError>(target.mean.shape() == Shape{d} && target.covariance.shape() == Shape{d, d}, op,
                    "the target expects a mean [", d, "] and a covariance [", d, ", ", d, "], got ",
                    target.mean.shape(), " and ", target.covariance.shape());
  const Tensor m = mean(features, 0, true), centred = features - m;
  const Tensor covariance =
      matmul(transpose(centred, 0, 1), centred) * (1 / static_cast<double>(n - 1));
  const Tensor ridge = Tensor::zeros({d, d}, features.dtype(), features.device());
  ridge.as_strided({d}, {d + 1}, ridge.offset()).fill_(1e-6);
  const Tensor log_p = log_softmax(covariance + ridge, 0);
  const Tensor log_q = log_softmax(target.covariance + ridge, 0);
  const Tensor difference = log_p - log_q;
  const double share = 1 / static_cast<double>(d);
  Tensor kl;
  if (divergence == AlignmentDivergence::symmetric)
    kl = sum((exp(log_p) - exp(log_q)) * difference) * (0.5 * share);
  else if (divergence == AlignmentDivergence::features_from_target)
    kl = sum(exp(log_p) * difference) * share;
  else
    kl = sum(exp(log_q) * difference) * -share;
  Tensor means = mean(square(reshape(m, {d}) - target.mean));
  if (unbiased) means = means - sum(square(centred)) * (share / static_cast<double>(n * (n - 1)));
  return {means, kl};
}

/// Kernel maximum mean discrepancy, squared (Gretton et al. 2012), of x [n, D] and y [m, D]: with D
/// the squared distances of the n + m pooled points, bw their mean over different points, taken as
/// a constant, and K = sum over i = 0..4 of exp(-D / (bw 2^(i - 2))),
///   mean K_xx - 2 mean K_xy + mean K_yy.
/// @param unbiased  leave the diagonals of K_xx and K_yy out; the value may be negative
/// @return a scalar; 0 where all points are one   @throws ShapeError; ValueError for fewer than one
/// (unbiased: two) rows on either side
inline Tensor kernel_mmd(const Tensor& x, const Tensor& y, bool unbiased = false) {
  constexpr const char* op = "kernel_mmd";
  check<ShapeError>(x.ndim() == 2 && y.ndim() == 2 && x.size(1) == y.size(1), op,
                    "expects [n, D] and [m, D], got ", x.shape(), " and ", y.shape());
  const int64_t n = x.size(0), m = y.size(0), least = unbiased ? 2 : 1;
  check<ValueError>(n >= least && m >= least, op, "expects at least ", least,
                    " rows on each side, got ", n, " and ", m);
  const Tensor pooled = concat({x, y}, 0);
  const Tensor squared = square(pairwise_distance(pooled, pooled));
  const auto points = static_cast<double>(n + m);
  const double bandwidth = sum(squared.detach()).item() / (points * points - points);
  Tensor kernel;
  for (int i = 0; i < 5; ++i) {
    const double width = std::max(bandwidth * std::ldexp(1.0, i - 2), 1e-30);
    const Tensor term = exp(squared * (-1 / width));
    kernel = kernel.defined() ? kernel + term : term;
  }
  const auto block = [&](int64_t from, int64_t rows, int64_t to, int64_t columns) {
    return sum(slice(slice(kernel, 0, from, from + rows), 1, to, to + columns));
  };
  // On the diagonal every term is 1.
  const auto within = [&](int64_t from, int64_t rows) {
    const auto r = static_cast<double>(rows);
    return unbiased ? (block(from, rows, from, rows) - 5 * r) * (1 / (r * (r - 1)))
                    : block(from, rows, from, rows) * (1 / (r * r));
  };
  return within(0, n) + within(n, m) -
         block(0, n, n, m) * (2 / (static_cast<double>(n) * static_cast<double>(m)));
}

/// One class of an alignment.
struct AlignedClass {
  std::vector<int64_t> labels;  ///< of the features: rows with any of these belong to it
  double weight = 1;            ///< delta
  ClassMoments target;
};

/// What `class_alignment` found. Classes with fewer rows than `min_per_class` give nothing.
struct ClassAlignment {
  Tensor
      value;  ///< sum over classes of weight times distance; 0 with gradient 0 if all were left out
  std::vector<double> mean_parts, covariance_parts;  ///< per class, NaN where it was left out
  int64_t skipped = 0;                               ///< classes left out
};

/// Moment alignment of a batch. @param z [B, D]   @param labels  one per row
/// @param unbiased  as of moment_alignment
/// @throws ShapeError; ValueError for min_per_class < 2
inline ClassAlignment class_alignment(
    const Tensor& z, const std::vector<int64_t>& labels, const std::vector<AlignedClass>& classes,
    int64_t min_per_class = 8, AlignmentDivergence divergence = AlignmentDivergence::symmetric,
    bool unbiased = false) {
  constexpr const char* op = "class_alignment";
  check<ShapeError>(z.ndim() == 2 && z.size(0) == static_cast<int64_t>(labels.size()), op,
                    "expects features [B, D] and B labels, got ", z.shape(), " and ",
                    labels.size());
  check<ValueError>(min_per_class >= 2, op, "min_per_class expects >= 2, got ", min_per_class);
  ClassAlignment out;
  for (const AlignedClass& c : classes) {
    std::vector<int64_t> rows;
    for (size_t i = 0; i < labels.size(); ++i)
      for (const int64_t label : c.labels)
        if (labels[i] == label) {
          rows.push_back(static_cast<int64_t>(i));
          break;
        }
    if (static_cast<int64_t>(rows.size()) < min_per_class) {
      ++out.skipped;
      out.mean_parts.push_back(std::numeric_limits<double>::quiet_NaN());
      out.covariance_parts.push_back(std::numeric_limits<double>::quiet_NaN());
      continue;
    }
    const MomentAlignment found = moment_alignment(
        index_select(z, 0, Tensor::from(rows).to(z.device())), c.target, divergence, unbiased);
    out.mean_parts.push_back(found.mean_part.item());
    out.covariance_parts.push_back(found.covariance_part.item());
    const Tensor term = found.value() * c.weight;
    out.value = out.value.defined() ? out.value + term : term;
  }
  if (!out.value.defined()) out.value = sum(z) * 0.0;
  return out;
}

}  // namespace cytograd::losses
