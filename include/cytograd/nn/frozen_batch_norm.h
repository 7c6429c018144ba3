#pragma once

#include "cytograd/nn/conv2d.h"
#include "cytograd/nn/module.h"
#include "cytograd/ops/conv2d_batch_norm.h"

namespace cytograd::nn {

/// Batch normalisation whose weight, bias, mean and variance are four buffers: nothing is trained
/// or updated, and training and evaluation are the same. For fine-tuning with few images per step.
/// The names are those of BatchNorm2d without the count of batches.
class FrozenBatchNorm2d : public Layer {
 public:
  explicit FrozenBatchNorm2d(int64_t channels) {
    buffer("weight", weight, Tensor::ones({channels}));
    buffer("bias", bias, Tensor::zeros({channels}));
    buffer("running_mean", running_mean, Tensor::zeros({channels}));
    buffer("running_var", running_var, Tensor::ones({channels}));
  }

  Tensor forward(const Tensor& x) const override {
    const BatchNormLayer l = layer(false);
    return batch_norm(x, l.weight, l.bias, l.running_mean, l.running_var, l.options);
  }
  /// max(forward(conv(x)) + residual, 0); without a residual where that is undefined.
  Tensor forward_relu_after(const Conv2d& conv, const Tensor& x,
                            const Tensor& residual = {}) const {
    return conv2d_batch_norm(x, {conv.weight, conv.bias, conv.options}, layer(true), residual);
  }

  Tensor weight, bias, running_mean, running_var;
  double eps = 1e-5;  ///< not part of a state dict: a file's eps must be known (0 for COCO weights)

 protected:
  void reset_parameters(const init::Stream&) override {
    weight.fill_(1);
    bias.fill_(0);
    running_mean.fill_(0);
    running_var.fill_(1);
  }

 private:
  BatchNormLayer layer(bool relu) const {
    return {weight, bias, running_mean, running_var, {.eps = eps, .relu = relu}, {}};
  }
};

}  // namespace cytograd::nn
