#pragma once

#include "cytograd/nn/conv2d.h"
#include "cytograd/nn/module.h"
#include "cytograd/ops/batch_norm_conv2d.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/ops/shape.h"

namespace cytograd::nn {

/// Batch normalisation (ops/batch_norm.h) over all axes but the last. In training mode `forward`
/// updates running_mean, running_var and num_batches_tracked.
class BatchNorm2d : public Layer {
 public:
  explicit BatchNorm2d(int64_t channels) {
    parameter("weight", weight, Tensor::ones({channels}));
    parameter("bias", bias, Tensor::zeros({channels}));
    buffer("running_mean", running_mean, Tensor::zeros({channels}));
    buffer("running_var", running_var, Tensor::ones({channels}));
    buffer("num_batches_tracked", num_batches_tracked, Tensor::zeros({}, Dtype::int64));
  }

  Tensor forward(const Tensor& x) const override { return apply(x, {}, false); }

  /// max(forward(x) + residual, 0) in one pass; without a residual where that is undefined.
  Tensor forward_relu(const Tensor& x, const Tensor& residual = {}) const {
    return apply(x, residual, true);
  }

  /// forward(conv(x)) and forward_relu(conv(x), residual): the statistics may then be taken while
  /// the convolution writes (ops/conv2d_batch_norm.h).
  virtual Tensor forward_after(const Conv2d& conv, const Tensor& x) const {
    return apply_after(conv, x, {}, false);
  }
  Tensor forward_relu_after(const Conv2d& conv, const Tensor& x,
                            const Tensor& residual = {}) const {
    return apply_after(conv, x, residual, true);
  }
  /// forward_relu(conv(before.forward_relu(x))); ops/batch_norm_conv2d.h.
  /// @param moments  of x, if they are known
  Tensor forward_relu_after(const Conv2d& conv, const BatchNorm2d& before, const Tensor& x,
                            const ChannelMoments& moments) const {
    BatchNormLayer first = before.layer(true, {});
    first.moments = moments;
    return batch_norm_conv2d(x, first, {conv.weight, conv.bias, conv.options}, layer(true, {}));
  }

  /// Frozen: running statistics are used also in training, and weight and bias are not trained
  /// unless `affine` is off. For fine-tuning with small batches.
  void set_frozen(bool frozen, bool affine = true) {
    frozen_ = frozen;
    weight.set_requires_grad(!(frozen && affine));
    bias.set_requires_grad(!(frozen && affine));
  }
  bool frozen() const { return frozen_; }

  /// Running statistics of their own for each of n domains, beside the common ones, from which they
  /// start: buffers domain_mean and domain_var, [n, C].
  void add_domains(int64_t n) {
    const int64_t channels = running_mean.numel();
    buffer("domain_mean", domain_mean, expand(running_mean, {n, channels}).clone());
    buffer("domain_var", domain_var, expand(running_var, {n, channels}).clone());
  }
  /// The domain that inputs are of, from 0; -1: the common statistics. Not while others run it.
  void set_domain(int64_t domain) const { domain_ = domain; }
  /// Domains begin anew at the common statistics.
  void restart_domains() {
    const NoGrad no_grad;
    domain_mean.copy_(expand(running_mean, domain_mean.shape()));
    domain_var.copy_(expand(running_var, domain_var.shape()));
  }
  /// The common statistics become those of all domains together, each with the same weight: the
  /// mean of the means, and the mean of the variances plus the variance of the means.
  void join_domains() {
    const NoGrad no_grad;
    const Tensor common = mean(domain_mean, 0);
    running_var.copy_(mean(domain_var, 0) + mean(square(domain_mean - common), 0));
    running_mean.copy_(common);
  }

  Tensor weight, bias, running_mean, running_var, num_batches_tracked;
  Tensor domain_mean, domain_var;  ///< undefined without domains
  double momentum = 0.1;           ///< share of the batch in new running statistics
  double eps = 1e-5;
  bool recompute = false;  ///< BatchNormOptions::recompute of forward_relu without a residual

 protected:
  void reset_parameters(const init::Stream&) override {
    const NoGrad no_grad;
    weight.fill_(1);
    bias.fill_(0);
    running_mean.fill_(0);
    running_var.fill_(1);
    num_batches_tracked.fill_(0);
  }

 private:
  // Counts the batch.
  BatchNormLayer layer(bool relu, const Tensor& residual) const {
    const bool batch = training() && !frozen_;
    if (batch) ++*num_batches_tracked.data<int64_t>();
    return {weight,
            bias,
            statistic(running_mean, domain_mean),
            statistic(running_var, domain_var),
            {.training = batch,
             .momentum = momentum,
             .eps = eps,
             .relu = relu,
             .recompute = recompute && relu && !residual.defined()},
            {}};
  }
  Tensor apply(const Tensor& x, const Tensor& residual, bool relu) const {
    const BatchNormLayer l = layer(relu, residual);
    return batch_norm(x, weight, bias, l.running_mean, l.running_var, l.options, residual);
  }
  Tensor apply_after(const Conv2d& conv, const Tensor& x, const Tensor& residual, bool relu) const {
    return conv2d_batch_norm(x, {conv.weight, conv.bias, conv.options}, layer(relu, residual),
                             residual);
  }
  Tensor statistic(const Tensor& common, const Tensor& of_domains) const {
    if (domain_ < 0 || !of_domains.defined()) return common;
    return squeeze(slice(of_domains, 0, domain_, domain_ + 1), 0);
  }
  bool frozen_ = false;
  mutable int64_t domain_ = -1;
};

/// Batch normalisation and ReLU as one layer, under the names of the former.
class BatchNormReLU : public BatchNorm2d {
 public:
  using BatchNorm2d::BatchNorm2d;
  Tensor forward(const Tensor& x) const override { return forward_relu(x); }
  Tensor forward_after(const Conv2d& conv, const Tensor& x) const override {
    return forward_relu_after(conv, x);
  }
};

}  // namespace cytograd::nn
