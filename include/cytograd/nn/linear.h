#pragma once

#include "cytograd/nn/module.h"
#include "cytograd/ops/linear.h"

namespace cytograd::nn {

/// x weight^T + bias (ops/linear.h): [..., in] -> [..., out], weight [out, in], bias [out].
class Linear : public Layer {
 public:
  /// @throws ValueError if a size is < 1
  Linear(int64_t in, int64_t out, bool with_bias = true) {
    check<ValueError>(in >= 1 && out >= 1, "linear", "sizes expect >= 1, got ", in, " -> ", out);
    parameter("weight", weight, init::unset({out, in}));
    if (with_bias) parameter("bias", bias, init::unset({out}));
  }

  Tensor forward(const Tensor& x) const override { return linear(x, weight, bias); }

  Tensor weight, bias;
  init::Weight weight_init = init::Weight::uniform_fan_in;
  bool zero_bias = false;  ///< start the bias at 0 whatever the weight

 protected:
  void reset_parameters(const init::Stream& stream) override {
    init::layer(weight, bias, weight_init, stream);
    const NoGrad no_grad;
    if (zero_bias && bias.defined()) bias.fill_(0);
  }
};

}  // namespace cytograd::nn
