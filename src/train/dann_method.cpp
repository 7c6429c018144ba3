#include <algorithm>

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/losses/adversary.h"
#include "cytograd/ops/cross_entropy.h"
#include "cytograd/ops/reverse_gradient.h"
#include "cytograd/optim/adam.h"
#include "train/methods.h"

namespace cytograd {
namespace {

// Ganin et al. 2016: a classifier of domains, and a network that deceives it. In turns, each with
// an optimiser of its own, as in DomainBed; or in one backward pass through reversed gradients.
class DannMethod final : public Method {
 public:
  explicit DannMethod(const MethodContext& context)
      : config_(context.config),
        loss_(context),
        numbers_(context.domain_names.size(), -1),
        reversed_(config_.dann_mode == "grl") {
    const std::vector<int64_t> domains = training_domains(context.counts);
    if (domains.size() < 2)
      refuse_settings("method dann with one training domain", "two or more",
                      "there is nothing to tell apart; use erm");
    for (size_t n = 0; n < domains.size(); ++n)
      numbers_[static_cast<size_t>(domains[n])] = static_cast<int64_t>(n);
    adversary_ = std::make_unique<losses::DomainClassifier>(context.embedding,
                                                            static_cast<int64_t>(domains.size()),
                                                            config_.dann_width, config_.dann_depth);
    adversary_->initialize(stream_key(static_cast<uint64_t>(config_.seed), "domain classifier"));
    adversary_->to(context.device);
    if (!reversed_)
      optimizer_ = std::make_unique<optim::Adam>(
          adversary_->named_parameters(),
          optim::AdamOptions{.lr = config_.lr, .beta1 = config_.dann_beta1, .beta2 = 0.9});
  }

  // In turns, the optimiser of the domain classifier is ours and its weights are state.
  std::vector<std::pair<std::string, Tensor>> parameters() const override {
    return reversed_ ? named() : nn::NamedTensors{};
  }

  void before_step(const StepStart& start) override {
    step_ = start.step;
    steps_ = start.steps;
    adversary_->zero_grad();
  }

  std::vector<LossTerm> loss(const Batch& batch, const ModelOutput& output) override {
    const Tensor z = output.embeddings.to(Dtype::float32), domains = targets(batch, z.device());
    const auto domain_loss = [&](const Tensor& x) {
      return cross_entropy(adversary_->forward(x), domains);
    };
    if (reversed_) {
      const double p =
          steps_ > 1 ? static_cast<double>(step_) / static_cast<double>(steps_ - 1) : 0;
      const double strength = config_.dann_lambda * losses::reversal_strength(p);
      return {{"ce", loss_(output.logits, batch.labels), 1},
              {"domain", domain_loss(reverse_gradient(z, strength)), 1}};
    }
    if (!is_turn_of_adversary())
      return {{"ce", loss_(output.logits, batch.labels), 1},
              {"domain", domain_loss(z), -config_.dann_lambda}};
    // The network stays: it needs no gradients.
    std::vector<LossTerm> out = {{"domain", domain_loss(z.detach()), 1}};
    if (config_.dann_gp > 0)
      out.push_back(
          LossTerm{"penalty", adversary_->gradient_penalty(z.detach(), domains), config_.dann_gp});
    return out;
  }

  std::vector<std::string> terms() const override {
    std::vector<std::string> out = {"ce", "domain"};
    if (config_.dann_gp > 0) out.push_back("penalty");
    return out;
  }

  bool update(double lr) override {
    if (reversed_ || !is_turn_of_adversary()) return true;
    optimizer_->set_lr(lr);
    optimizer_->step();
    return false;
  }

  // Steps take turns, or differ in the strength of the reversal.
  bool recordable() const override { return false; }

  TensorMap state() const override {
    TensorMap out;
    if (reversed_) return out;
    for (const auto& [name, tensor] : named()) out[name] = tensor.detach();
    for (const auto& [name, tensor] : optimizer_->state_dict()) out[optimizer_key + name] = tensor;
    return out;
  }
  void load_state(const TensorMap& state) override {
    if (reversed_) return;
    const NoGrad no_grad;
    for (auto& [name, tensor] : named()) {
      const auto found = state.find(name);
      check<StateError>(found != state.end(), "dann", "the checkpoint lacks method/", name);
      check<ShapeError>(found->second.shape() == tensor.shape(), "dann", name, " expects ",
                        tensor.shape(), ", got ", found->second.shape());
      tensor.copy_(found->second);
    }
    nn::NamedTensors moments;
    for (const auto& [name, tensor] : state)
      if (name.starts_with(optimizer_key))
        moments.emplace_back(name.substr(optimizer_key.size()), tensor);
    optimizer_->load_state_dict(moments);
  }

 private:
  bool is_turn_of_adversary() const {
    return losses::is_adversary_step(step_ + 1, config_.dann_d_steps);
  }

  nn::NamedTensors named() const {
    nn::NamedTensors out;
    for (const auto& [name, tensor] : adversary_->named_parameters())
      out.emplace_back("domain_classifier." + name, tensor);
    return out;
  }

  // Domains by their number among those that are trained on.
  Tensor targets(const Batch& batch, Device device) const {
    std::vector<int64_t> out;
    for (const int64_t d : batch.domains) out.push_back(numbers_.at(static_cast<size_t>(d)));
    return Tensor::from(out).to(device);
  }

  const TrainConfig config_;
  ClassLoss loss_;
  std::vector<int64_t> numbers_;
  bool reversed_;
  std::unique_ptr<losses::DomainClassifier> adversary_;
  std::unique_ptr<optim::Adam> optimizer_;
  int64_t step_ = 0, steps_ = 0;
  inline static const std::string optimizer_key = "domain_optimizer/";
};

}  // namespace

std::unique_ptr<Method> make_dann(const MethodContext& context) {
  return std::make_unique<DannMethod>(context);
}

void dann_defaults(const TrainConfig& c, const GiveDefault& give) {
  if (c.dann_mode == "grl") return;
  give("optimizer.beta1", "0.5");
  give("optimizer.beta2", "0.9");
}

void dann_check(const TrainConfig& c) {
  if (c.dann_gp > 0 && c.dann_mode == "grl")
    refuse_settings("method.dann_gp with method.dann_mode grl", "alternating",
                    "the penalty belongs to the steps of the domain classifier");
}

}  // namespace cytograd
