#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cytograd/train/method.h"

/// @file
/// What the methods' files give to the table in method.cpp, and what they share.

namespace cytograd {

std::unique_ptr<Method> make_cross_entropy(const MethodContext& context);
std::unique_ptr<Method> make_coral(const MethodContext& context);
std::unique_ptr<Method> make_dann(const MethodContext& context);
std::unique_ptr<Method> make_boda(const MethodContext& context);
std::unique_ptr<Method> make_boda_plus(const MethodContext& context);
std::unique_ptr<Method> make_simclr(const MethodContext& context);
std::unique_ptr<Method> make_byol(const MethodContext& context);

void coral_check(const TrainConfig& config);
void dann_defaults(const TrainConfig& config, const GiveDefault& give);
void dann_check(const TrainConfig& config);
void boda_check(const TrainConfig& config);
void boda_plus_defaults(const TrainConfig& config, const GiveDefault& give);
/// Of methods without labels.
void views_defaults(const TrainConfig& config, const GiveDefault& give);
void views_check(const TrainConfig& config);
void byol_check(const TrainConfig& config);

/// Throws ConfigError `cfg`.
[[noreturn]] void refuse_settings(const std::string& found, const std::string& expected,
                                  const std::string& hint = "");

/// Samples of one domain, side by side.
struct DomainBlock {
  int64_t domain = 0, begin = 0, end = 0;
};
/// The runs of equal domains of a batch.
std::vector<DomainBlock> domain_blocks(const std::vector<int64_t>& domains);

/// The cross-entropy of a head that the settings ask for: softmax with class weights, smoothing,
/// focal exponent and logit adjustment, or a sigmoid per class.
class ClassLoss {
 public:
  explicit ClassLoss(const MethodContext& context);
  /// Mean over samples. @param logits [N, C]   @param labels [N]
  Tensor operator()(const Tensor& logits, const Tensor& labels) const;
  /// The mean over domains of each one's mean: "ce", and each one's as "ce_<number>", from 0, which
  /// is logged only.
  std::vector<LossTerm> per_domain(const Tensor& logits, const Tensor& labels,
                                   const std::vector<DomainBlock>& blocks) const;
  /// The names of those, for `domains` of them.
  static std::vector<std::string> per_domain_terms(size_t domains);

 private:
  const TrainConfig config_;
  Tensor class_weight_;  // [C], undefined without
  Tensor adjustment_;    // [1, C], undefined without
};

/// Share of each class among the images that steps see, by the order they are drawn in; a class
/// without samples counts as one image.
std::vector<double> class_shares(const TrainConfig& config,
                                 const std::vector<std::vector<int64_t>>& counts);

}  // namespace cytograd
