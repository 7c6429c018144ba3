#pragma once

#include <array>
#include <string>
#include <vector>

#include "cytograd/models/mask_rcnn/options.h"
#include "cytograd/nn/frozen_batch_norm.h"
#include "cytograd/ops/upsample.h"

/// @file
/// Residual network with a feature pyramid (Lin et al., "Feature Pyramid Networks for Object
/// Detection", 2017). Names as torchvision's.

namespace cytograd::models {

/// The residual network without its classifier.
class ResNetBody : public nn::Module {
 public:
  /// C2..C5: [N, H/4, W/4, channels()[0]] and so on, each half the size of the one before.
  virtual std::array<Tensor, 4> stages(const Tensor& x) const = 0;
  const std::array<int64_t, 4>& channels() const { return channels_; }

  /// Trains the last `count` of conv1, layer1, .. layer4 and freezes the others.
  /// @throws ValueError unless 0 <= count <= 5
  void set_trainable_layers(int count) {
    check<ValueError>(count >= 0 && count <= 5, "mask_rcnn", "trainable_layers expects 0..5, got ",
                      count);
    constexpr std::array<const char*, 5> order{"layer4.", "layer3.", "layer2.", "layer1.", ""};
    for (const auto& [name, parameter] : named_parameters()) {
      bool trained = false;
      for (int i = 0; i < count; ++i)
        trained = trained || name.starts_with(order[static_cast<size_t>(i)]);
      parameter.set_requires_grad(trained);
    }
  }

 protected:
  std::array<int64_t, 4> channels_{};
};

namespace detail {

template <class Norm>
class ResNetBodyOf final : public ResNetBody {
 public:
  explicit ResNetBodyOf(const MaskRcnnOptions& options)
      : conv1_(conv(
            add<nn::Conv2d>("conv1", 3, 64, 7, Conv2dOptions{.stride = 2, .padding = 3}, false))),
        bn1_(add<Norm>("bn1", 64)) {
    int64_t channels = 64;
    for (size_t s = 0; s < stages_.size(); ++s) {
      stages_[s] = &add<nn::Sequential>("layer" + std::to_string(s + 1));
      channels = fill_stage<Norm>(*stages_[s], options.backbone, s, channels);
      channels_[s] = channels;
    }
    for_each_of<Norm>([&options](Norm& norm) { norm.eps = options.norm_eps; });
  }

  std::array<Tensor, 4> stages(const Tensor& x) const override {
    std::array<Tensor, 4> out;
    Tensor y =
        max_pool2d(bn1_.forward_relu_after(conv1_, x), {.kernel = 3, .stride = 2, .padding = 1});
    for (size_t s = 0; s < out.size(); ++s) out[s] = y = stages_[s]->forward(y);
    return out;
  }

 private:
  nn::Conv2d& conv1_;
  Norm& bn1_;
  std::array<nn::Sequential*, 4> stages_{};
};

/// A convolution of the pyramid: uniform in +-sqrt(3 / fan_in) at first, bias 0.
class PyramidConv : public nn::Conv2d {
 public:
  PyramidConv(int64_t in, int64_t out, int64_t kernel)
      : nn::Conv2d(in, out, kernel, Conv2dOptions{.padding = kernel / 2}) {}

 protected:
  void reset_parameters(const nn::init::Stream& stream) override {
    nn::init::kaiming_uniform(weight, 1, stream, "weight");
    const NoGrad no_grad;
    bias.fill_(0);
  }
};

}  // namespace detail

/// P_i = 3x3(T_i), T_i = 1x1(C_i) + T_{i+1} resized to C_i by nearest neighbour, without
/// activation; and "pool", every second cell of the last level.
class FeaturePyramid : public nn::Module {
 public:
  FeaturePyramid(const std::array<int64_t, 4>& channels, int64_t width)
      : inner_(add<nn::Sequential>("inner_blocks")), layer_(add<nn::Sequential>("layer_blocks")) {
    for (size_t i = 0; i < channels.size(); ++i) {
      inner_blocks_[i] = &inner_.push<nn::Sequential>();
      inner_blocks_[i]->push<detail::PyramidConv>(channels[i], width, int64_t{1});
      layer_blocks_[i] = &layer_.push<nn::Sequential>();
      layer_blocks_[i]->push<detail::PyramidConv>(width, width, int64_t{3});
    }
  }

  /// @return levels "0", "1", "2", "3", "pool" with strides 4, 8, 16, 32, about 64
  std::vector<Tensor> forward(const std::array<Tensor, 4>& stages) const {
    std::vector<Tensor> out(5);
    Tensor top;
    for (size_t i = stages.size(); i-- > 0;) {
      const Tensor side = inner_blocks_[i]->forward(stages[i]);
      top = top.defined() ? side + upsample_nearest(top, side.size(1), side.size(2)) : side;
      out[i] = layer_blocks_[i]->forward(top);
    }
    out[4] = max_pool2d(out[3], {.kernel = 1, .stride = 2});
    return out;
  }

 private:
  nn::Sequential &inner_, &layer_;
  std::array<nn::Sequential*, 4> inner_blocks_{}, layer_blocks_{};
};

/// Residual network and pyramid.
class PyramidBackbone : public nn::Module {
 public:
  explicit PyramidBackbone(const MaskRcnnOptions& options)
      : body_(options.frozen_norm
                  ? static_cast<ResNetBody&>(
                        add<detail::ResNetBodyOf<nn::FrozenBatchNorm2d>>("body", options))
                  : add<detail::ResNetBodyOf<nn::BatchNorm2d>>("body", options)),
        fpn_(add<FeaturePyramid>("fpn", body_.channels(), options.channels)) {
    body_.set_trainable_layers(options.trainable_layers);
  }

  /// @param x [N, H, W, 3], sides multiples of 32   @return as FeaturePyramid::forward
  std::vector<Tensor> forward(const Tensor& x) const { return fpn_.forward(body_.stages(x)); }
  ResNetBody& body() { return body_; }
  const ResNetBody& body() const { return body_; }
  const FeaturePyramid& fpn() const { return fpn_; }

 private:
  ResNetBody& body_;
  FeaturePyramid& fpn_;
};

}  // namespace cytograd::models
