#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/losses/gaussian_kl.h"
#include "cytograd/losses/reconstruction.h"
#include "cytograd/models/beta_vae.h"
#include "cytograd/nn/conv2d.h"
#include "cytograd/nn/conv_transpose2d.h"
#include "cytograd/nn/group_norm.h"
#include "cytograd/ops/reduce.h"

/// @file
/// The image half of the multimodal beta-VAE of Mert, Sadafi, Salehi, Navab and Marr ("Multimodal
/// Analysis of White Blood Cell Differentiation in AML Patients using a beta-VAE"): detector
/// features to a latent of 50, back to features, and on to the cell's image.
/// 2,718,645 parameters in 40 tensors.

namespace cytograd::models {

struct ImageVaeOptions {
  int64_t channels = 256;  ///< of the detector's pyramid, and so of the features
  /// The wider image decoder of the authors' earlier autoencoder; 1,924,845 instead of 666,699
  /// parameters in it.
  bool wide = false;
  /// Group normalisation as in the authors' published weights: groups are equal pieces of a
  /// cell's values in the order channel, row, column, whatever channels they cut, 32 of them in
  /// the first layer; divisor n - 1.
  bool flat_groups = false;
};

namespace detail {

/// x [N, H, W, C] normalised over `groups` equal pieces of each sample's values in the order
/// C, H, W, with divisor n - 1; then weight and bias [C].
inline Tensor flat_group_norm(const Tensor& x, int64_t groups, const Tensor& weight,
                              const Tensor& bias, double eps) {
  const int64_t n = x.size(0), values = x.size(1) * x.size(2) * x.size(3);
  check<ValueError>(values % groups == 0 && values / groups >= 2, "flat_group_norm",
                    "groups expects a divisor of ", values, " values, got ", groups);
  const Tensor flat = reshape(permute(x, {0, 3, 1, 2}), {n, groups, values / groups});
  const Tensor centred = flat - mean(flat, -1, true);
  const double unbiased = 1 / static_cast<double>(values / groups - 1);
  const Tensor normal = centred / sqrt(sum(square(centred), -1, true) * unbiased + eps);
  const Tensor y = reshape(normal, {n, x.size(3), x.size(1), x.size(2)});
  return permute(y, {0, 2, 3, 1}) * weight + bias;
}

/// Features to posterior: convolution, ReLU, group norm, five times; 1x1 convolution and ReLU;
/// linear to mean and log variance.
class ImageEncoder : public nn::Layer {
 public:
  explicit ImageEncoder(const ImageVaeOptions& options) : flat_groups_(options.flat_groups) {
    stage(1, options.channels, 200, 3, 25);  // [N, 12, 12, 200]
    stage(2, 200, 150, 3, 30, 2);            // [N, 5, 5, 150]
    stage(3, 150, 100, 3, 10);               // [N, 3, 3, 100]
    stage(4, 100, 70, 2, 10);                // [N, 2, 2, 70]
    stage(5, 70, 60, 2, 20);                 // [N, 1, 1, 60]
    last_ = &conv(6, 60, 50, 1, 1);          // [N, 1, 1, 50]
    head_ = &add<nn::Linear>("head", 50, 100);
    head_->weight_init = nn::init::Weight::he_normal_fan_in;
  }

  Tensor forward(const Tensor& x) const override {
    Tensor y = x;
    for (const auto& [conv, norm] : stages_) y = normalised(*norm, relu(conv->forward(y)));
    return head_->forward(flatten(relu(last_->forward(y))));
  }

 private:
  Tensor normalised(const nn::GroupNorm& norm, const Tensor& x) const {
    if (!flat_groups_) return norm.forward(x);
    const int64_t groups = &norm == stages_.front().second ? 32 : norm.groups;
    return flat_group_norm(x, groups, norm.weight, norm.bias, norm.eps);
  }
  nn::Conv2d& conv(int number, int64_t in, int64_t out, int64_t kernel, int64_t stride) {
    auto& layer = add<nn::Conv2d>("conv" + std::to_string(number), in, out, kernel,
                                  Conv2dOptions{.stride = stride});
    layer.weight_init = nn::init::Weight::he_normal_fan_in;
    return layer;
  }
  void stage(int number, int64_t in, int64_t out, int64_t kernel, int64_t groups,
             int64_t stride = 1) {
    nn::Conv2d& layer = conv(number, in, out, kernel, stride);
    stages_.emplace_back(&layer, &add<nn::GroupNorm>("gn" + std::to_string(number), groups, out));
  }

  std::vector<std::pair<nn::Conv2d*, nn::GroupNorm*>> stages_;
  nn::Conv2d* last_ = nullptr;
  nn::Linear* head_ = nullptr;
  bool flat_groups_;
};

/// z [N, 50] -> features [N, 14, 14, channels] in (-1, 1).
class FeatureDecoder : public nn::Layer {
 public:
  explicit FeatureDecoder(int64_t channels)
      : fc_(add<nn::Linear>("fc", 50, 50)),
        deconv1_(add<nn::ConvTranspose2d>("deconv1", 50, 150, 5)),  // [N, 5, 5, 150]
        deconv2_(add<nn::ConvTranspose2d>(
            "deconv2", 150, 200, 4, ConvTranspose2dOptions{.stride = 2})),  // [N, 12, 12, 200]
        deconv3_(add<nn::ConvTranspose2d>("deconv3", 200, channels, 3)) {
    fc_.weight_init = nn::init::Weight::he_normal_fan_in;
  }
  Tensor forward(const Tensor& z) const override {
    const Tensor y = reshape(fc_(z), {z.size(0), 1, 1, 50});
    return tanh(deconv3_(relu(deconv2_(relu(deconv1_(y))))));
  }

