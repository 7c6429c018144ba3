#pragma once

#include "cytograd/nn/module.h"
#include "cytograd/ops/conv2d.h"

namespace cytograd::nn {

/// Convolution (ops/conv2d.h) with its weight [C_out, kH, kW, C_in/groups] and bias [C_out].
class Conv2d : public Layer {
 public:
  /// @throws ValueError if a size is < 1 or groups does not divide both channel counts
  Conv2d(int64_t in_channels, int64_t out_channels, Pair kernel, const Conv2dOptions& conv = {},
         bool with_bias = true)
      : options(conv) {
    check<ValueError>(in_channels >= 1 && out_channels >= 1 && kernel.h >= 1 && kernel.w >= 1,
                      "conv2d", "channels and kernel expect >= 1, got ", in_channels, " -> ",
                      out_channels, " kernel ", kernel);
    check<ValueError>(
        conv.groups >= 1 && in_channels % conv.groups == 0 && out_channels % conv.groups == 0,
        "conv2d", "groups expects a divisor of ", in_channels, " and ", out_channels, ", got ",
        conv.groups);
    parameter("weight", weight,
              init::unset({out_channels, kernel.h, kernel.w, in_channels / conv.groups}));
    if (with_bias) parameter("bias", bias, init::unset({out_channels}));
  }

  Tensor forward(const Tensor& x) const override { return conv2d(x, weight, bias, options); }

  Tensor weight, bias;
  Conv2dOptions options;
  init::Weight weight_init = init::Weight::uniform_fan_in;

 protected:
  void reset_parameters(const init::Stream& stream) override {
    init::layer(weight, bias, weight_init, stream);
  }
};

}  // namespace cytograd::nn
