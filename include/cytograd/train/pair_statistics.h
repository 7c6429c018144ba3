#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/core/tensor.h"
#include "cytograd/io/safetensors.h"
#include "cytograd/losses/boda.h"

namespace cytograd {

enum class PairDistance {
  euclidean,
  mahalanobis,       ///< sqrt((z - mu)^T S^-1 (z - mu)); h^2 numbers per pair
  mahalanobis_diag,  ///< the same by the diagonal of S
};

struct PairStatisticsOptions {
  PairDistance distance = PairDistance::euclidean;
  double momentum = 0.2;   ///< share of the old values in a refresh, but for the first
  double shrinkage = 0.1;  ///< S = (1 - a) covariance + a (trace / h) I
};

/// Where the classes of each domain lie: mean (and covariance) of the features of every pair of a
/// domain and a class, refreshed now and then from the whole training part. Constants: no gradient
/// flows into them. In float64.
///
/// A covariance divides by n - 1; a pair of one sample takes the pooled one of its domain, within
/// classes. A spread of 0 in all directions counts as 1e-12.
class PairStatistics {
 public:
  /// @throws ValueError for no pairs, features < 1, momentum not in [0, 1), shrinkage not in [0, 1]
  PairStatistics(std::vector<losses::DomainClass> pairs, int64_t features,
                 const PairStatisticsOptions& options = {});

  /// A refresh: `begin`, then `add` for every batch, then `finish`; until that the old values
  /// stand. @param z [n, h]
  /// @throws ShapeError; ValueError for a pair that is not known; `finish`: StateError naming a
  /// pair that no sample came of
  void begin();
  void add(const Tensor& z, const std::vector<int64_t>& domains,
           const std::vector<int64_t>& labels);
  void finish();

  /// Was there a refresh?
  bool defined() const { return mean_.defined(); }
  const std::vector<losses::DomainClass>& pairs() const { return pairs_; }
  const Tensor& mean() const { return mean_; }              ///< [M, h]
  const Tensor& covariance() const { return covariance_; }  ///< [M, h, h], [M, h] or undefined

  /// Distances of features to all pairs: [n, h] -> [n, M]; gradient 0 at distance 0.
  /// @throws StateError before the first refresh
  Tensor distances(const Tensor& z);

  /// "mean" and "covariance" below `prefix`; nothing before the first refresh.
  TensorMap state(const std::string& prefix) const;
  /// @throws ShapeError if they are of another number of pairs or features
  void load_state(const TensorMap& state, const std::string& prefix);

 private:
  struct Sums {
    double count = 0;
    Tensor mean;    // [1, h]
    Tensor spread;  // sum of squared deviations: [h, h] or [1, h]
  };
  size_t pair_of(int64_t domain, int64_t label) const;
  void join(Sums& sums, const Tensor& rows) const;
  Tensor new_covariance() const;
  void make_ready(const Tensor& like);

  std::vector<losses::DomainClass> pairs_;
  int64_t features_;
  PairStatisticsOptions options_;
  std::vector<Sums> sums_;
  Tensor mean_, covariance_;
  // As `distances` uses them, on the device and in the dtype of features: means, and factors W with
  // W^T W = S^-1.
  Tensor ready_mean_;
  Tensors whiten_;
};

}  // namespace cytograd
