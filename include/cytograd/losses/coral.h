#pragma once

#include "cytograd/core/error.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/matmul.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/ops/shape.h"

/// @file
/// Alignment of the first two moments of features (docs/losses/domains.md).

namespace cytograd::losses {

enum class CoralForm {
  mean_cov,    ///< (1/h) |m - m'|^2 + (1/h^2) |S - S'|_F^2, as in DomainBed
  covariance,  ///< |S - S'|_F^2 / (4 h^2), as in Deep CORAL (Sun and Saenko 2016)
};

namespace detail {

struct Moments {
  Tensor mean, covariance;  ///< [1, h], [h, h]
};

// Of centred features, never as E[z z^T] - m m^T.
inline Moments moments_of(const Tensor& z) {
  check<ShapeError>(z.ndim() == 2, "coral", "expects features [B, h], got ", z.shape());
  check<ValueError>(z.size(0) >= 2, "coral",
                    "a covariance needs at least two samples per domain, got ", z.size(0));
  const Tensor m = mean(z, 0, true), centred = z - m;
  return {m, matmul(transpose(centred, 0, 1), centred) * (1 / static_cast<double>(z.size(0) - 1))};
}

inline Tensor moment_distance(const Moments& a, const Moments& b, CoralForm form) {
  const auto h = static_cast<double>(a.mean.size(1));
  const Tensor second = sum(square(a.covariance - b.covariance));
  if (form == CoralForm::covariance) return second * (1 / (4 * h * h));
  return sum(square(a.mean - b.mean)) * (1 / h) + second * (1 / (h * h));
}

}  // namespace detail

/// Distance of the features of two domains, [B, h] and [B', h]; S divides by B - 1.
/// @throws ShapeError; ValueError for a domain of fewer than two samples
inline Tensor coral_distance(const Tensor& a, const Tensor& b,
                             CoralForm form = CoralForm::mean_cov) {
  const auto first = detail::moments_of(a), second = detail::moments_of(b);
  check<ShapeError>(a.size(1) == b.size(1), "coral", "expects features of one length, got ",
                    a.shape(), " and ", b.shape());
  return detail::moment_distance(first, second, form);
}

/// Mean of `coral_distance` over all pairs of domains; of one domain 0 with gradient 0.
/// @param features  one [B_d, h] per domain
inline Tensor coral(const Tensors& features, CoralForm form = CoralForm::mean_cov) {
  check<ValueError>(!features.empty(), "coral", "expects the features of at least one domain");
  if (features.size() == 1) return sum(features[0]) * 0.0;
  std::vector<detail::Moments> moments;
  for (const Tensor& z : features) {
    moments.push_back(detail::moments_of(z));
    check<ShapeError>(z.size(1) == features[0].size(1), "coral",
                      "expects features of one length, got ", features[0].shape(), " and ",
                      z.shape());
  }
  Tensor total;
  int64_t pairs = 0;
  for (size_t a = 0; a < moments.size(); ++a)
    for (size_t b = a + 1; b < moments.size(); ++b, ++pairs) {
      const Tensor distance = detail::moment_distance(moments[a], moments[b], form);
      total = total.defined() ? total + distance : distance;
    }
  return total * (1 / static_cast<double>(pairs));
}

}  // namespace cytograd::losses
