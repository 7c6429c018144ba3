#include <cmath>
#include <numbers>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/autocast.h"
#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/losses/cosine.h"
#include "cytograd/nn/activation.h"
#include "cytograd/nn/batch_norm.h"
#include "cytograd/nn/linear.h"
#include "cytograd/nn/sequential.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/train/task.h"
#include "train/methods.h"
#include "train/views_method.h"

namespace cytograd {
namespace {

void add_layers(nn::Sequential& to, int64_t in, int64_t hidden, int64_t out) {
  to.push<nn::Linear>(in, hidden);
  to.push<nn::BatchNormReLU>(hidden);
  to.push<nn::Linear>(hidden, out);
}

void append(nn::NamedTensors& to, const std::string& prefix, const nn::NamedTensors& tensors) {
  for (const auto& [name, tensor] : tensors) to.emplace_back(prefix + name, tensor);
}

// Grill et al. 2020: the network predicts, from one view, what a slowly following copy of itself
// makes of the other. There are no images to be told from, so that batches may be small; the copy
// and the predictor keep embeddings from collapsing.
class ByolMethod final : public ViewsMethod {
 public:
  explicit ByolMethod(const MethodContext& context)
      : ViewsMethod(context, "byol"),
        momentum_(context.config.byol_momentum),
        target_(model_of(context.config, 0, false)) {
    check<StateError>(context.model != nullptr, "byol", "expects the network to follow");
    const int64_t h = context.embedding, p = context.config.projection;
    const auto seed = static_cast<uint64_t>(context.config.seed);
    add_layers(projection_, h, h, p);
    add_layers(target_projection_, h, h, p);
    add_layers(predictor_, p, h, p);
    projection_.initialize(stream_key(seed, "projection"));
    predictor_.initialize(stream_key(seed, "predictor"));
    for (nn::Module* module : modules()) module->to(context.device);
    online_ = context.model->state_dict();
    append(online_, "projection.", projection_.state_dict());
    following_ = target_->state_dict();
    append(following_, "projection.", target_projection_.state_dict());
    copy_network();
  }

  void before_step(const StepStart& start) override {
    step_ = start.step;
    steps_ = start.steps;
    if (step_ == 0) copy_network();  // a weight file may have been read since
  }

  std::vector<LossTerm> loss(const Batch& batch, const ModelOutput& output) override {
    const Views wanted = views_of(targets(batch));
    const Autocast exact(false);
    const Tensor z = projection_.forward(output.embeddings.to(Dtype::float32));
    const Views found = views_of(predictor_.forward(z));
    // |u - v|^2 = 2 - 2 cos, for either view.
    const Tensor distance = losses::cosine_distance(found.first, wanted.second) +
                            losses::cosine_distance(found.second, wanted.first);
    return terms_of(distance * 2.0, z);
  }

  nn::NamedTensors parameters() const override {
    nn::NamedTensors out;
    append(out, "projection.", projection_.named_parameters());
    append(out, "predictor.", predictor_.named_parameters());
    return out;
  }

  // The copy follows the more slowly the further the training is.
  void after_step(int64_t) override {
    const double p = steps_ > 0 ? static_cast<double>(step_) / static_cast<double>(steps_) : 0;
    follow(1 - (1 - momentum_) * (std::cos(std::numbers::pi * p) + 1) / 2);
  }

  // The copy moves in every step, by a share that changes.
  bool recordable() const override { return false; }

  TensorMap state() const override {
    TensorMap out;
    for (const auto& [name, tensor] : kept()) out[name] = tensor.detach();
    return out;
  }
  void load_state(const TensorMap& state) override {
    const NoGrad no_grad;
    for (const auto& [name, tensor] : kept()) {
      const auto found = state.find(name);
      check<StateError>(found != state.end(), "byol", "the checkpoint lacks method/", name);
      check<ShapeError>(found->second.shape() == tensor.shape(), "byol", name, " expects ",
                        tensor.shape(), ", got ", found->second.shape());
      tensor.copy_(found->second);
    }
  }

 private:
  std::vector<nn::Module*> modules() {
    return {&projection_, &predictor_, target_.get(), &target_projection_};
  }

  // Beside the parameters: the copy, and statistics of the norms.
  nn::NamedTensors kept() const {
    nn::NamedTensors out;
    append(out, "target.", following_);
    append(out, "projection.", projection_.named_buffers());
    append(out, "predictor.", predictor_.named_buffers());
    return out;
  }

  // What the copy makes of both views, as constants.
  Tensor targets(const Batch& batch) const {
    const NoGrad constant;
    const Tensor h = target_->embed(batch.images).to(Dtype::float32);
    const Autocast exact(false);
    return target_projection_.forward(h);
  }

  void copy_network() const {
    const NoGrad no_grad;
    for (size_t i = 0; i < following_.size(); ++i)
      following_[i].second.copy_(online_[i].second.detach());
  }

  // Weights become `keep` of what they were and the rest of the network's. Statistics of the norms
  // are those of the copy's own passes.
  void follow(double keep) const {
    const NoGrad no_grad;
    for (size_t i = 0; i < following_.size(); ++i) {
      if (is_statistic(following_[i].first)) continue;
      const Tensor &copy = following_[i].second, &now = online_[i].second;
      copy.copy_(copy.detach() * keep + now.detach() * (1 - keep));
    }
  }
  static bool is_statistic(const std::string& name) {
    return name.ends_with(".running_mean") || name.ends_with(".running_var") ||
           name.ends_with(".num_batches_tracked");
  }

  double momentum_;
  std::unique_ptr<models::ImageModel> target_;
  nn::Sequential projection_, predictor_, target_projection_;
  nn::NamedTensors online_, following_;  // the same tensors of both, in one order
  int64_t step_ = 0, steps_ = 0;
};

}  // namespace

std::unique_ptr<Method> make_byol(const MethodContext& context) {
  return std::make_unique<ByolMethod>(context);
}

void byol_check(const TrainConfig& c) {
  views_check(c);
  if (c.domain_bn || c.freeze > 0 || c.freeze_bn)
    refuse_settings("model.domain_bn, model.freeze or model.freeze_bn with byol", "simclr",
                    "a copy of the whole network follows it");
}

}  // namespace cytograd
