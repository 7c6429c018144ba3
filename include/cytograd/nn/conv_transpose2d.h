#pragma once

#include "cytograd/nn/module.h"
#include "cytograd/ops/conv_transpose2d.h"

namespace cytograd::nn {

/// Transposed convolution (ops/conv_transpose2d.h) with its weight [C_in, kH, kW, C_out/groups] and
/// bias [C_out], both uniform in +-1/sqrt(kH kW C_out/groups) at first.
class ConvTranspose2d : public Layer {
 public:
  /// @throws ValueError if a size is < 1 or groups does not divide both channel counts
  ConvTranspose2d(int64_t in_channels, int64_t out_channels, Pair kernel,
                  const ConvTranspose2dOptions& conv = {}, bool with_bias = true)
      : options(conv) {
    check<ValueError>(in_channels >= 1 && out_channels >= 1 && kernel.h >= 1 && kernel.w >= 1,
                      "conv_transpose2d", "channels and kernel expect >= 1, got ", in_channels,
                      " -> ", out_channels, " kernel ", kernel);
    check<ValueError>(
        conv.groups >= 1 && in_channels % conv.groups == 0 && out_channels % conv.groups == 0,
        "conv_transpose2d", "groups expects a divisor of ", in_channels, " and ", out_channels,
        ", got ", conv.groups);
    parameter("weight", weight,
              init::unset({in_channels, kernel.h, kernel.w, out_channels / conv.groups}));
    if (with_bias) parameter("bias", bias, init::unset({out_channels}));
  }

  Tensor forward(const Tensor& x) const override {
    return conv_transpose2d(x, weight, bias, options);
  }

  Tensor weight, bias;
  ConvTranspose2dOptions options;

 protected:
  void reset_parameters(const init::Stream& stream) override {
    // The filter has C_in in front, so that the fan "in" of init.h is kH kW C_out/groups.
    init::layer(weight, bias, init::Weight::uniform_fan_in, stream);
  }
};

}  // namespace cytograd::nn
