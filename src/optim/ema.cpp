#include "cytograd/optim/ema.h"

#include <algorithm>
#include <cstddef>
#include <map>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/error.h"
#include "kernels/optimizer.h"

namespace cytograd::optim {
namespace {

constexpr const char* kStep = "ema.step";

std::byte* first_byte(const Tensor& x) {
  return static_cast<std::byte*>(x.storage()->data()) +
         static_cast<size_t>(x.offset()) * size_of(x.dtype());
}

}  // namespace

Ema::Ema(NamedTensors state, double decay) : live_(std::move(state)), decay_(decay) {
  check<ValueError>(decay >= 0 && decay < 1, "ema", "decay expects 0 <= decay < 1, got ", decay);
  const NoGrad no_grad;
  for (const auto& [name, tensor] : live_) averages_.emplace_back(name, tensor.detach().clone());
}

void Ema::update() {
  const NoGrad no_grad;
  ++step_;
  const auto t = static_cast<double>(step_);
  const double decay = std::min(decay_, (1 + t) / (10 + t));
  Tensors averages, weights;
  for (size_t i = 0; i < live_.size(); ++i) {
    const Tensor& average = averages_[i].second;
    const Tensor& live = live_[i].second;
    if (!is_floating(live.dtype())) {
      average.copy_(live);
      continue;
    }
    averages.push_back(average);
    weights.push_back(live.contiguous());
    average.storage()->bump_version();
  }
  if (averages.empty()) return;
  on_device(averages[0], [&](auto ctx) { kernels::ema_step(ctx, averages, weights, decay); });
}

void Ema::swap() const {
  const NoGrad no_grad;
  for (size_t i = 0; i < live_.size(); ++i) {
    const Tensor &live = live_[i].second, &average = averages_[i].second;
    if (live.device().type == DeviceType::cpu && live.is_contiguous() && average.is_contiguous()) {
      // Without memory of its own, so that a scope that ends in an error can always swap back.
      std::byte* held = first_byte(live);
      std::swap_ranges(held, held + live.bytes(), first_byte(average));
      live.storage()->bump_version();
      average.storage()->bump_version();
      continue;
    }
    const Tensor copy = live.detach().clone();
    live.copy_(average);
    average.copy_(copy);
  }
}

NamedTensors Ema::state_dict() const {
  NamedTensors out{{kStep, Tensor::from<int64_t>(std::vector{step_}, {})}};
  out.insert(out.end(), averages_.begin(), averages_.end());
  return out;
}

void Ema::load_state_dict(const NamedTensors& state) {
  const std::map<std::string, Tensor> given(state.begin(), state.end());
  const auto find = [&](const std::string& name, const Tensor& like) {
    const auto at = given.find(name);
    check<ValueError>(at != given.end(), "ema", "the state lacks ", escape_control(name));
    check<ValueError>(at->second.shape() == like.shape() && at->second.dtype() == like.dtype(),
                      "ema", escape_control(name), " expects ", like.dtype(), " ", like.shape(),
                      ", got ", at->second.dtype(), " ", at->second.shape());
    return at->second;
  };
  const NoGrad no_grad;
  const Tensor step = find(kStep, Tensor::zeros({}, Dtype::int64));
  for (const auto& [name, average] : averages_) find(name, average);
  for (const auto& [name, average] : averages_) average.copy_(given.at(name));
  step_ = *step.data<int64_t>();
}

}  // namespace cytograd::optim
