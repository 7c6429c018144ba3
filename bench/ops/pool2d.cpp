#include "cytograd/ops/pool2d.h"

#include "bench/support/op_passes.h"

/// @file
/// The poolings of ResNet-50 and DenseNet-121, 16 images of 224 pixels.

namespace cytograd::bench {
namespace {

void add(std::vector<Case>& out, const std::string& name, const Shape& shape, int64_t out_size,
         Tensor (*op)(const Tensor&)) {
  const int64_t in = shape.numel(), results = shape[0] * out_size * out_size * shape[3];
  const auto row = [&](const char* pass, std::function<Work()> make) {
    out.push_back({.name = name + "/" + pass,
                   .sizes = {{"n", shape[0]}, {"h", shape[1]}, {"w", shape[2]}, {"c", shape[3]}},
                   .bytes = 4.0 * static_cast<double>(in + results),
                   .make = std::move(make)});
  };
  row("forward", [=] { return forward_pass([op, x = random_tensor(shape)] { return op(x); }); });
  row("backward", [=] {
    const Tensor x = random_tensor(shape);
    return backward_pass([=] { return op(x); }, {x});
  });
}

std::vector<Case> cases() {
  std::vector<Case> out;
  add(out, "max_pool2d/stem_3x3s2", {16, 112, 112, 64}, 56,
      [](const Tensor& x) { return max_pool2d(x, {.kernel = 3, .stride = 2, .padding = 1}); });
  add(out, "avg_pool2d/transition1", {16, 56, 56, 128}, 28,
      [](const Tensor& x) { return avg_pool2d(x, {.kernel = 2}); });
  add(out, "avg_pool2d/global", {16, 7, 7, 2048}, 1,
      [](const Tensor& x) { return adaptive_avg_pool2d(x, 1, 1); });
  return out;
}

const Family registered{"pool2d", cases};

}  // namespace
}  // namespace cytograd::bench
