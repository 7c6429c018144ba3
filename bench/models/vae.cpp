#include "bench/models/vae.h"

#include <memory>

#include "bench/support/case.h"
#include "bench/support/device.h"
#include "cytograd/core/random_scope.h"
#include "cytograd/models/image_vae.h"
#include "cytograd/models/rna_vae.h"
#include "cytograd/optim/adam.h"

namespace cytograd::bench {
namespace {

// `loss()` builds the graph of one step; Adam changes the parameters of `model`.
template <class Model, class Loss>
Work training_step(std::shared_ptr<const Model> model, double weight_decay, Loss loss) {
  const auto adam = std::make_shared<optim::Adam>(
      model->named_parameters(), optim::AdamOptions{.lr = 1e-3, .weight_decay = weight_decay});
  return {[=] {
    const RandomScope scope(1, static_cast<uint64_t>(adam->step_count()));
    loss().backward();
    adam->step();
    adam->zero_grad();
  }};
}

Tensor unit_interval(const Shape& shape) {
  const NoGrad no_grad;
  return random_tensor(shape) * 0.5 + 0.5;
}

Work image_vae(const ModelSetting& s) {
  const auto model = std::make_shared<models::ImageVae>();
  model->to(device());
  const Tensor h = random_tensor({s.batch, 14, 14, 256});
  if (!s.train) {
    model->eval();
    return {[=] {
      const NoGrad no_grad;
      model->forward(h);
    }};
  }
  const Tensor image = unit_interval({s.batch, 128, 128, 3});
  const Tensor mask = unit_interval({s.batch, 128, 128, 1});
  return training_step<models::ImageVae>(
      model, 1e-6, [=] { return models::image_vae_loss(model->forward(h), h, image, mask); });
}

Work rna_vae(const ModelSetting& s) {
  const auto model = std::make_shared<models::RnaVae>();
  model->to(device());
  const Tensor x = unit_interval({s.batch, 2432});
  if (!s.train) {
    model->eval();
    return {[=] {
      const NoGrad no_grad;
      model->forward(x);
    }};
  }
  const Tensor reference = random_tensor({s.batch, models::RnaVae::latent});
  return training_step<models::RnaVae>(
      model, 0, [=] { return models::rna_vae_loss(model->forward(x), x, reference); });
}

}  // namespace

bool is_vae(const std::string& model) { return model == "image-vae" || model == "rna-vae"; }

Work vae_work(const ModelSetting& s) {
  return as_graph(s.model == "rna-vae" ? rna_vae(s) : image_vae(s), s);
}

}  // namespace cytograd::bench
