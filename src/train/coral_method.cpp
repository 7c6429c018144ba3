#include "cytograd/losses/coral.h"

#include "cytograd/ops/shape.h"
#include "train/coral_method.h"
#include "train/methods.h"

namespace cytograd {

losses::CoralForm coral_form(const TrainConfig& config) {
  return config.coral == "deep_coral" ? losses::CoralForm::covariance : losses::CoralForm::mean_cov;
}

Tensor domain_alignment(const Tensor& z, const std::vector<DomainBlock>& blocks,
                        losses::CoralForm form) {
  Tensors features;
  for (const DomainBlock& b : blocks) features.push_back(slice(z, 0, b.begin, b.end));
  return losses::coral(features, form);
}

namespace {

// Sun and Saenko 2016, in the form of DomainBed.
class CoralMethod final : public Method {
 public:
  explicit CoralMethod(const MethodContext& context)
      : config_(context.config),
        loss_(context),
        domains_(training_domains(context.counts).size()) {}

  std::vector<std::string> notes() const override {
    if (domains_ > 1) return {};
    return {"one training domain: coral has nothing to align and trains like erm"};
  }

  std::vector<LossTerm> loss(const Batch& batch, const ModelOutput& output) override {
    const auto blocks = domain_blocks(batch.domains);
    auto out = loss_.per_domain(output.logits, batch.labels, blocks);
    const Tensor z = output.embeddings.to(Dtype::float32);
    out.push_back(
        LossTerm{"coral", domain_alignment(z, blocks, coral_form(config_)), config_.coral_gamma});
    return out;
  }
  std::vector<std::string> terms() const override {
    auto out = ClassLoss::per_domain_terms(domains_);
    out.push_back("coral");
    return out;
  }

 private:
  const TrainConfig config_;
  ClassLoss loss_;
  size_t domains_;
};

}  // namespace

std::unique_ptr<Method> make_coral(const MethodContext& context) {
  return std::make_unique<CoralMethod>(context);
}

void coral_check(const TrainConfig& c) {
  if (c.coral_gamma > 0 && c.batch < 2)
    refuse_settings("train.batch " + std::to_string(c.batch) + " with " + c.method,
                    "at least two samples per domain", "a covariance needs them");
}

}  // namespace cytograd
