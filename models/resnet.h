#pragma once

#include <array>
#include <memory>
#include <string>

#include "cytograd/models/image_model.h"
#include "cytograd/nn/batch_norm.h"
#include "cytograd/nn/conv2d.h"
#include "cytograd/nn/pool.h"
#include "cytograd/nn/sequential.h"

/// @file
/// Residual networks (He et al., "Deep Residual Learning for Image Recognition", 2015),
/// version 1.5: a bottleneck's stride is in its 3x3 convolution. Names and values as
/// torchvision.resnet*.

namespace cytograd::models {

namespace detail {

/// 3x3 or 1x1 without bias; the padding keeps the size at stride 1.
inline nn::Conv2d& conv(nn::Conv2d& layer) {
  layer.weight_init = nn::init::Weight::he_normal_fan_out;
  return layer;
}

/// The shortcut of a block that changes the size: 1x1 convolution and normalisation.
template <class Norm>
class Shortcut : public nn::Sequential {
 public:
  Shortcut(int64_t in, int64_t out, int64_t stride) {
    conv(push<nn::Conv2d>(in, out, 1, Conv2dOptions{.stride = stride}, false));
    push<Norm>(out);
  }
};

/// Base of both blocks: relu(norm(conv(body(x))) + shortcut(x)). Norm is nn::BatchNorm2d or
/// nn::FrozenBatchNorm2d.
template <class Norm>
class ResidualBlock : public nn::Layer {
 public:
  Tensor forward(const Tensor& x) const final {
    const Tensor y = body(x), shortcut = downsample_ ? downsample_->forward(x) : x;
    return last_norm().forward_relu_after(last_conv(), y, shortcut);
  }

 protected:
  /// What comes before the last convolution.
  virtual Tensor body(const Tensor& x) const = 0;
  virtual const nn::Conv2d& last_conv() const = 0;
  virtual const Norm& last_norm() const = 0;
  void add_downsample(int64_t in, int64_t out, int64_t stride) {
    if (stride != 1 || in != out) downsample_ = &add<Shortcut<Norm>>("downsample", in, out, stride);
  }
  nn::Conv2d& add_conv(const std::string& name, int64_t in, int64_t out, int64_t kernel,
                       int64_t stride = 1) {
    const Conv2dOptions options{.stride = stride, .padding = kernel / 2};
    return conv(add<nn::Conv2d>(name, in, out, kernel, options, false));
  }

 private:
  Shortcut<Norm>* downsample_ = nullptr;
};

/// Two 3x3 convolutions (ResNet-18, 34).
template <class Norm>
class BasicBlock : public ResidualBlock<Norm> {
 public:
  static constexpr int64_t expansion = 1;
  BasicBlock(int64_t in, int64_t width, int64_t stride)
      : conv1_(this->add_conv("conv1", in, width, 3, stride)),
        bn1_(this->template add<Norm>("bn1", width)),
        conv2_(this->add_conv("conv2", width, width, 3)),
        bn2_(this->template add<Norm>("bn2", width)) {
    this->add_downsample(in, width, stride);
  }

 private:
  Tensor body(const Tensor& x) const override { return bn1_.forward_relu_after(conv1_, x); }
  const nn::Conv2d& last_conv() const override { return conv2_; }
  const Norm& last_norm() const override { return bn2_; }
  nn::Conv2d& conv1_;
  Norm& bn1_;
  nn::Conv2d& conv2_;
  Norm& bn2_;
};

/// 1x1 to `width`, 3x3, 1x1 to 4 width (ResNet-50, 101).
template <class Norm>
class Bottleneck : public ResidualBlock<Norm> {
 public:
  static constexpr int64_t expansion = 4;
  Bottleneck(int64_t in, int64_t width, int64_t stride)
      : conv1_(this->add_conv("conv1", in, width, 1)),
        bn1_(this->template add<Norm>("bn1", width)),
        conv2_(this->add_conv("conv2", width, width, 3, stride)),
        bn2_(this->template add<Norm>("bn2", width)),
        conv3_(this->add_conv("conv3", width, expansion * width, 1)),
        bn3_(this->template add<Norm>("bn3", expansion * width)) {
    this->add_downsample(in, expansion * width, stride);
  }

