#include <algorithm>
#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/losses/focal.h"
#include "cytograd/losses/onehot_bce.h"
#include "cytograd/ops/cross_entropy.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/shape.h"
#include "train/methods.h"

namespace cytograd {

void refuse_settings(const std::string& found, const std::string& expected,
                     const std::string& hint) {
  throw ConfigError(Fault{"cfg", "", "", found, expected, hint});
}

std::vector<DomainBlock> domain_blocks(const std::vector<int64_t>& domains) {
  std::vector<DomainBlock> out;
  for (size_t i = 0; i < domains.size(); ++i) {
    if (out.empty() || out.back().domain != domains[i])
      out.push_back({domains[i], static_cast<int64_t>(i), 0});
    out.back().end = static_cast<int64_t>(i) + 1;
  }
  return out;
}

std::vector<double> class_shares(const TrainConfig& config,
                                 const std::vector<std::vector<int64_t>>& counts) {
  const size_t classes = counts.size(), domains = classes ? counts[0].size() : 0;
  const bool balanced = config.order == "balanced" || config.order == "domains_balanced";
  std::vector<double> out(classes);
  double total = 0;
  for (const auto& row : counts)
    for (const int64_t n : row) total += static_cast<double>(n);
  for (size_t d = 0; d < domains; ++d) {
    double samples = 0, present = 0;
    for (size_t c = 0; c < classes; ++c) {
      samples += static_cast<double>(counts[c][d]);
      present += counts[c][d] > 0 ? 1 : 0;
    }
    if (samples == 0) continue;
    // Orders that weigh classes or domains alike give every domain the same share of the images.
    const double scale = config.order == "domains" ? 1 / samples : 1 / total;
    for (size_t c = 0; c < classes; ++c)
      out[c] += balanced ? (counts[c][d] > 0 ? 1 / present : 0)
                         : static_cast<double>(counts[c][d]) * scale;
  }
  double sum = 0;
  for (double& share : out) {
    if (share == 0) share = 1 / total;
    sum += share;
  }
  for (double& share : out) share /= sum;
  return out;
}

ClassLoss::ClassLoss(const MethodContext& context) : config_(context.config) {
  if (config_.class_weights == "balanced") {
    const std::vector<double> weights = balanced_class_weights(context.counts);
    class_weight_ =
        Tensor::from(std::vector<float>(weights.begin(), weights.end())).to(context.device);
  }
  if (config_.logit_adjust > 0) {
    std::vector<float> values;
    for (const double share : class_shares(config_, context.counts))
      values.push_back(static_cast<float>(config_.logit_adjust * std::log(share)));
    adjustment_ = Tensor::from(values, {1, static_cast<int64_t>(values.size())}).to(context.device);
  }
}

Tensor ClassLoss::operator()(const Tensor& plain, const Tensor& labels) const {
  if (config_.ce == "onehot_bce") return losses::onehot_bce(plain, labels);
  const Tensor logits = adjustment_.defined() ? plain.to(Dtype::float32) + adjustment_ : plain;
  if (config_.focal_gamma > 0)
    return losses::focal(logits, labels, config_.focal_gamma, class_weight_);
  return cross_entropy(logits, labels,
                       {.class_weight = class_weight_, .label_smoothing = config_.label_smoothing});
}

std::vector<LossTerm> ClassLoss::per_domain(const Tensor& logits, const Tensor& labels,
                                            const std::vector<DomainBlock>& blocks) const {
  std::vector<LossTerm> out = {{"ce", {}, 1}};
  Tensor total;
  for (const DomainBlock& b : blocks) {
    const Tensor value =
        (*this)(slice(logits, 0, b.begin, b.end), slice(labels, 0, b.begin, b.end).contiguous());
    total = total.defined() ? total + value : value;
    out.push_back({"ce_" + std::to_string(out.size() - 1), value.detach(), 0});
  }
  out[0].value = total * (1 / static_cast<double>(blocks.size()));
  return out;
}

std::vector<std::string> ClassLoss::per_domain_terms(size_t domains) {
  std::vector<std::string> out = {"ce"};
  for (size_t d = 0; d < domains; ++d) out.push_back("ce_" + std::to_string(d));
  return out;
}

}  // namespace cytograd
