#include "cytograd/ops/batch_norm.h"

#include "bench/support/device.h"
#include "bench/support/op_passes.h"

/// @file
/// Batch normalisation at the sizes of ResNet-50 and DenseNet-121, 16 images of 224 pixels.

namespace cytograd::bench {
namespace {

struct Layer {
  const char* name;
  int64_t size, channels;
};
constexpr Layer layers[] = {
    {"stem", 112, 64}, {"res2", 56, 256},   {"res3", 28, 512},   {"res4", 14, 1024},
    {"res5", 7, 2048}, {"dense1", 56, 128}, {"dense2", 28, 320}, {"dense3", 14, 640},
};

struct Operands {
  explicit Operands(const Layer& l)
      : x(random_tensor({16, l.size, l.size, l.channels})),
        weight(random_tensor({l.channels})),
        bias(random_tensor({l.channels})),
        mean(placed(Tensor::zeros({l.channels}))),
        var(placed(Tensor::ones({l.channels}))) {}
  Tensor operator()(bool training) const {
    return batch_norm(x, weight, bias, mean, var, {.training = training});
  }
  Tensor x, weight, bias, mean, var;
};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const Layer& l : layers) {
    const double tensor = 4.0 * 16 * static_cast<double>(l.size * l.size * l.channels);
    const auto add = [&](const char* pass, double bytes, std::function<Work()> make) {
      out.push_back({.name = std::string("batch_norm/") + l.name + "/" + pass,
                     .sizes = {{"n", 16}, {"h", l.size}, {"w", l.size}, {"c", l.channels}},
                     .bytes = bytes,
                     .make = std::move(make)});
    };
    add("evaluation", 2 * tensor,
        [l] { return forward_pass([o = Operands(l)] { return o(false); }); });
    add("training", 2 * tensor,
        [l] { return forward_pass([o = Operands(l)] { return o(true); }); });
    add("backward", 3 * tensor, [l] {
      const Operands o(l);
      return backward_pass([o] { return o(true); }, {o.x, o.weight, o.bias});
    });
  }
  return out;
}

const Family registered{"batch_norm", cases};

}  // namespace
}  // namespace cytograd::bench
