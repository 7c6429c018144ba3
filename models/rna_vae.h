#pragma once

#include <array>
#include <string>

#include "cytograd/losses/cosine.h"
#include "cytograd/losses/gaussian_kl.h"
#include "cytograd/losses/reconstruction.h"
#include "cytograd/models/beta_vae.h"

/// @file
/// The RNA half of the multimodal beta-VAE of Mert et al. (models/image_vae.h): expression of a
/// cell to a latent of 50 and back. 5,126,932 parameters in 16 tensors for 2,432 genes.

namespace cytograd::models {

namespace detail {

/// Four linear layers with leaky ReLU 0.01 between them.
class RnaLayers : public nn::Layer {
 public:
  explicit RnaLayers(const std::array<int64_t, 5>& widths) {
    for (size_t i = 0; i < layers_.size(); ++i)
      layers_[i] = &add<nn::Linear>("fc" + std::to_string(i + 1), widths[i], widths[i + 1]);
  }
  Tensor forward(const Tensor& x) const override {
    Tensor y = layers_[0]->forward(x);
    for (size_t i = 1; i < layers_.size(); ++i) y = layers_[i]->forward(leaky_relu(y, 0.01));
    return y;
  }

 private:
  std::array<nn::Linear*, 4> layers_{};
};

}  // namespace detail

/// Linear layers start uniform in +-1/sqrt(fan_in).
class RnaVae : public nn::Module {
 public:
  static constexpr int64_t latent = 50;

  /// Posterior, the latent that was decoded [N, 50] and the reconstruction [N, genes] in (0, 1).
  struct Output {
    Posterior posterior;
    Tensor z, recon;
  };

  explicit RnaVae(int64_t genes = 2432, uint64_t seed = 0)
      : encoder_(add<detail::RnaLayers>(
            "encoder", std::array{genes, int64_t{800}, int64_t{600}, int64_t{200}, 2 * latent})),
        decoder_(add<detail::RnaLayers>(
            "decoder", std::array{latent, int64_t{200}, int64_t{600}, int64_t{800}, genes})) {
    initialize(seed);
  }

  /// @param x  [N, genes], scaled to [0, 1]
  Posterior encode(const Tensor& x) const { return posterior_of(encoder_(x)); }
  /// Expression from latents [N, 50].
  Tensor decode(const Tensor& z) const { return sigmoid(decoder_(z)); }

  /// Training mode: z is sampled (see `sample`); evaluation mode: z = mu, and epsilon is ignored.
  Output forward(const Tensor& x, const Tensor& epsilon = {}) const {
    Posterior posterior = encode(x);
    const Tensor z = training() ? sample(posterior, epsilon) : posterior.mu;
    return {std::move(posterior), z, decode(z)};
  }

 private:
  detail::RnaLayers& encoder_;
  detail::RnaLayers& decoder_;
};

struct RnaVaeCoefficients {
  double lambda = 1;   ///< of the mean squared error of the expression
  double phi = 1;      ///< of the cosine distance to the reference latents
  double beta = 5e-4;  ///< of the divergence
  /// The cosine is taken on z, which punishes a mu that is small beside sigma; else on mu, as
  /// published code does, which leaves the length of mu free.
  bool cosine_on_mu = false;
};

/// lambda mean squared error + phi cosine distance + beta divergence.
/// @param x  what was encoded   @param reference  latents to agree with [N, 50]; undefined leaves
/// the term out   @return a scalar
inline Tensor rna_vae_loss(const RnaVae::Output& output, const Tensor& x, const Tensor& reference,
                           const RnaVaeCoefficients& c = {}) {
  const Tensor loss = losses::mean_squared_error(output.recon, x) * c.lambda +
                      losses::gaussian_kl(output.posterior.mu, output.posterior.log_var) * c.beta;
  if (!reference.defined()) return loss;
  const Tensor& latent = c.cosine_on_mu ? output.posterior.mu : output.z;
  return loss + losses::cosine_distance(latent, reference) * c.phi;
}

}  // namespace cytograd::models
