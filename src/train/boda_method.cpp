#include <algorithm>
#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/io/text.h"
#include "cytograd/losses/boda.h"
#include "cytograd/train/pair_statistics.h"
#include "train/coral_method.h"
#include "train/methods.h"

namespace cytograd {
namespace {

// What counts are divided by before use.
double unit_of(const std::string& text, const std::vector<losses::DomainClass>& pairs) {
  if (text == "median") {
    std::vector<double> counts;
    for (const losses::DomainClass& p : pairs) counts.push_back(p.count);
    std::sort(counts.begin(), counts.end());
    const size_t half = counts.size() / 2;
    return counts.size() % 2 ? counts[half] : (counts[half - 1] + counts[half]) / 2;
  }
  const auto value = parse_double(text);
  if (!value || !std::isfinite(*value) || !(*value > 0))
    refuse_settings("method.count_unit is \"" + text + "\"", "a number above 0, or median");
  return *value;
}

PairDistance distance_of(const std::string& name) {
  if (name == "mahalanobis") return PairDistance::mahalanobis;
  if (name == "mahalanobis_diag") return PairDistance::mahalanobis_diag;
  return PairDistance::euclidean;
}

std::vector<losses::DomainClass> observed_pairs(const MethodContext& context) {
  std::vector<losses::DomainClass> out;
  for (const int64_t d : training_domains(context.counts))
    for (size_t c = 0; c < context.counts.size(); ++c)
      if (const int64_t n = context.counts[c][static_cast<size_t>(d)]; n > 0)
        out.push_back({d, static_cast<int64_t>(c), static_cast<double>(n)});
  return out;
}

// Yang, Wang and Katabi 2022, with the alignment of whole domains that the authors' code adds.
class BodaMethod final : public Method {
 public:
  explicit BodaMethod(const MethodContext& context)
      : config_(context.config),
        loss_(context),
        domains_(training_domains(context.counts).size()),
        statistics_(
            observed_pairs(context), context.embedding,
            {distance_of(config_.boda_distance), config_.boda_momentum, config_.shrinkage}) {
    if (domains_ < 2)
      refuse_settings("method " + config_.method + " with one training domain", "two or more",
                      "it aligns domains; use erm");
    options_.nu = config_.nu;
    options_.temperature = config_.temperature;
    options_.count_unit = unit_of(config_.count_unit, statistics_.pairs());
    options_.reduction =
        config_.boda_reduce == "sum" ? losses::BodaReduction::sum : losses::BodaReduction::mean;
  }

  void before_step(const StepStart& start) override {
    step_ = start.step;
    if (config_.boda_weight == 0 || step_ == 0 || step_ % config_.feat_freq != 0) return;
    statistics_.begin();
    start.features(config_.stat_augment ? step_ / config_.feat_freq : -1,
                   [this](const Batch& batch, const Tensor& embeddings) {
                     statistics_.add(embeddings, batch.domains, batch.labels.to_vector<int64_t>());
                   });
    statistics_.finish();
  }

  std::vector<LossTerm> loss(const Batch& batch, const ModelOutput& output) override {
    const auto blocks = domain_blocks(batch.domains);
    auto out = loss_.per_domain(output.logits, batch.labels, blocks);
    const Tensor z = output.embeddings.to(Dtype::float32);
    if (aligns_pairs())
      out.push_back(
          LossTerm{"boda",
                   losses::boda(statistics_.distances(z), batch.domains,
                                batch.labels.to_vector<int64_t>(), statistics_.pairs(), options_),
                   config_.boda_weight});
    if (config_.macro_weight > 0)
      out.push_back(LossTerm{"macro", domain_alignment(z, blocks, coral_form(config_)),
                             config_.macro_weight});
    return out;
  }

  std::vector<std::string> terms() const override {
    auto out = ClassLoss::per_domain_terms(domains_);
    if (config_.boda_weight > 0) out.push_back("boda");
    if (config_.macro_weight > 0) out.push_back("macro");
    return out;
  }

  bool recordable() const override { return false; }

  TensorMap state() const override {
    TensorMap out = statistics_.state("psi/");
    std::vector<int64_t> counts;
    for (const losses::DomainClass& p : statistics_.pairs())
      for (const int64_t v : {p.domain, p.label, static_cast<int64_t>(p.count)})
        counts.push_back(v);
    out["counts"] = Tensor::from(counts, {static_cast<int64_t>(counts.size()) / 3, 3});
    return out;
  }
  void load_state(const TensorMap& state) override { statistics_.load_state(state, "psi/"); }

 private:
  bool aligns_pairs() const { return config_.boda_weight > 0 && step_ >= config_.boda_start; }

  const TrainConfig config_;
  ClassLoss loss_;
  size_t domains_;
  PairStatistics statistics_;
  losses::BodaOptions options_;
  int64_t step_ = 0;
};

}  // namespace

std::unique_ptr<Method> make_boda(const MethodContext& context) {
  return std::make_unique<BodaMethod>(context);
}

// crt: the classifier alone learns, by plain cross-entropy.
std::unique_ptr<Method> make_boda_plus(const MethodContext& context) {
  return trains_head_alone(context.config) ? make_cross_entropy(context) : make_boda(context);
}

void boda_check(const TrainConfig& c) {
  if (c.boda_weight > 0 && c.boda_start < c.feat_freq)
    refuse_settings("method.boda_start " + std::to_string(c.boda_start) +
                        " before the first statistics at step " + std::to_string(c.feat_freq),
                    "at least method.feat_freq", "the statistics would be undefined");
  if (c.macro_weight > 0 && c.batch < 2)
    refuse_settings("train.batch " + std::to_string(c.batch) + " with " + c.method,
                    "at least two samples per domain", "a covariance needs them");
}

void boda_plus_defaults(const TrainConfig& c, const GiveDefault& give) {
  if (c.boda_plus != "coral_weighted") give("train.order", "domains_balanced");
  if (c.boda_plus == "coral_weighted") give("method.macro_weight", "10");
}

}  // namespace cytograd
