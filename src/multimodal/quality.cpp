#include "multimodal/quality.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"

namespace cytograd::multimodal {

void SpreadSum::add(const Tensor& x, const Tensor& weight, int64_t repeat) {
  const int64_t rows = x.size(0), columns = rows > 0 ? x.numel() / rows : 0;
  if (rows == 0) return;
  const Tensor data = x.detach().to(Device::cpu()).contiguous();
  const Tensor w = weight.defined() ? weight.detach().to(Device::cpu()).contiguous() : weight;
  check<ShapeError>(!w.defined() || w.numel() * repeat == x.numel(), "spread", "expects weights [",
                    rows, ", ", columns / repeat, "], got ",
                    weight.defined() ? w.shape() : Shape{});
  if (mean_.empty())
    for (auto* v : {&mean_, &weight_, &squares_}) v->assign(static_cast<size_t>(columns), 0.0);
  check<ShapeError>(mean_.size() == static_cast<size_t>(columns), "spread", "expects ",
                    mean_.size(), " columns, got ", columns);
  const float* values = data.data<float>();
  const float* weights = w.defined() ? w.data<float>() : nullptr;
  parallel_for(columns, 4096, [&](int64_t begin, int64_t end) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = begin; c < end; ++c) {
        const auto k = static_cast<size_t>(c);
        const double m = weights ? static_cast<double>(weights[(r * columns + c) / repeat]) : 1;
        if (m == 0) continue;
        weight_[k] += m;
        const double v = static_cast<double>(values[r * columns + c]), before = v - mean_[k];
        mean_[k] += before * m / weight_[k];
        squares_[k] += m * before * (v - mean_[k]);
      }
  });
}

double SpreadSum::total() const {
  double out = 0;
  for (const double s : squares_) out += s;
  return out;
}

void LatentStats::add(const models::Posterior& posterior) {
  const Tensor mu = posterior.mu.detach().to(Device::cpu()).contiguous();
  const Tensor log_var = posterior.log_var.detach().to(Device::cpu()).contiguous();
  const int64_t n = mu.size(0), d = mu.size(1);
  if (mean_.empty())
    for (auto* v : {&mean_, &squares_}) v->assign(static_cast<size_t>(d), 0.0);
  const float* m = mu.data<float>();
  const float* l = log_var.data<float>();
  for (int64_t i = 0; i < n; ++i) {
    ++cells_;
    double length = 0;
    for (int64_t k = 0; k < d; ++k) {
      const auto value = static_cast<double>(m[i * d + k]), s = static_cast<double>(l[i * d + k]);
      const auto at = static_cast<size_t>(k);
      const double before = value - mean_[at];
      mean_[at] += before / static_cast<double>(cells_);
      squares_[at] += before * (value - mean_[at]);
      length += value * value;
      deviation_ += std::exp(s / 2) / static_cast<double>(d);
      kl_ += 0.5 * (value * value + std::expm1(s) - s);
    }
    length_ += std::sqrt(length);
  }
}

int64_t LatentStats::active_units() const {
  if (cells_ < 2) return 0;
  return std::count_if(squares_.begin(), squares_.end(),
                       [&](double s) { return s / static_cast<double>(cells_ - 1) > 0.01; });
}
double LatentStats::mean_length() const { return length_ / static_cast<double>(cells_); }
double LatentStats::mean_deviation() const { return deviation_ / static_cast<double>(cells_); }
double LatentStats::kl() const { return kl_ / static_cast<double>(cells_); }

double r2_of(double error, double spread) {
  return spread > 0 ? 1 - error / spread : std::numeric_limits<double>::quiet_NaN();
}

bool is_collapsed(int64_t active_units, double r2_mu, double r2_z) {
  return active_units < 10 || r2_mu < r2_z - 0.1 * std::abs(r2_z);
}

}  // namespace cytograd::multimodal
