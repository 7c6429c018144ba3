#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "cuda/emulation/config.h"
#include "cuda/emulation/profile.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/random.h"
#include "cytograd/ops/batch_norm.h"
#include "cytograd/ops/conv2d.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/matmul.h"
#include "cytograd/ops/softmax.h"

using namespace cytograd;

/// @file
/// Performance tests that need no GPU: bank conflicts of shared memory and sectors of global memory
/// in the kernels where the time goes. Only builds with the race checker see the accesses.

namespace {

struct Cost {
  double shared = 1, global = 1;  ///< what was moved beside the least possible
  std::string text;
};

// The last launch of `work`.
Cost cost_of(const std::function<void()>& work) {
  const simt::ConfigScope saved;
  simt::config().profile = true;
  work();
  synchronize(Device::cuda());
  uint64_t moved[2] = {}, ideal[2] = {};
  for (const simt::LineProfile& line : simt::profile()) {
    moved[line.shared] += line.moved;
    ideal[line.shared] += line.ideal;
  }
  const auto share = [&](int k) {
    return ideal[k] ? static_cast<double>(moved[k]) / static_cast<double>(ideal[k]) : 1.0;
  };
  return {share(1), share(0), simt::profile_text()};
}

Tensor draw(const Shape& shape, Dtype dtype = Dtype::float32) {
  Rng rng(1, "access");
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  for (float& v : values) v = static_cast<float>(rng.normal());
  return Tensor::from(values, shape).to(dtype).to(Device::cuda());
}

}  // namespace

TEST_CASE("memory access: few bank conflicts and whole sectors in the hot kernels") {
  if (!simt::config().race) {
    MESSAGE("skipped: this build does not see the accesses of kernels");
    return;
  }
  struct Case {
    const char* name;
    std::function<void()> work;
    double shared, global;  ///< bounds
  };
  const Tensor a = draw({128, 128}), b = draw({128, 128});
  const Tensor wide = draw({128, 128}, Dtype::bfloat16), other = draw({128, 128}, Dtype::bfloat16);
  const Tensor images = draw({1, 12, 12, 64}), filters = draw({64, 3, 3, 64});
  const Tensor images16 = images.to(Dtype::bfloat16), filters16 = filters.to(Dtype::bfloat16);
  const Case cases[] = {
      {"matmul float32", [&] { matmul(a, b); }, 1.1, 1.1},
      {"matmul bfloat16", [&] { matmul(wide, other); }, 1.1, 1.1},
      // A quarter of a warp writes half of a row of the narrow tile: half sectors.
      {"conv2d float32", [&] { conv2d(images, filters, {}, {.padding = 1}); }, 1.1, 2},
      {"conv2d bfloat16", [&] { conv2d(images16, filters16, {}, {.padding = 1}); }, 1.1, 1.1},
      {"softmax", [&] { softmax(a, 1); }, 1.1, 1.1},
      {"relu", [&] { relu(a); }, 1, 1},
      {"add", [&] { a + b; }, 1, 1},
  };
  for (const Case& c : cases) {
    const Cost cost = cost_of(c.work);
    INFO(std::string(c.name));
    INFO(cost.text);
    CHECK(cost.shared <= c.shared);
    CHECK(cost.global <= c.global);
  }
}
