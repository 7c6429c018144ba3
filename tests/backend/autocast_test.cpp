#include <doctest/doctest.h>

#include <cmath>

#include "cytograd/core/autocast.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/random.h"
#include "cytograd/ops/matmul.h"

using namespace cytograd;

namespace {

Tensor draw(const Shape& shape, const char* name) {
  Rng rng(1, name);
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  for (float& v : values) v = static_cast<float>(rng.normal());
  return Tensor::from(values, shape);
}

}  // namespace

TEST_CASE("autocast rounds products to bfloat16, keeps float32 outside, and passes gradients") {
  const Tensor a = draw({9, 20}, "a"), b = draw({20, 7}, "b"), dy = draw({9, 7}, "dy");
  const auto run = [&](Device device, bool cast) {
    const Tensor x = a.to(device), w = b.detach().clone().to(device);
    w.set_requires_grad(true);
    const Autocast scope(cast);
    const Tensor y = matmul(x, w);
    CHECK(y.dtype() == Dtype::float32);
    y.backward(dy.to(device));
    CHECK(w.grad().dtype() == Dtype::float32);
    return std::pair(y.to_vector<float>(), w.grad().to_vector<float>());
  };
  const auto exact = run({}, true);  // the CPU never rounds
  CHECK(run({}, false) == exact);
  const auto rounded = run(Device::cuda(), true);
  CHECK(rounded != run(Device::cuda(), false));
  CHECK(!autocast_enabled());
  // 2^-8 for each operand and the result, times a sum of 20 products of size about 1.
  for (size_t i = 0; i < exact.first.size(); ++i)
    CHECK(std::abs(rounded.first[i] - exact.first[i]) <= 0.2f);
  for (size_t i = 0; i < exact.second.size(); ++i)
    CHECK(std::abs(rounded.second[i] - exact.second[i]) <= 0.2f);
}
