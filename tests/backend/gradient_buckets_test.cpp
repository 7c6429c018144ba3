#include "cytograd/optim/gradient_buckets.h"

#include <doctest/doctest.h>

#include "cytograd/core/cuda.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/optim/adam.h"
#include "cytograd/optim/clip.h"

using namespace cytograd;

TEST_CASE("gradient buckets on a device: the bits of gradients of their own, also in a graph") {
  const Device device = Device::cuda();
  const Tensor x = Tensor::from(std::vector<float>{1, -2, 0.5f}).to(device);
  std::vector<std::vector<float>> results;
  for (const int kind : {0, 1, 2}) {  // ordinary, buckets, buckets in a captured graph
    optim::NamedTensors p;
    for (const char* name : {"a", "b"}) {
      const Tensor w = Tensor::full({3}, name[0] - 95, Dtype::float32, device);
      w.set_requires_grad(true);
      p.emplace_back(name, w);
    }
    std::unique_ptr<optim::GradientBuckets> buckets;
    if (kind > 0) buckets = std::make_unique<optim::GradientBuckets>(p, 64);
    const Tensor norm = Tensor::empty({}, Dtype::float64, device);
    int calls = 0;
    if (buckets) buckets->on_ready([&](size_t, const Tensor&) { ++calls; });
    optim::Adam adam(p, {.lr = 0.1});
    const auto step = [&] {
      adam.zero_grad();
      (x * p[0].second * p[1].second).backward(x);
      optim::clip_grad_norm(p, 1, norm);
      adam.step();
    };
    step();
    CudaGraph graph;
    if (kind == 2) graph.capture(device, step);
    for (int i = 0; i < 3; ++i) {
      if (kind < 2) {
        step();
      } else {
        graph.replay();
        adam.count_replay();
      }
    }
    if (buckets) CHECK(calls == (kind == 1 ? 8 : 4));
    if (buckets) CHECK(p[1].second.grad().storage() == buckets->flat(0).storage());
    results.push_back(p[0].second.to_vector<float>());
  }
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}
