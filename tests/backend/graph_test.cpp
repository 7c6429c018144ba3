#include <doctest/doctest.h>

#include <vector>

#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"
#include "cytograd/core/memory.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/optim/adam.h"
#include "cytograd/optim/sgd.h"

using namespace cytograd;

namespace {

const Device device = Device::cuda();

Tensor on_device(const std::vector<float>& values) { return Tensor::from(values).to(device); }

}  // namespace

TEST_CASE("a captured graph runs again on new values") {
  const Tensor x = on_device({1, 2, 3});
  Tensor y = x * 2.0 + 1.0;  // once, so that nothing is new
  CudaGraph graph;
  graph.capture(device, [&] { y = exp(x * 0.0) * x * 2.0 + 1.0; });
  CHECK(graph.captured());
  CHECK(graph.nodes() == 5);
  graph.replay();
  CHECK(y.to_vector<float>() == std::vector<float>{3, 5, 7});
  x.copy_(Tensor::from(std::vector<float>{10, 20, 30}));
  graph.replay();
  // Memory that is made meanwhile is not the graph's.
  std::vector<Tensor> others;
  for (int i = 0; i < 8; ++i) others.push_back(Tensor::full({3}, -1, Dtype::float32, device));
  graph.replay();
  CHECK(y.to_vector<float>() == std::vector<float>{21, 41, 61});
  for (const Tensor& other : others)
    CHECK(other.to_vector<float>() == std::vector<float>{-1, -1, -1});
}

TEST_CASE("a graph keeps its memory, also what was freed while capturing, and gives it back") {
  const size_t live = memory_stats(device).in_use;
  {
    const Tensor x = on_device({1, 2, 3, 4});
    Tensor scratch = Tensor::full({4}, 5, Dtype::float32, device), y;
    CudaGraph graph;
    graph.capture(device, [&] {
      y = x * scratch;
      scratch = Tensor{};  // the graph still reads it
    });
    const Tensor other = Tensor::full({4}, 9, Dtype::float32, device);
    graph.replay();
    CHECK(y.to_vector<float>() == std::vector<float>{5, 10, 15, 20});
  }
  CHECK(memory_stats(device).in_use == live);
}

TEST_CASE("looking at values while capturing is an error, and the device stays usable") {
  const Tensor x = on_device({1, 2});
  CudaGraph graph;
  CHECK_THROWS_AS(graph.capture(device, [&] { (x * 2.0).item(); }), ShapeError);
  CHECK_THROWS_AS(graph.capture(device, [&] { (x * 2.0).to_vector<float>(); }), StateError);
  CHECK_THROWS_AS(graph.capture(device, [&] { x.copy_(Tensor::zeros({2})); }), StateError);
  CHECK_THROWS_AS(graph.capture(device, [&] { synchronize(device); }), StateError);
  CHECK(!graph.captured());
  CHECK_THROWS_AS(graph.replay(), StateError);
  graph.capture(device, [&] { x.fill_(7); });
  CHECK_THROWS_AS(graph.capture(device, [] {}), StateError);
  graph.replay();
  CHECK(x.to_vector<float>() == std::vector<float>{7, 7});
}

TEST_CASE("a whole training step in a graph gives the bits of single steps") {
  const auto make = [](bool adam, const Tensor& w) -> std::unique_ptr<optim::Optimizer> {
    if (adam)
      return std::make_unique<optim::Adam>(optim::NamedTensors{{"w", w}},
                                           optim::AdamOptions{.lr = 0.1});
    return std::make_unique<optim::Sgd>(optim::NamedTensors{{"w", w}},
                                        optim::SgdOptions{.lr = 0.1, .momentum = 0.9});
  };
  const Tensor dy = on_device({1, -2, 0.5f});
  for (const bool adam : {true, false}) {
    std::vector<std::vector<float>> results;
    for (const bool captured : {false, true}) {
      const Tensor w = on_device({1, 2, 3}), x = on_device({0.5f, 1.5f, 2});
      w.set_requires_grad(true);
      const auto optimizer = make(adam, w);
      const auto step = [&] {
        optimizer->zero_grad();
        (w * x * w).backward(dy);
        optimizer->step();
      };
      step();
      CudaGraph graph;
      if (captured) graph.capture(device, step);
      for (int i = 0; i < 4; ++i) {
        optimizer->set_lr(0.1 / (1 + i));
        x.copy_(Tensor::from(std::vector<float>{0.1f * static_cast<float>(i), 1, -1}));
        if (!captured) {
          step();
          continue;
        }
        graph.replay();
        optimizer->count_replay();
      }
      CHECK(optimizer->step_count() == 5);
      results.push_back(w.to_vector<float>());
    }
    CHECK(results[0] == results[1]);
  }
}
