#pragma once

#include <array>
#include <string>
#include <vector>

#include "cytograd/models/image_model.h"
#include "cytograd/nn/batch_norm.h"
#include "cytograd/nn/conv2d.h"
#include "cytograd/nn/pool.h"
#include "cytograd/nn/sequential.h"
#include "cytograd/ops/channel_buffer.h"
#include "cytograd/ops/dropout.h"

/// @file
/// Densely connected networks (Huang et al., "Densely Connected Convolutional Networks", 2017),
/// with bottlenecks and compression 0.5. Names and values as torchvision.densenet*.

namespace cytograd::models {

/// Which DenseNet: new channels per layer, channels of the stem, layers of the four blocks.
struct DenseNetSize {
  int64_t growth, stem;
  std::array<int64_t, 4> layers;
};
inline constexpr DenseNetSize densenet121{32, 64, {6, 12, 24, 16}};
inline constexpr DenseNetSize densenet169{32, 64, {6, 12, 32, 32}};
inline constexpr DenseNetSize densenet201{32, 64, {6, 12, 48, 32}};

namespace detail {

inline nn::Conv2d& dense_conv(nn::Conv2d& layer) {
  layer.weight_init = nn::init::Weight::he_normal_fan_in;
  return layer;
}

/// x [.., C] -> [.., growth]: norm-relu-1x1-norm-relu-3x3.
class DenseLayer : public nn::Layer {
 public:
  DenseLayer(int64_t channels, int64_t growth, const ModelOptions& options)
      : norm1_(add<nn::BatchNorm2d>("norm1", channels)),
        conv1_(
            dense_conv(add<nn::Conv2d>("conv1", channels, 4 * growth, 1, Conv2dOptions{}, false))),
        norm2_(add<nn::BatchNorm2d>("norm2", 4 * growth)),
        conv2_(dense_conv(
            add<nn::Conv2d>("conv2", 4 * growth, growth, 3, Conv2dOptions{.padding = 1}, false))),
        drop_rate_(options.drop_rate) {}

  Tensor forward(const Tensor& x) const override { return forward(x, {}); }
  /// @param moments  of x, if they are known
  Tensor forward(const Tensor& x, const ChannelMoments& moments) const {
    Tensor y = conv2_(norm2_.forward_relu_after(conv1_, norm1_, x, moments));
    if (training() && drop_rate_ > 0) y = dropout(y, drop_rate_, true);
    return y;
  }

 private:
  nn::BatchNorm2d& norm1_;
  nn::Conv2d& conv1_;
  nn::BatchNorm2d& norm2_;
  nn::Conv2d& conv2_;
  double drop_rate_;
};

/// x [.., C] -> [.., C + layers growth]: each layer reads all channels so far and adds `growth`.
class DenseBlock : public nn::Layer {
 public:
  DenseBlock(int64_t channels, int64_t layers, int64_t growth, const ModelOptions& options)
      : channels_(channels + layers * growth) {
    for (int64_t l = 0; l < layers; ++l)
      layers_.push_back(&add<DenseLayer>("denselayer" + std::to_string(l + 1),
                                         channels + l * growth, growth, options));
  }

  Tensor forward(const Tensor& x) const override {
    // Every layer normalises all channels so far, whose moments do not depend on the layer.
    ChannelBuffer buffer(x, channels_, training());
    for (const DenseLayer* layer : layers_)
      buffer.append(layer->forward(buffer.channels(), buffer.moments()));
    return buffer.channels();
  }

 private:
  int64_t channels_;
  std::vector<const DenseLayer*> layers_;
};

/// Norm-relu-1x1 to half the channels, 2x2 mean.
class Transition : public nn::Sequential {
 public:
  explicit Transition(int64_t channels) {
    add<nn::BatchNormReLU>("norm", channels);
    dense_conv(add<nn::Conv2d>("conv", channels, channels / 2, 1, Conv2dOptions{}, false));
    add<nn::AvgPool2d>("pool", Pool2dOptions{.kernel = 2});
  }
};

}  // namespace detail

/// Stem 7x7/2 and max pool 3x3/2, four dense blocks with transitions between them, final norm and
/// ReLU, global average pool, `classifier`. Images need at least 32 x 32 pixels.
class DenseNet : public ImageModel {
 public:
  DenseNet(const DenseNetSize& size, const ModelOptions& options = {})
      : ImageModel(options), features_(add<nn::Sequential>("features")) {
    check<ValueError>(options.drop_rate >= 0 && options.drop_rate < 1, "densenet",
                      "drop_rate expects 0 <= p < 1, got ", options.drop_rate);
    detail::dense_conv(features_.add<nn::Conv2d>("conv0", options.in_channels, size.stem, 7,
                                                 Conv2dOptions{.stride = 2, .padding = 3}, false));
    features_.add<nn::BatchNormReLU>("norm0", size.stem);
    features_.add<nn::MaxPool2d>("pool0", Pool2dOptions{.kernel = 3, .stride = 2, .padding = 1});
    channels_ = size.stem;
    for (size_t b = 0; b < size.layers.size(); ++b) {
      const std::string number = std::to_string(b + 1);
      features_.add<detail::DenseBlock>("denseblock" + number, channels_, size.layers[b],
                                        size.growth, options);
      channels_ += size.layers[b] * size.growth;
      if (b + 1 == size.layers.size()) break;
      features_.add<detail::Transition>("transition" + number, channels_);
      channels_ /= 2;
    }
    features_.add<nn::BatchNormReLU>("norm5", channels_);
    add_head(options, "classifier");
    // Its own classifier starts at 0; behind an embedding it is a layer of ours.
    if (classifier_) classifier_->zero_bias = options.embedding == 0;
    if (options.initialize) initialize(options.seed);
  }

  Tensor features(const Tensor& x) const override { return nn::global_avg_pool(features_(x)); }
  int64_t feature_count() const override { return channels_; }

 private:
  nn::Sequential& features_;
  int64_t channels_ = 0;
};

}  // namespace cytograd::models
