#pragma once

#include "cytograd/nn/module.h"
#include "cytograd/ops/group_norm.h"

namespace cytograd::nn {

/// Group normalisation (ops/group_norm.h) with weight 1 and bias 0 per channel at first.
class GroupNorm : public Layer {
 public:
  /// @throws ValueError unless groups divides channels
  GroupNorm(int64_t groups_, int64_t channels) : groups(groups_) {
    check<ValueError>(groups >= 1 && channels >= 1 && channels % groups == 0, "group_norm",
                      "groups expects a divisor of ", channels, " channels, got ", groups);
    parameter("weight", weight, Tensor::ones({channels}));
    parameter("bias", bias, Tensor::zeros({channels}));
  }

  Tensor forward(const Tensor& x) const override {
    return group_norm(x, groups, weight, bias, eps);
  }

  Tensor weight, bias;
  int64_t groups;
  double eps = 1e-5;

 protected:
  void reset_parameters(const init::Stream&) override {
    const NoGrad no_grad;
    weight.fill_(1);
    bias.fill_(0);
  }
};

}  // namespace cytograd::nn
