#pragma once

#include <array>
#include <string>

#include "cytograd/models/image_model.h"
#include "cytograd/models/resnet.h"
#include "cytograd/ops/conv2d.h"
#include "cytograd/ops/elementwise.h"

/// @file
/// The residual network for small images (He et al. 2015, section 4.2): a 3x3 stem, three stages
/// of 16, 32 and 64 channels, 0.27 million parameters. For images of 16 to 64 pixels, first tries
/// and machines without time. Names as in the published CIFAR-10 weights `resnet20-12fca82f.th`,
/// which load.

namespace cytograd::models {

namespace detail {

/// Two 3x3 convolutions; where the size changes, the shortcut takes every second pixel and fills
/// the new channels with zeros, half before and half after ("option A"): it has no parameters.
class SmallBlock : public nn::Layer {
 public:
  SmallBlock(int64_t in, int64_t width, int64_t stride)
      : stride_(stride),
        conv1_(conv(add<nn::Conv2d>("conv1", in, width, 3,
                                    Conv2dOptions{.stride = stride, .padding = 1}, false))),
        bn1_(add<nn::BatchNorm2d>("bn1", width)),
        conv2_(conv(add<nn::Conv2d>("conv2", width, width, 3, Conv2dOptions{.padding = 1}, false))),
        bn2_(add<nn::BatchNorm2d>("bn2", width)) {
    if (stride == 1 && in == width) return;
    // As a 1x1 filter of ones and zeros, which is exact and can be compiled like any convolution.
    constant(selection_, Tensor::zeros({width, 1, 1, in}));
    for (int64_t c = 0; c < in; ++c) selection_.data<float>()[((width - in) / 2 + c) * in + c] = 1;
  }

  Tensor forward(const Tensor& x) const override {
    const Tensor y = bn1_.forward_relu_after(conv1_, x), added = shortcut(x);
    return bn2_.forward_relu_after(conv2_, y, added);
  }

 private:
  Tensor shortcut(const Tensor& x) const {
    if (!selection_.defined()) return x;
    return conv2d(x, selection_.to(x.dtype()).to(x.device()), {}, Conv2dOptions{.stride = stride_});
  }
  int64_t stride_;
  Tensor selection_;  // [width, 1, 1, in], never trained
  nn::Conv2d& conv1_;
  nn::BatchNorm2d& bn1_;
  nn::Conv2d& conv2_;
  nn::BatchNorm2d& bn2_;
};

}  // namespace detail

/// How many blocks each of the three stages has: 3 for 20 layers.
struct SmallResNetSize {
  int64_t blocks;
};
inline constexpr SmallResNetSize resnet20{3};

/// [N, H, W, C] to features [N, 64]; any size >= 1 runs.
class SmallResNet : public ImageModel {
 public:
  explicit SmallResNet(const SmallResNetSize& size, const ModelOptions& options = {})
      : ImageModel(options),
        conv1_(detail::conv(add<nn::Conv2d>("conv1", options.in_channels, 16, 3,
                                            Conv2dOptions{.padding = 1}, false))),
        bn1_(add<nn::BatchNorm2d>("bn1", 16)) {
    int64_t channels = 16;
    for (size_t s = 0; s < stages_.size(); ++s) {
      const int64_t width = int64_t{16} << s;
      auto& stage = add<nn::Sequential>("layer" + std::to_string(s + 1));
      for (int64_t b = 0; b < size.blocks; ++b) {
        stage.push<detail::SmallBlock>(channels, width, s > 0 && b == 0 ? 2 : 1);
        channels = width;
      }
      stages_[s] = &stage;
    }
    add_head(options, "linear");
    if (options.initialize) initialize(options.seed);
  }

  Tensor features(const Tensor& x) const override {
    Tensor y = bn1_.forward_relu_after(conv1_, x);
    for (const nn::Sequential* stage : stages_) y = stage->forward(y);
    return nn::global_avg_pool(y);
  }
  int64_t feature_count() const override { return 64; }

 private:
  nn::Conv2d& conv1_;
  nn::BatchNorm2d& bn1_;
  std::array<nn::Sequential*, 3> stages_{};
};

}  // namespace cytograd::models