 private:
  nn::Linear& fc_;
  nn::ConvTranspose2d &deconv1_, &deconv2_, &deconv3_;
};

/// Features [N, 14, 14, channels] -> image [N, 128, 128, 3] in (0, 1).
class ImageDecoder : public nn::Layer {
 public:
  explicit ImageDecoder(const ImageVaeOptions& options) {
    const std::array<int64_t, 5> widths =
        options.wide ? std::array<int64_t, 5>{options.channels, 200, 180, 150, 128}
                     : std::array<int64_t, 5>{options.channels, 96, 48, 24, 3};
    const auto grow = [&](size_t i, int64_t kernel, int64_t stride) {
      layers_[i] =
          &add<nn::ConvTranspose2d>("deconv" + std::to_string(i + 1), widths[i], widths[i + 1],
                                    kernel, ConvTranspose2dOptions{.stride = stride});
    };
    grow(0, 5, 2);  // [N, 31, 31, .]
    grow(1, 3, 2);  // [N, 63, 63, .]
    grow(2, 3, 2);  // [N, 127, 127, .]
    grow(3, 2, 1);  // [N, 128, 128, .]
    if (options.wide) colour_ = &add<nn::ConvTranspose2d>("deconv5", 128, 3, 1);
  }
  Tensor forward(const Tensor& features) const override {
    Tensor y = layers_[0]->forward(features);
    for (size_t i = 1; i < layers_.size(); ++i) y = layers_[i]->forward(relu(y));
    return sigmoid(colour_ ? colour_->forward(relu(y)) : y);
  }

 private:
  std::array<nn::ConvTranspose2d*, 4> layers_{};
  nn::ConvTranspose2d* colour_ = nullptr;
};

}  // namespace detail

/// Convolutions without padding; linear layers and convolutions start He-normal with bias 0,
/// transposed convolutions uniform.
class ImageVae : public nn::Module {
 public:
  static constexpr int64_t latent = 50;

  /// What `forward` gives: posterior, the latent that was decoded [N, 50], features
  /// [N, 14, 14, channels] and image [N, 128, 128, 3].
  struct Output {
    Posterior posterior;
    Tensor z, features, image;
  };

  explicit ImageVae(uint64_t seed = 0, const ImageVaeOptions& options = {})
      : options_(options),
        encoder_(add<detail::ImageEncoder>("encoder", options)),
        feature_decoder_(add<detail::FeatureDecoder>("feat_dec", options.channels)),
        image_decoder_(add<detail::ImageDecoder>("img_dec", options)) {
    initialize(seed);
  }

  const ImageVaeOptions& options() const { return options_; }

  /// @param h  features of a cell, scaled to [-1, 1]: [N, 14, 14, channels]   @throws ShapeError
  Posterior encode(const Tensor& h) const {
    check<ShapeError>(h.ndim() == 4 && h.shape() == Shape{h.size(0), 14, 14, options_.channels},
                      "image_vae", "features expect [N, 14, 14, ", options_.channels, "], got ",
                      h.shape());
    return posterior_of(encoder_(h));
  }
  /// Features from latents [N, 50].
  Tensor decode_features(const Tensor& z) const { return feature_decoder_(z); }
  /// The image from features, which are decoded ones also in training.
  Tensor decode_image(const Tensor& features) const { return image_decoder_(features); }

  /// Training mode: z is sampled (see `sample`); evaluation mode: z = mu, and epsilon is ignored.
  Output forward(const Tensor& h, const Tensor& epsilon = {}) const {
    Posterior posterior = encode(h);
    const Tensor z = training() ? sample(posterior, epsilon) : posterior.mu;
    const Tensor features = decode_features(z);
    return {std::move(posterior), z, features, decode_image(features)};
  }

 private:
  ImageVaeOptions options_;
  detail::ImageEncoder& encoder_;
  detail::FeatureDecoder& feature_decoder_;
  detail::ImageDecoder& image_decoder_;
};

/// Weights of the terms; those published for granulopoiesis.
struct ImageVaeCoefficients {
  double alpha = 0.20;  ///< of the mean squared error of the features
  double gamma = 0.45;  ///< of the masked image error under `reduction`
  double beta = 0.25;   ///< of the divergence
  losses::ImageReduction reduction = losses::ImageReduction::sum;
};

/// alpha feature error + gamma masked image error + beta divergence.
/// @param h  what was encoded   @param image  [N, 128, 128, 3] in [0, 1]
/// @param mask  [N, 128, 128, 1] in [0, 1]   @return a scalar
inline Tensor image_vae_loss(const ImageVae::Output& output, const Tensor& h, const Tensor& image,
                             const Tensor& mask, const ImageVaeCoefficients& c = {}) {
  return losses::mean_squared_error(output.features, h) * c.alpha +
         losses::masked_image_error(output.image, image, mask, c.reduction) * c.gamma +
         losses::gaussian_kl(output.posterior.mu, output.posterior.log_var) * c.beta;
}

}  // namespace cytograd::models
