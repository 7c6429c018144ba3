#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "cytograd/core/error.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/pairwise_distance.h"
#include "cytograd/ops/reduce.h"

/// @file
/// The balanced domain-class distribution alignment of Yang, Wang and Katabi, "On Multi-Domain
/// Long-Tailed Recognition, Imbalanced Domain Generalization and Beyond" (ECCV 2022)
/// (docs/losses/domains.md).

namespace cytograd::losses {

/// A class in a domain that has images of it.
struct DomainClass {
  int64_t domain = 0, label = 0;
  double count = 0;  ///< N, images in training; > 0
};

/// Euclidean distances of features to the centroid of each pair: [B, h], [M, h] -> [B, M]. The
/// centroids are constants.
inline Tensor centroid_distance(const Tensor& z, const Tensor& centroids) {
  return pairwise_distance(z, centroids.detach());
}

enum class BodaReduction {
  mean,  ///< over all positives of the batch
  sum,   ///< per sample the mean over the other domains, summed over samples
};

struct BodaOptions {
  double nu = 0.5;         ///< calibration, 0 (none) to 1
  double temperature = 1;  ///< > 0
  bool balanced = true;    ///< distances are divided by the count of the sample's own pair
  double count_unit = 1;   ///< counts are divided by it before use
  BodaReduction reduction = BodaReduction::mean;
};

/// Pulls a sample towards the centroids of its class in other domains, and away from those of other
/// classes. With own pair o of a sample and distances d to the centroids of the pairs M,
///   s_p = -(N_p / N_o)^nu d_p / (N_o T),   l_p = s_p - log sum over M \ o of exp(s),
/// and the loss is -mean of l over the pairs of the sample's class in other domains. Samples
/// without one (a class in one domain only) have no term and no gradient; a batch of such alone has
/// loss 0.
/// @param distances [B, M], as from `centroid_distance`   @param domains, labels  of the B samples
/// @param pairs  M, in the order of the columns
/// @throws ShapeError; ValueError for a sample whose pair is not in `pairs`, fewer than two pairs,
/// or options out of range
inline Tensor boda(const Tensor& distances, const std::vector<int64_t>& domains,
                   const std::vector<int64_t>& labels, const std::vector<DomainClass>& pairs,
                   const BodaOptions& options = {}) {
  constexpr const char* op = "boda";
  const size_t samples = labels.size(), m = pairs.size();
  check<ShapeError>(distances.ndim() == 2 && domains.size() == samples &&
                        distances.size(0) == static_cast<int64_t>(samples) &&
                        distances.size(1) == static_cast<int64_t>(m),
                    op, "expects distances [B, M] for ", samples, " labels, ", domains.size(),
                    " domains and ", m, " pairs, got ", distances.shape());
  check<ValueError>(m >= 2, op, "needs at least two domain-class pairs, got ", m);
  check<ValueError>(options.nu >= 0 && options.nu <= 1, op, "nu expects 0 to 1, got ", options.nu);
  check<ValueError>(options.temperature > 0 && options.count_unit > 0, op,
                    "temperature and count unit expect numbers > 0, got ", options.temperature,
                    " and ", options.count_unit);
  for (const DomainClass& p : pairs)
    check<ValueError>(p.count > 0, op, "class ", p.label, " of domain ", p.domain,
                      " expects a count > 0, got ", p.count);
  // Factors of the distances, what leaves the own pair out of a sum, and weights of the positives.
  std::vector<double> factor(samples * m), own(samples * m), positive(samples * m);
  double positives = 0;
  for (size_t i = 0; i < samples; ++i) {
    size_t mine = m, others = 0;
    for (size_t p = 0; p < m; ++p) {
      if (pairs[p].label != labels[i]) continue;
      if (pairs[p].domain == domains[i])
        mine = p;
      else
        ++others;
    }
    check<ValueError>(mine < m, op, "sample ", i, ": no pair has class ", labels[i], " in domain ",
                      domains[i]);
    positives += options.reduction == BodaReduction::mean ? static_cast<double>(others)
                                                          : static_cast<double>(others > 0);
    for (size_t p = 0; p < m; ++p) {
      const size_t at = i * m + p;
      const double balance = options.balanced ? pairs[mine].count / options.count_unit : 1;
      factor[at] = -std::pow(pairs[p].count / pairs[mine].count, options.nu) /
                   (balance * options.temperature);
      if (p == mine) own[at] = -std::numeric_limits<double>::infinity();
      if (pairs[p].label != labels[i] || p == mine) continue;
      positive[at] = options.reduction == BodaReduction::mean ? 1 : 1 / static_cast<double>(others);
    }
  }
  if (positives == 0) return sum(distances) * 0.0;
  const auto constant = [&](const std::vector<double>& values) {
    return Tensor::from(values, distances.shape()).to(distances.dtype()).to(distances.device());
  };
  const Tensor weight = constant(positive);
  const Tensor logits = distances * constant(factor);
  const Tensor denominator = logsumexp(logits + constant(own), 1, true);
  const double divisor = options.reduction == BodaReduction::mean ? positives : 1;
  return sum(weight * (denominator - logits)) * (1 / divisor);
}

}  // namespace cytograd::losses
