#include "cytograd/train/drift.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/ops/matmul.h"
#include "cytograd/ops/shape.h"

namespace cytograd {
namespace {

constexpr int draws = 8;

std::vector<double> column_means(const std::vector<double>& rows, int64_t width) {
  const auto w = static_cast<size_t>(width);
  const size_t n = rows.size() / w;
  std::vector<double> out(w);
  for (size_t i = 0; i < n; ++i)
    for (size_t k = 0; k < w; ++k) out[k] += rows[i * w + k];
  for (double& v : out) v /= static_cast<double>(n);
  return out;
}

std::vector<double> centred(std::vector<double> rows, const std::vector<double>& means) {
  for (size_t i = 0; i < rows.size(); ++i) rows[i] -= means[i % means.size()];
  return rows;
}

// |A B^T|_F^2 for rows of A and B.
double gram_squares(const Tensor& a, const Tensor& b) {
  const std::vector<double> g = matmul(a, transpose(b, 0, 1)).to_vector<double>();
  return std::accumulate(g.begin(), g.end(), 0.0, [](double s, double v) { return s + v * v; });
}

// Features divided by their spread over all training cells, so that no unit decides.
class Scaled {
 public:
  explicit Scaled(const DriftReference& r) : r_(r), scale_(static_cast<size_t>(r.width)) {
    const std::vector<double> all = rows([&](size_t i) { return r_.held[i] == 0; }, false);
    if (all.empty()) return;
    const std::vector<double> means = column_means(all, r_.width);
    const std::vector<double> rest = centred(all, means);
    const double n = static_cast<double>(all.size()) / static_cast<double>(r_.width);
    double total = 0;
    for (size_t i = 0; i < rest.size(); ++i) scale_[i % scale_.size()] += rest[i] * rest[i] / n;
    for (const double v : scale_) total += v / static_cast<double>(scale_.size());
    // A feature that hardly moves in training is not blown up to noise.
    for (double& v : scale_) v = 1 / std::sqrt(v + 1e-3 * total + 1e-30);
  }

  template <class Keep>
  std::vector<double> rows(Keep keep, bool scaled = true) const {
    std::vector<double> out;
    for (size_t i = 0; i < r_.domain.size(); ++i)
      if (keep(i)) append(out, r_.features.data() + i * scale_.size(), scaled);
    return out;
  }
  void append(std::vector<double>& out, const float* row, bool scaled = true) const {
    for (size_t k = 0; k < scale_.size(); ++k)
      out.push_back(static_cast<double>(row[k]) * (scaled ? scale_[k] : 1.0));
  }

