#include "cytograd/train/pair_statistics.h"

#include <cmath>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/error.h"
#include "cytograd/ops/cholesky.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/index.h"
#include "cytograd/ops/matmul.h"
#include "cytograd/ops/pairwise_distance.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/ops/shape.h"

namespace cytograd {
namespace {

constexpr const char* op = "pair statistics";

Tensor identity(int64_t n) {
  Tensor out = Tensor::zeros({n, n}, Dtype::float64);
  for (int64_t i = 0; i < n; ++i) out.data<double>()[i * n + i] = 1;
  return out;
}

Tensor row(const Tensor& x, size_t i) {
  return slice(x, 0, static_cast<int64_t>(i), static_cast<int64_t>(i) + 1);
}

}  // namespace

PairStatistics::PairStatistics(std::vector<losses::DomainClass> pairs, int64_t features,
                               const PairStatisticsOptions& options)
    : pairs_(std::move(pairs)), features_(features), options_(options) {
  check<ValueError>(!pairs_.empty() && features >= 1, op, "expects pairs and features, got ",
                    pairs_.size(), " and ", features);
  check<ValueError>(options.momentum >= 0 && options.momentum < 1 && options.shrinkage >= 0 &&
                        options.shrinkage <= 1,
                    op, "expects 0 <= momentum < 1 and 0 <= shrinkage <= 1, got ", options.momentum,
                    " and ", options.shrinkage);
}

size_t PairStatistics::pair_of(int64_t domain, int64_t label) const {
  for (size_t p = 0; p < pairs_.size(); ++p)
    if (pairs_[p].domain == domain && pairs_[p].label == label) return p;
  check<ValueError>(false, op, "no pair has class ", label, " in domain ", domain);
  return 0;
}

void PairStatistics::begin() { sums_.assign(pairs_.size(), {}); }

void PairStatistics::add(const Tensor& z, const std::vector<int64_t>& domains,
                         const std::vector<int64_t>& labels) {
  const auto n = static_cast<int64_t>(labels.size());
  check<ShapeError>(z.shape() == Shape{n, features_} && domains.size() == labels.size(), op,
                    "expects features [", n, ", ", features_, "], got ", z.shape());
  const NoGrad no_grad;
  const Tensor rows = z.to(Device::cpu()).to(Dtype::float64);
  std::vector<std::vector<int64_t>> members(pairs_.size());
  for (int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<size_t>(i);
    members[pair_of(domains[at], labels[at])].push_back(i);
  }
  for (size_t p = 0; p < members.size(); ++p)
    if (!members[p].empty()) join(sums_[p], index_select(rows, 0, Tensor::from(members[p])));
}

// Chan, Golub and LeVeque 1983: moments of two sets together from those of each.
void PairStatistics::join(Sums& sums, const Tensor& rows) const {
  const auto n = static_cast<double>(rows.size(0));
  const Tensor mean_of_rows = cytograd::mean(rows, 0, true), centred = rows - mean_of_rows;
  Tensor spread;
  if (options_.distance == PairDistance::mahalanobis)
    spread = matmul(transpose(centred, 0, 1), centred);
  else if (options_.distance == PairDistance::mahalanobis_diag)
    spread = sum(square(centred), 0, true);
  if (sums.count == 0) {
    sums = {n, mean_of_rows, spread};
    return;
  }
  const double all = sums.count + n;
  const Tensor apart = mean_of_rows - sums.mean;
  if (spread.defined()) {
    const Tensor between = options_.distance == PairDistance::mahalanobis
                               ? matmul(transpose(apart, 0, 1), apart)
                               : square(apart);
    sums.spread = sums.spread + spread + between * (sums.count * n / all);
  }
  sums.mean = sums.mean + apart * (n / all);
  sums.count = all;
}

Tensor PairStatistics::new_covariance() const {
  Tensors out;
  for (size_t p = 0; p < pairs_.size(); ++p) {
    Tensor spread = sums_[p].spread;
    double freedom = sums_[p].count - 1;
    if (freedom < 1) {  // one sample: what its domain has within classes
      freedom = 0;
      for (size_t q = 0; q < pairs_.size(); ++q) {
        if (pairs_[q].domain != pairs_[p].domain || q == p) continue;
        spread = spread + sums_[q].spread;
        freedom += sums_[q].count - 1;
      }
    }
    out.push_back(spread * (1 / std::max(freedom, 1.0)));
  }
  if (options_.distance == PairDistance::mahalanobis_diag) return concat(out, 0);
  return stack(out, 0);
}

void PairStatistics::finish() {
  const NoGrad no_grad;
  Tensors means;
  for (size_t p = 0; p < pairs_.size(); ++p) {
    check<StateError>(sums_.size() == pairs_.size() && sums_[p].count > 0, op,
                      "no sample of class ", pairs_[p].label, " in domain ", pairs_[p].domain);
    means.push_back(sums_[p].mean);
  }
  const auto joined = [this](const Tensor& now, const Tensor& before) {
    if (!before.defined()) return now;
    return now * (1 - options_.momentum) + before * options_.momentum;
  };
  if (options_.distance != PairDistance::euclidean)
    covariance_ = joined(new_covariance(), covariance_);
  mean_ = joined(concat(means, 0), mean_);
  sums_.clear();
  ready_mean_ = {};
}

void PairStatistics::make_ready(const Tensor& like) {
  if (ready_mean_.defined() && ready_mean_.dtype() == like.dtype() &&
      ready_mean_.device() == like.device())
    return;
  const NoGrad no_grad;
  const auto there = [&like](const Tensor& x) { return x.to(like.dtype()).to(like.device()); };
  ready_mean_ = there(mean_);
  whiten_.clear();
  const double a = options_.shrinkage;
  for (size_t p = 0; p < pairs_.size() && covariance_.defined(); ++p) {
    if (options_.distance == PairDistance::mahalanobis_diag) {
      const Tensor variance = row(covariance_, p);
      const double level = std::max(cytograd::mean(variance).item(), 1e-12);
      const Tensor shrunk = clamp(variance * (1 - a) + a * level, 1e-12, 1e300);
      whiten_.push_back(there(pow(shrunk, -0.5)));
      continue;
    }
    const Tensor s = reshape(row(covariance_, p), {features_, features_}),
                 eye = identity(features_);
    const double level = std::max(sum(s * eye).item() / static_cast<double>(features_), 1e-12);
    const Tensor factor = cholesky(s * (1 - a) + eye * (a * level));
    whiten_.push_back(there(triangular_solve(factor, eye)));
  }
}

Tensor PairStatistics::distances(const Tensor& z) {
  check<StateError>(defined(), op, "there are none yet: a refresh comes first");
  make_ready(z);
  if (options_.distance == PairDistance::euclidean)
    return losses::centroid_distance(z, ready_mean_);
  Tensors columns;
  for (size_t p = 0; p < pairs_.size(); ++p) {
    const Tensor center = row(ready_mean_, p), w = whiten_[p];
    if (options_.distance == PairDistance::mahalanobis_diag) {
      columns.push_back(pairwise_distance(z * w, center * w));
    } else {
      const Tensor turned = transpose(w, 0, 1);
      columns.push_back(pairwise_distance(matmul(z, turned), matmul(center, turned)));
    }
  }
  return concat(columns, 1);
}

TensorMap PairStatistics::state(const std::string& prefix) const {
  TensorMap out;
  if (mean_.defined()) out[prefix + "mean"] = mean_;
  if (covariance_.defined()) out[prefix + "covariance"] = covariance_;
  return out;
}

void PairStatistics::load_state(const TensorMap& state, const std::string& prefix) {
  const auto m = static_cast<int64_t>(pairs_.size());
  const auto take = [&](const char* name, const Shape& shape) -> Tensor {
    const auto found = state.find(prefix + name);
    if (found == state.end()) return {};
    check<ShapeError>(found->second.shape() == shape, op, name, " expects ", shape, ", got ",
                      found->second.shape());
    return found->second.to(Device::cpu()).to(Dtype::float64);
  };
  mean_ = take("mean", {m, features_});
  if (options_.distance == PairDistance::mahalanobis)
    covariance_ = take("covariance", {m, features_, features_});
  if (options_.distance == PairDistance::mahalanobis_diag)
    covariance_ = take("covariance", {m, features_});
  ready_mean_ = {};
}

}  // namespace cytograd
