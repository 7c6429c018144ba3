#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <vector>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/random.h"
#include "cytograd/core/random_scope.h"
#include "cytograd/ops/dropout.h"
#include "cytograd/ops/random_normal.h"
#include "cytograd/optim/adam.h"
#include "cytograd/optim/clip.h"
#include "cytograd/optim/ema.h"
#include "cytograd/optim/sgd.h"

using namespace cytograd;
using namespace cytograd::optim;

namespace {

// Sizes below, at and above a chunk and a pack, none, and more tensors than one launch holds.
NamedTensors parameters(Device device, Dtype dtype) {
  NamedTensors out;
  Rng rng(3, "parameters");
  std::vector<int64_t> sizes{1, 3, 0, 8192, 8195, 17, 20'000};
  for (int i = 0; i < 420; ++i) sizes.push_back(1 + i % 5);
  for (const int64_t n : sizes) {
    std::vector<double> values(static_cast<size_t>(n));
    for (double& v : values) v = static_cast<float>(rng.normal());
    const Tensor x = Tensor::from(values).to(dtype).to(device);
    x.set_requires_grad(true);
    out.emplace_back("p" + std::to_string(out.size()), x);
  }
  return out;
}

void set_gradients(const NamedTensors& list, int step) {
  Rng rng(static_cast<uint64_t>(step), "gradients");
  for (size_t i = 0; i < list.size(); ++i) {
    const Tensor& x = list[i].second;
    std::vector<double> values(static_cast<size_t>(x.numel()));
    for (double& v : values) v = static_cast<float>(rng.normal());
    // One parameter begins later, so that its count of steps lags.
    x.set_grad(i == 1 && step < 2 ? Tensor{} : Tensor::from(values).to(x.dtype()).to(x.device()));
  }
}

double worst(const NamedTensors& a, const NamedTensors& b) {
  double out = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const auto x = a[i].second.to_vector<double>(), y = b[i].second.to_vector<double>();
    for (size_t k = 0; k < x.size(); ++k) {
      const double error = std::abs(x[k] - y[k]) / std::max(1.0, std::abs(y[k]));
      if (!(error <= out)) out = error;
    }
  }
  return out;
}

}  // namespace

TEST_CASE("optimisers, clipping and averages agree with the CPU") {
  using Make = std::function<std::unique_ptr<Optimizer>(NamedTensors)>;
  const Make makers[] = {
      [](NamedTensors p) { return std::make_unique<Sgd>(p, SgdOptions{.lr = 0.1}); },
      [](NamedTensors p) {
        return std::make_unique<Sgd>(
            p, SgdOptions{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true});
      },
      [](NamedTensors p) {
        return std::make_unique<Adam>(p, AdamOptions{.lr = 0.01, .weight_decay = 0.1});
      },
      [](NamedTensors p) {
        return std::make_unique<AdamW>(p, AdamOptions{.lr = 0.01, .weight_decay = 0.1});
      }};
#ifdef CYTOGRAD_INSTRUMENTED
  const std::vector<Dtype> dtypes = {Dtype::float32};
#else
  const std::vector<Dtype> dtypes = {Dtype::float32, Dtype::float64};
#endif
  for (const Dtype dtype : dtypes)
    for (const Make& make : makers) {
      const NamedTensors here = parameters({}, dtype), there = parameters(Device::cuda(), dtype);
      const auto a = make(here), b = make(there);
      Ema ema_a(here, 0.9), ema_b(there, 0.9);
      for (int step = 0; step < 3; ++step) {
        set_gradients(here, step);
        set_gradients(there, step);
        const double norm_a = clip_grad_norm(here, step == 1 ? 1e9 : 20);
        const double norm_b = clip_grad_norm(there, step == 1 ? 1e9 : 20);
        CHECK(norm_b == doctest::Approx(norm_a).epsilon(1e-12));
        CHECK(grad_norm(there) == doctest::Approx(grad_norm(here)).epsilon(1e-6));
        a->set_lr(0.02 / (1 + step));
        b->set_lr(0.02 / (1 + step));
        a->step();
        b->step();
        ema_a.update();
        ema_b.update();
      }
      // A few float roundings per step.
      CHECK(worst(there, here) <= (dtype == Dtype::float32 ? 2e-6 : 1e-13));
      CHECK(worst(ema_b.averages(), ema_a.averages()) <= (dtype == Dtype::float32 ? 2e-6 : 1e-13));
    }
}

TEST_CASE("random numbers have the bits of the CPU") {
  const RandomScope scope(7, 1);
  const auto draw = [](Device device) {
    const RandomScope again(7, 2);
    const Tensor normal = random_normal({1031}, Dtype::float32, device),
                 wide = random_normal({5, 7}, Dtype::float64, device);
    const Tensor dropped = dropout(normal, 0.3, true);
    return std::tuple(normal.to_vector<float>(), wide.to_vector<double>(),
                      dropped.to_vector<float>());
  };
  CHECK(draw(Device::cuda()) == draw({}));
}
