#include "train/trainer_setup.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "cytograd/core/error.h"
#include "cytograd/models/stages.h"
#include "cytograd/nn/batch_norm.h"
#include "cytograd/optim/adam.h"
#include "cytograd/optim/sgd.h"
#include "cytograd/train/method.h"
#include "cytograd/train/task.h"

namespace cytograd {
namespace {

// Parameters by the factor of their learning rate, in order.
std::vector<optim::ParameterGroup> groups_of(const TrainConfig& c,
                                             const nn::NamedTensors& parameters, int64_t stages) {
  std::vector<optim::ParameterGroup> out;
  for (const auto& [name, tensor] : parameters) {
    const int64_t stage = models::stage_of(name);
    double scale = c.backbone_lr_factor;
    if (stage >= 0)
      scale *=
          std::pow(c.stage_lr_decay, static_cast<double>(stages - std::max<int64_t>(stage, 1)));
    if (stage == models::classifier_stage || name.starts_with("method/")) scale = 1;
    auto group = std::find_if(out.begin(), out.end(),
                              [scale](const auto& g) { return g.lr_scale == scale; });
    if (group == out.end()) group = out.insert(out.end(), {{}, scale, 1});
    group->parameters.emplace_back(name, tensor);
  }
  return out;
}

Order order_of(const std::string& name) {
  if (name == "replacement") return Order::replacement;
  if (name == "balanced") return Order::balanced;
  if (name == "domains") return Order::domains;
  if (name == "domains_balanced") return Order::domains_balanced;
  return Order::shuffle;
}

}  // namespace

std::unique_ptr<optim::Optimizer> make_optimizer(const TrainConfig& c,
                                                 const nn::NamedTensors& parameters,
                                                 int64_t batches, int64_t stages) {
  auto groups = groups_of(c, parameters, stages);
  if (c.optimizer == "sgd")
    return std::make_unique<optim::Sgd>(
        std::move(groups), optim::SgdOptions{c.lr, c.momentum, c.weight_decay, c.nesterov});
  const optim::AdamOptions options{
      .lr = c.lr, .beta1 = c.beta1, .beta2 = c.beta2, .eps = c.eps, .weight_decay = c.weight_decay};
  std::unique_ptr<optim::Adam> adam;
  if (c.optimizer == "adam")
    adam = std::make_unique<optim::Adam>(std::move(groups), options);
  else
    adam = std::make_unique<optim::AdamW>(std::move(groups), options);
  if (c.adam_row_steps == "per_row" && grows(c))
    for (const char* name : {"embedding.weight", "embedding.bias"})
      adam->set_row_starts(name, [growth = growth_of(c), batches](int64_t row) {
        return growth.first_epoch(row) * batches;
      });
  return adam;
}

optim::Schedule make_schedule(const TrainConfig& c, int64_t batches) {
  const auto steps_of = [&](double epochs) {
    return static_cast<int64_t>(std::llround(epochs * static_cast<double>(batches)));
  };
  const int64_t warm = steps_of(c.warmup_epochs);
  optim::Schedule then = optim::constant();
  if (c.schedule == "cosine")
    then = optim::cosine(std::max<int64_t>(1, batches * c.epochs - warm),
                         c.lr > 0 ? c.min_lr / c.lr : 0);
  else if (c.schedule == "step")
    then = optim::step_decay(std::max<int64_t>(1, steps_of(c.step_epochs)), c.step_factor);
  return warm > 0 ? optim::warm_up(warm, then) : then;
}

LoaderOptions loader_options(const TrainConfig& c, const models::ImageModel& model) {
  LoaderOptions out;
  out.batch_size = c.batch;
  out.seed = static_cast<uint64_t>(c.seed);
  out.preprocess = preprocess_of(c, model);
  out.max_pixels = c.max_pixels;
  return out;
}

LoaderOptions training_options(const TrainConfig& c, const models::ImageModel& model,
                               int64_t samples, bool on_host) {
  LoaderOptions out = loader_options(c, model);
  out.order = order_of(c.order);
  out.steps = c.steps_per_epoch;
  out.augmentation = augmentation_of(c);
  out.views = method_traits(c.method).views;
  // Batch statistics of a single image say nothing; images that are told apart need as many others
  // in every step.
  const bool rest = self_supervised(c) || samples % c.batch == 1;
  out.drop_last = !over_domains(c) && samples > c.batch && rest;
  if (c.augment_on == "device" && on_host)
    throw ConfigError(Fault{"cfg", "", "", "input.augment_on device on the CPU", "auto or host",
                            "pass --augment-on auto, or another --device"});
  out.raw = !on_host && c.augment_on != "host";
  return out;
}

void freeze_parts(models::ImageModel& model, const TrainConfig& c) {
  const int64_t stages = models::stage_count(model);
  if (c.freeze > stages)
    throw ConfigError(Fault{"cfg", "", "", "model.freeze is " + std::to_string(c.freeze),
                            "at most " + std::to_string(stages) + ", the stages of " + c.model,
                            ""});
  if (c.freeze_bn) model.freeze_batch_norm(true, false);
  const bool head_alone = trains_head_alone(c);
  const auto stays = [&](const std::string& name) {
    const int64_t stage = models::stage_of(name);
    if (head_alone) return stage != models::classifier_stage;
    return stage >= 0 && std::max<int64_t>(stage, 1) <= c.freeze;
  };
  model.for_each([&](const std::string& name, nn::Module& module) {
    auto* norm = dynamic_cast<nn::BatchNorm2d*>(&module);
    if (norm && stays(name)) norm->set_frozen(true);
  });
  for (const auto& [name, tensor] : model.named_parameters())
    if (stays(name)) tensor.set_requires_grad(false);
}

}  // namespace cytograd