 private:
  const DriftReference& r_;
  std::vector<double> scale_;
};

// Mean distance of `n` cells that were held back to the training cells of their own domain.
std::optional<double> expected_distance(const std::vector<double>& train,
                                        const std::vector<double>& held, int64_t width, int64_t n,
                                        uint64_t domain) {
  const auto w = static_cast<size_t>(width);
  const auto available = static_cast<int64_t>(held.size() / w);
  if (available < 2) return {};
  const int times = n < available ? draws : 1;
  const auto take = static_cast<size_t>(std::clamp<int64_t>(n, 2, available));
  double sum = 0;
  for (int t = 0; t < times; ++t) {
    std::vector<int64_t> order(static_cast<size_t>(available));
    std::iota(order.begin(), order.end(), int64_t{0});
    Rng(0, "drift", domain, static_cast<uint64_t>(t)).shuffle(order);
    std::vector<double> some;
    for (size_t i = 0; i < take; ++i) {
      const auto row = held.begin() + order[i] * width;
      some.insert(some.end(), row, row + width);
    }
    sum += moment_distance(some, train, width).sum() / times;
  }
  return sum;
}

void compare_confidence(Drift& out, const DriftReference& r, const Predictions& p) {
  const auto summary = [&](const std::vector<double>& values, std::optional<double>& low,
                           std::optional<double>& mean) {
    if (values.empty()) return;
    const auto n = static_cast<double>(values.size());
    low = static_cast<double>(
              std::count_if(values.begin(), values.end(), [&](double v) { return v < out.low; })) /
          n;
    mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  };
  std::vector<double> here, held;
  for (size_t i = 0; i < p.indices.size(); ++i) here.push_back(p.confidence(i));
  for (size_t i = 0; i < r.held.size(); ++i)
    if (r.held[i]) held.push_back(r.confidence[i]);
  summary(here, out.low_share, out.mean_confidence);
  summary(held, out.low_share_held, out.mean_confidence_held);
}

void compare_mix(Drift& out, const DriftReference& r, const Predictions& p) {
  out.predicted.assign(r.classes.size(), 0);
  for (const int64_t c : p.predicted) ++out.predicted[static_cast<size_t>(c)];
  double total = 0;
  for (const auto& row : r.counts) {
    out.training_share.push_back(
        static_cast<double>(std::accumulate(row.begin(), row.end(), int64_t{0})));
    total += out.training_share.back();
  }
  if (total > 0)
    for (double& v : out.training_share) v /= total;
  if (out.n == 0) return;
  double distance = 0;
  for (size_t c = 0; c < out.predicted.size(); ++c)
    distance += std::abs(static_cast<double>(out.predicted[c]) / static_cast<double>(out.n) -
                         out.training_share[c]) /
                2;
  out.mix_distance = distance;
}

}  // namespace

std::optional<double> DomainDrift::ratio() const {
  if (!expected || !(*expected > 0) || std::isnan(distance.sum())) return {};
  return distance.sum() / *expected;
}

MomentDistance moment_distance(const std::vector<double>& a, const std::vector<double>& b,
                               int64_t width) {
  check<ShapeError>(width > 0 && a.size() % static_cast<size_t>(width) == 0 &&
                        b.size() % static_cast<size_t>(width) == 0,
                    "moment_distance", "expected rows of ", width, " features, got ", a.size(),
                    " and ", b.size(), " numbers");
  MomentDistance out;
  const auto w = static_cast<double>(width);
  const int64_t n = static_cast<int64_t>(a.size()) / width,
                m = static_cast<int64_t>(b.size()) / width;
  if (n == 0 || m == 0) return out;
  const std::vector<double> ma = column_means(a, width), mb = column_means(b, width);
  out.mean = 0;
  for (size_t k = 0; k < ma.size(); ++k) out.mean += (ma[k] - mb[k]) * (ma[k] - mb[k]) / w;
  if (n < 2 || m < 2) return out;
  const NoGrad no_grad;
  const Tensor za = Tensor::from(centred(a, ma), {n, width}),
               zb = Tensor::from(centred(b, mb), {m, width});
  // |S|_F^2 = |Z Z^T|_F^2 / (n - 1)^2, and the same for the mixed term.
  const auto na = static_cast<double>(n - 1), nb = static_cast<double>(m - 1);
  const double squares = gram_squares(za, za) / (na * na) + gram_squares(zb, zb) / (nb * nb) -
                         2 * gram_squares(za, zb) / (na * nb);
  out.covariance = std::max(0.0, squares) / (w * w);
  return out;
}

Drift measure_drift(const DriftReference& r, const Predictions& p, double low) {
  check<ValueError>(low >= 0 && low <= 1, "measure_drift", "low expects 0..1, got ", low);
  check<ShapeError>(
      p.indices.empty() ||
          (p.width == r.width && p.classes == static_cast<int64_t>(r.classes.size()) &&
           p.embeddings.size() == p.indices.size() * static_cast<size_t>(r.width)),
      "measure_drift", "expected ", r.width, " features and ", r.classes.size(), " classes, got ",
      p.width, " and ", p.classes);
  Drift out;
  out.n = static_cast<int64_t>(p.indices.size());
  out.low = low;
  compare_confidence(out, r, p);
  compare_mix(out, r, p);
  const Scaled scaled(r);
  std::vector<double> here;
  const size_t n = p.indices.size(), used = std::min(n, static_cast<size_t>(drift_images));
  for (size_t k = 0; k < used; ++k) {
    const size_t i = k * n / used;
    scaled.append(here, p.embeddings.data() + i * static_cast<size_t>(r.width));
  }
  for (size_t d = 0; d < r.domains.size(); ++d) {
    const auto rows = [&](uint8_t held) {
      return scaled.rows(
          [&](size_t i) { return r.domain[i] == static_cast<int64_t>(d) && r.held[i] == held; });
    };
    const std::vector<double> train = rows(0);
    if (train.empty()) continue;
    DomainDrift entry;
    entry.domain = r.domains[d];
    entry.n = static_cast<int64_t>(train.size()) / r.width;
    if (!here.empty()) {
      entry.distance = moment_distance(here, train, r.width);
      entry.expected = expected_distance(train, rows(1), r.width, static_cast<int64_t>(used), d);
    }
    out.domains.push_back(entry);
    const auto at = static_cast<int64_t>(out.domains.size()) - 1;
    // One image has no covariance: its mean decides.
    const auto far = [&](int64_t i) {
      const MomentDistance& x = out.domains[static_cast<size_t>(i)].distance;
      return std::isnan(x.covariance) ? x.mean : x.sum();
    };
    if (!here.empty() && (out.nearest < 0 || far(at) < far(out.nearest))) out.nearest = at;
  }
  return out;
}

}  // namespace cytograd
