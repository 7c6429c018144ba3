// How the variational autoencoders start: the distributions their weights are drawn from, and what
// a start makes of features that are all 0.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/models/image_vae.h"
#include "cytograd/models/rna_vae.h"
#include "cytograd/nn/state_dict.h"
#include "cytograd/optim/clip.h"

using namespace cytograd;

namespace {

// Bounds in standard errors. The draws of a seed are always the same ones: of some 200 comparisons
// none is outside by chance, and none ever will be.
constexpr double most_errors = 5;

struct Moments {
  double mean = 0, variance = 0, fourth = 0, largest = 0;  // about 0 all
  double count = 0;
};

Moments moments(const Tensor& t) {
  Moments m;
  const std::vector<double> values = t.detach().to(Dtype::float64).to_vector<double>();
  m.count = static_cast<double>(values.size());
  for (const double v : values) {
    m.mean += v / m.count;
    m.variance += v * v / m.count;
    m.fourth += v * v * v * v / m.count;
    m.largest = std::max(m.largest, std::abs(v));
  }
  return m;
}

void within(double found, double expected, double standard_error) {
  CAPTURE(found);
  CAPTURE(expected);
  CAPTURE(standard_error);
  CHECK_FALSE(!(std::abs(found - expected) <= most_errors * standard_error));
}

// A mean of n draws has variance s^2 / n, their mean square (k - 1) s^4 / n with k the fourth
// moment over s^4: 3 for a normal distribution, 9/5 for a uniform one.
void check_normal(const Tensor& t, double variance) {
  const Moments m = moments(t);
  within(m.mean, 0, std::sqrt(variance / m.count));
  within(m.variance, variance, variance * std::sqrt(2 / m.count));
  // E x^8 = 105 s^8: the shape is a bell and not a box.
  within(m.fourth, 3 * variance * variance, variance * variance * std::sqrt(96 / m.count));
}

void check_uniform(const Tensor& t, double bound) {
  const Moments m = moments(t);
  const double variance = bound * bound / 3;
  within(m.mean, 0, std::sqrt(variance / m.count));
  within(m.variance, variance, variance * std::sqrt(.8 / m.count));
  CHECK(m.largest <= bound * (1 + 1e-7));  // rounded to float32
  // That n draws all stay below 1 - 20/n of the bound has probability e^-20.
  CHECK(m.largest > bound * (1 - std::min(1.0, 20 / m.count)));
}

void check_all(const Tensor& t, double value) {
  const std::vector<double> values = t.detach().to(Dtype::float64).to_vector<double>();
  CHECK(std::all_of(values.begin(), values.end(), [=](double v) { return v == value; }));
}

bool has(const std::string& name, const std::string& part) {
  return name.find(part) != std::string::npos;
}

void set_to_zero(const nn::Module& model, const std::string& part, const std::string& end) {
  const NoGrad no_grad;
  for (const auto& [name, tensor] : model.named_parameters())
    if (name.starts_with(part) && name.ends_with(end)) tensor.fill_(0);
}

}  // namespace

TEST_CASE("image VAE: weights start normal, transposed ones uniform, biases 0") {
  for (const bool wide : {false, true}) {
    const models::ImageVae model(3, {.wide = wide});
    std::map<std::string, double> fan;
    for (const auto& [name, t] : model.named_parameters())
      if (name.ends_with("weight") && t.ndim() > 1)
        fan[name.substr(0, name.size() - 6)] = static_cast<double>(t.numel() / t.size(0));
    int normal = 0, uniform = 0;
    for (const auto& [name, t] : model.named_parameters()) {
      CAPTURE(name);
      const bool weight = name.ends_with("weight");
      const std::string layer = name.substr(0, name.size() - (weight ? 6 : 4));
      if (has(name, ".gn")) {
        check_all(t, weight ? 1 : 0);
      } else if (has(name, "deconv")) {
        // [C_in, k, k, C_out]: 1 / sqrt(C_out k^2), the bias too.
        check_uniform(t, 1 / std::sqrt(fan.at(layer)));
        ++uniform;
      } else if (weight) {
        check_normal(t, 2 / fan.at(layer));  // He: 2 / fan-in
        ++normal;
      } else {
        check_all(t, 0);
      }
    }
    CHECK(normal == 8);  // six convolutions, the head and the first layer of the decoder
    CHECK(uniform == (wide ? 16 : 14));
  }
}

TEST_CASE("RNA VAE: weights and biases start uniform in 1 / sqrt(fan-in)") {
  const models::RnaVae model(2432, 3);
  std::map<std::string, double> fan;
  for (const auto& [name, t] : model.named_parameters())
    if (name.ends_with("weight"))
      fan[name.substr(0, name.size() - 6)] = static_cast<double>(t.size(1));
  CHECK(fan.at("encoder.fc1.") == 2432);
  CHECK(fan.at("decoder.fc1.") == 50);
  for (const auto& [name, t] : model.named_parameters()) {
    CAPTURE(name);
    check_uniform(t, 1 / std::sqrt(fan.at(name.substr(0, name.rfind('.') + 1))));
  }
}

TEST_CASE("image VAE: features that are all 0 have a finite loss and finite gradients") {
  for (const bool flat : {false, true}) {
    CAPTURE(flat);
    models::ImageVae model(5, {.flat_groups = flat});
    // Biases of the encoder are 0 from the start: 0 stays 0 in every layer, also where it is
    // divided by the deviation 0 of a group, so mu = log_var = 0. Without those of the decoders z =
    // 0 becomes features tanh(0) = 0 and pixels sigmoid(0) = 1/2.
    set_to_zero(model, "feat_dec.", "bias");
    set_to_zero(model, "img_dec.", "bias");
    const Tensor h = Tensor::zeros({2, 14, 14, 256}), image = Tensor::ones({2, 128, 128, 3}),
                 mask = Tensor::full({2, 128, 128, 1}, 0.5);
    const auto output = model.forward(h, Tensor::zeros({2, 50}));
    check_all(output.posterior.mu, 0);
    check_all(output.posterior.log_var, 0);
    check_all(output.features, 0);
    check_all(output.image, 0.5);
    // 0.45 of 128 * 128 * 3 pixels' (1/2 1/2)^2.
    const Tensor loss = models::image_vae_loss(output, h, image, mask);
    CHECK_FALSE(!(std::abs(loss.item() - 0.45 * 49'152 / 16) <= 3e-4));  // float32
    loss.backward();
    for (const auto& [name, t] : model.named_parameters()) {
      CAPTURE(name);
      CHECK(std::isfinite(optim::grad_norm({{name, t}})));
    }
    // Masks that are empty as well leave nothing.
    const auto again = model.forward(h, Tensor::zeros({2, 50}));
    for (const auto reduction : {losses::ImageReduction::sum, losses::ImageReduction::masked_mean})
      CHECK(models::image_vae_loss(again, h, image, Tensor::zeros({2, 128, 128, 1}),
                                   {.reduction = reduction})
                .item() == 0);
  }
  // As it is drawn, decoders with their biases: finite too.
  models::ImageVae model(5);
  const Tensor h = Tensor::zeros({2, 14, 14, 256});
  const auto output = model.forward(h, Tensor::ones({2, 50}));
  const Tensor loss = models::image_vae_loss(output, h, Tensor::zeros({2, 128, 128, 3}),
                                             Tensor::ones({2, 128, 128, 1}));
  CHECK(std::isfinite(loss.item()));
  CHECK(loss.item() > 0);
}
