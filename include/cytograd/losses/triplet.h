#pragma once

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "cytograd/losses/guide.h"
#include "cytograd/ops/matmul.h"
#include "cytograd/ops/mine_triplets.h"
#include "cytograd/ops/pairwise_distance.h"

/// @file
/// Triplet losses on Euclidean distances, unsquared, of embeddings as they are
/// (docs/losses/guided.md). A distance of 0 has gradient 0. A NaN embedding gives a NaN loss.

namespace cytograd::losses {

using cytograd::Mining;
using cytograd::mining_of;

/// A loss and how many triplets (batch_hard: anchors; centres: classes or samples) it is a mean of.
/// With none the value is 0 and has gradient 0.
struct TripletLoss {
  Tensor value;
  Tensor triplets;  ///< [1] int64, on the device of the value
  /// Waits for the device.
  int64_t count() const { return static_cast<int64_t>(triplets.item()); }
};

struct TripletOptions {
  Mining mining = Mining::batch_hard;
  double margin = 0.2;
};

namespace detail {

inline TripletLoss mined_loss(const Tensor& distances, const Tensor& row_labels,
                              const Tensor& column_labels, const MiningOptions& options) {
  const MinedTriplets mined = mine_triplets(distances, row_labels, column_labels, options);
  const Tensor count = slice(mined.counts, 0, 0, 1),
               active = slice(mined.counts, 0, 1, 2).to(distances.dtype());
  const Tensor divisor = maximum(count.to(distances.dtype()),
                                 Tensor::ones({1}, distances.dtype(), distances.device()));
  const Tensor hinges = reshape(sum(mined.coefficients * distances), {1}) + active * options.margin;
  return {reshape(hinges / divisor, {}), count};
}

}  // namespace detail

/// Mean of max(0, d_ap - d_aq + margin) over the triplets that `options.mining` takes.
/// @param embeddings [B, n]   @param labels [B] int64
/// @throws ShapeError; ValueError if the margin is negative
inline TripletLoss triplet_loss(const Tensor& embeddings, const Tensor& labels,
                                const TripletOptions& options = {}) {
  detail::check_embeddings("triplet_loss", embeddings, labels);
  return detail::mined_loss(pairwise_distance(embeddings, embeddings), labels, labels,
                            {options.mining, options.margin, true});
}

/// Who is the anchor of a class-centre triplet.
enum class CenterAnchor {
  center,  ///< each class centre, with its farthest own sample and the nearest sample of another
           ///< class; mean over classes for which there is one
  sample,  ///< each sample, with its own centre and the nearest other centre; mean over samples
};

struct CenterTripletOptions {
  CenterAnchor anchor = CenterAnchor::center;
  double margin = 0.2;
};

/// Triplets with the mean embedding of a class in them (Lei et al. 2020).
/// @param centers [C, n] constants, such as the class means of the epoch before, NaN for classes
/// without one; undefined: the means of this batch, through which gradients flow
inline TripletLoss center_triplet_loss(const Tensor& embeddings, const Tensor& labels,
                                       const CenterTripletOptions& options = {},
                                       const Tensor& centers = {}) {
  constexpr const char* op = "center_triplet_loss";
  detail::check_embeddings(op, embeddings, labels);
  check<ShapeError>(
      !centers.defined() || (centers.ndim() == 2 && centers.size(1) == embeddings.size(1)), op,
      "expects centers [C, n], got ", centers.defined() ? centers.shape() : Shape{},
      " for embeddings ", embeddings.shape());
  const std::vector<int64_t> y = labels.to_vector<int64_t>();
  std::set<int64_t> present(y.begin(), y.end());
  if (centers.defined()) {
    const std::vector<double> lengths = norm(centers.detach(), 1).to_vector<double>();
    for (size_t c = 0; c < lengths.size(); ++c)
      if (std::isfinite(lengths[c])) present.insert(static_cast<int64_t>(c));
  }
  const std::vector<int64_t> classes(present.begin(), present.end());
  const Tensor class_labels = Tensor::from(classes).to(embeddings.device());
  Tensor mu;
  if (centers.defined()) {
    mu = index_select(centers.detach(), 0, class_labels);
  } else {
    // mu = share p, share_ci = 1 / n_c for samples of class c.
    std::vector<double> share(classes.size() * y.size());
    for (size_t c = 0; c < classes.size(); ++c) {
      const auto n = static_cast<double>(std::count(y.begin(), y.end(), classes[c]));
      for (size_t i = 0; i < y.size(); ++i)
        if (y[i] == classes[c]) share[c * y.size() + i] = 1 / n;
    }
    const Shape shape{static_cast<int64_t>(classes.size()), static_cast<int64_t>(y.size())};
    mu = matmul(Tensor::from(share, shape).to(embeddings.dtype()).to(embeddings.device()),
                embeddings);
  }
  const MiningOptions mining{Mining::batch_hard, options.margin, false};
  if (options.anchor == CenterAnchor::center)
    return detail::mined_loss(pairwise_distance(mu, embeddings), class_labels, labels, mining);
  return detail::mined_loss(pairwise_distance(embeddings, mu), labels, class_labels, mining);
}

}  // namespace cytograd::losses
