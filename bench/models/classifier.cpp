#include "bench/models/classifier.h"

#include <algorithm>
#include <memory>

#include "bench/support/case.h"
#include "bench/support/device.h"
#include "cytograd/inference/compile.h"
#include "cytograd/models/registry.h"
#include "cytograd/ops/cross_entropy.h"
#include "cytograd/optim/sgd.h"

namespace cytograd::bench {
namespace {

using Model = std::shared_ptr<const models::ImageModel>;

// The compiled form has its own weights, so the model is given up to it.
inference::CompiledModel compiled_model(std::unique_ptr<models::ImageModel> model,
                                        const ModelSetting& s) {
  return inference::compile(
      std::move(model), {s.size, s.size, s.in_channels},
      {.batch = s.batch, .device = device(), .bfloat16 = precision() == Precision::bf16});
}

// How inference is run: the one place that decides it.
std::function<Tensor(const Tensor&)> run_inference(std::unique_ptr<models::ImageModel> model,
                                                   const ModelSetting& s) {
  if (is_compiled(s)) return compiled_model(std::move(model), s);
  return [model = Model(std::move(model))](const Tensor& x) {
    const NoGrad no_grad;
    return model->forward(x);
  };
}

std::unique_ptr<models::ImageModel> new_model(const ModelSetting& s) {
  auto model = models::make_model(s.model, {.in_channels = s.in_channels, .classes = s.classes});
  model->train(s.train);
  model->to(device());
  return model;
}

Tensor random_images(const ModelSetting& s) {
  return random_tensor({s.batch, s.size, s.size, s.in_channels});
}

Work training_step(Model model, const Tensor& images, int64_t classes) {
  std::vector<int64_t> labels(static_cast<size_t>(images.size(0)));
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int64_t>(i) % classes;
  const auto sgd = std::make_shared<optim::Sgd>(model->named_parameters(),
                                                optim::SgdOptions{.lr = 1e-3, .momentum = 0.9});
  return {[=, y = placed(Tensor::from(labels))] {
    cross_entropy(model->forward(images), y).backward();
    sgd->step();
    sgd->zero_grad();
  }};
}

}  // namespace

std::vector<std::string> classifier_names() { return models::model_names(); }

Work classifier_work(const ModelSetting& s) {
  std::unique_ptr<models::ImageModel> model = new_model(s);
  const Tensor images = random_images(s);
  if (s.train) return as_graph(training_step(std::move(model), images, s.classes), s);
  return as_graph({[images, infer = run_inference(std::move(model), s)] { infer(images); }}, s);
}

std::vector<StepTime> classifier_steps(const ModelSetting& s, int64_t repeats, int64_t warmup) {
  const Tensor images = random_images(s);
  const inference::CompiledModel compiled = compiled_model(new_model(s), s);
  const std::vector<inference::StepCost> steps = compiled.steps();
  const Tensor result = compiled(images);
  for (int64_t i = 0; i < warmup; ++i) compiled.run(images, result);
  std::vector<Times> times(steps.size());
  for (int64_t i = 0; i < repeats; ++i) {
    std::vector<double> seconds(steps.size());
    compiled.run(images, result, seconds);
    for (size_t k = 0; k < steps.size(); ++k) times[k].seconds.push_back(seconds[k]);
  }
  std::vector<StepTime> out;
  for (size_t k = 0; k < steps.size(); ++k) {
    std::sort(times[k].seconds.begin(), times[k].seconds.end());
    out.push_back(
        {steps[k].name, steps[k].flops * static_cast<double>(s.batch), times[k].median()});
  }
  return out;
}

}  // namespace cytograd::bench
