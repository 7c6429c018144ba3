#include "bench/models/classifier.h"

#include <memory>

#include "bench/support/case.h"
#include "cytograd/inference/compile.h"
#include "cytograd/models/registry.h"
#include "cytograd/ops/cross_entropy.h"
#include "cytograd/optim/sgd.h"

namespace cytograd::bench {
namespace {

using Model = std::shared_ptr<const models::ImageModel>;

// How inference is run: the one place that decides it. The compiled form has its own weights, so
// the model is given up to it.
std::function<Tensor(const Tensor&)> run_inference(std::unique_ptr<models::ImageModel> model,
                                                   const ModelSetting& s) {
  if (!s.eager)
    return inference::compile(std::move(model), {s.size, s.size, s.in_channels},
                              {.batch = s.batch});
  return [model = Model(std::move(model))](const Tensor& x) {
    const NoGrad no_grad;
    return model->forward(x);
  };
}

Work training_step(Model model, const Tensor& images, int64_t classes) {
  std::vector<int64_t> labels(static_cast<size_t>(images.size(0)));
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int64_t>(i) % classes;
  const auto sgd = std::make_shared<optim::Sgd>(model->named_parameters(),
                                                optim::SgdOptions{.lr = 1e-3, .momentum = 0.9});
  return {[=, y = Tensor::from(labels)] {
    cross_entropy(model->forward(images), y).backward();
    sgd->step();
    sgd->zero_grad();
  }};
}

}  // namespace

std::vector<std::string> classifier_names() { return models::model_names(); }

Work classifier_work(const ModelSetting& s) {
  std::unique_ptr<models::ImageModel> model =
      models::make_model(s.model, {.in_channels = s.in_channels, .classes = s.classes});
  model->train(s.train);
  const Tensor images = random_tensor({s.batch, s.size, s.size, s.in_channels});
  if (s.train) return training_step(std::move(model), images, s.classes);
  return {[images, infer = run_inference(std::move(model), s)] { infer(images); }};
}

}  // namespace cytograd::bench
