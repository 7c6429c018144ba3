#include "cytograd/ops/elementwise.h"

#include "bench/support/op_passes.h"

/// @file
/// What stands between the convolutions of a residual network, 16 images of 224 pixels.

namespace cytograd::bench {
namespace {

std::vector<Case> cases() {
  const Shape shape{16, 56, 56, 256};
  const double tensor = 4.0 * static_cast<double>(shape.numel());
  std::vector<Case> out;
  const auto add_case = [&](const char* name, double tensors, std::function<Work()> make) {
    out.push_back({.name = std::string("elementwise/") + name,
                   .sizes = {{"values", shape.numel()}},
                   .bytes = tensors * tensor,
                   .make = std::move(make)});
  };
  add_case("relu/forward", 2,
           [=] { return forward_pass([x = random_tensor(shape)] { return relu(x); }); });
  add_case("relu/backward", 3, [=] {
    const Tensor x = random_tensor(shape);
    return backward_pass([x] { return relu(x); }, {x});
  });
  add_case("add/forward", 3, [=] {
    return forward_pass([x = random_tensor(shape), y = random_tensor(shape)] { return x + y; });
  });
  add_case("sigmoid/forward", 2,
           [=] { return forward_pass([x = random_tensor(shape)] { return sigmoid(x); }); });
  return out;
}

const Family registered{"elementwise", cases};

}  // namespace
}  // namespace cytograd::bench