 private:
  Tensor body(const Tensor& x) const override {
    return bn2_.forward_relu_after(conv2_, bn1_.forward_relu_after(conv1_, x));
  }
  const nn::Conv2d& last_conv() const override { return conv3_; }
  const Norm& last_norm() const override { return bn3_; }
  nn::Conv2d& conv1_;
  Norm& bn1_;
  nn::Conv2d& conv2_;
  Norm& bn2_;
  nn::Conv2d& conv3_;
  Norm& bn3_;
};

}  // namespace detail

/// Which residual network: its block and how many of them at each of the four sizes.
struct ResNetSize {
  bool bottleneck;
  std::array<int64_t, 4> blocks;
};
inline constexpr ResNetSize resnet18{false, {2, 2, 2, 2}};
inline constexpr ResNetSize resnet34{false, {3, 4, 6, 3}};
inline constexpr ResNetSize resnet50{true, {3, 4, 6, 3}};
inline constexpr ResNetSize resnet101{true, {3, 4, 23, 3}};

namespace detail {

/// Fills stage s = 0..3 with its blocks. @return the channels it gives
template <class Norm>
int64_t fill_stage(nn::Sequential& stage, const ResNetSize& size, size_t s, int64_t channels) {
  const int64_t width = int64_t{64} << s;
  for (int64_t b = 0; b < size.blocks[s]; ++b) {
    const int64_t stride = s > 0 && b == 0 ? 2 : 1;
    if (size.bottleneck)
      stage.push<Bottleneck<Norm>>(channels, width, stride);
    else
      stage.push<BasicBlock<Norm>>(channels, width, stride);
    channels =
        width * (size.bottleneck ? Bottleneck<Norm>::expansion : BasicBlock<Norm>::expansion);
  }
  return channels;
}

}  // namespace detail

/// Stem 7x7/2, max pool 3x3/2, four stages of 64, 128, 256, 512 channels (times the block's
/// expansion), global average pool, classifier `fc`. Images need at least 32 x 32 pixels to leave
/// more than one pixel before the last stage; any size >= 1 runs.
class ResNet : public ImageModel {
 public:
  ResNet(const ResNetSize& size, const ModelOptions& options = {})
      : ImageModel(options),
        conv1_(detail::conv(add<nn::Conv2d>("conv1", options.in_channels, 64, 7,
                                            Conv2dOptions{.stride = 2, .padding = 3}, false))),
        bn1_(add<nn::BatchNorm2d>("bn1", 64)),
        maxpool_({.kernel = 3, .stride = 2, .padding = 1}) {
    features_ = 64;
    for (size_t s = 0; s < size.blocks.size(); ++s) {
      stages_[s] = &add<nn::Sequential>("layer" + std::to_string(s + 1));
      features_ = detail::fill_stage<nn::BatchNorm2d>(*stages_[s], size, s, features_);
    }
    add_head(options, "fc");
    if (options.initialize) initialize(options.seed);
  }

  /// The result of stage 1..4 ("C2".."C5"): [N, H/4, W/4, C] for stage 1, halved by each later one.
  Tensor stage(const Tensor& x, int number) const {
    check<ValueError>(number >= 1 && number <= 4, "resnet", "stage expects 1..4, got ", number);
    Tensor y = max_pool2d(bn1_.forward_relu_after(conv1_, x), maxpool_);
    for (int s = 0; s < number; ++s) y = stages_[static_cast<size_t>(s)]->forward(y);
    return y;
  }
  Tensor features(const Tensor& x) const override { return nn::global_avg_pool(stage(x, 4)); }
  int64_t feature_count() const override { return features_; }

 private:
  nn::Conv2d& conv1_;
  nn::BatchNorm2d& bn1_;
  Pool2dOptions maxpool_;
  std::array<nn::Sequential*, 4> stages_{};
  int64_t features_ = 0;
};

}  // namespace cytograd::models
