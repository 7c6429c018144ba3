#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "cytograd/nn/batch_norm.h"
#include "cytograd/nn/dropout.h"
#include "cytograd/nn/linear.h"
#include "cytograd/nn/module.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/shape.h"

namespace cytograd::models {

struct ModelOptions {
  int64_t in_channels = 3;
  int64_t classes = 1000;  ///< 0: no classifier, logits are the embeddings
  int64_t embedding = 0;   ///< length of a linear layer before the classifier; 0: none
  double dropout = 0;      ///< of the pooled features, before embedding and classifier
  double drop_rate = 0;    ///< DenseNet: of each dense layer's result
  bool recompute = false;  ///< less memory in training for some more time, same bits: norms with
                           ///< ReLU are computed again in backward (ops/batch_norm.h)
  uint64_t seed = 0;       ///< of the initial weights
  bool initialize = true;  ///< false leaves the weights unset (NaN) for a state dict to fill
};

/// A network from images [N, H, W, C] to class logits: features -> (embedding) -> classifier.
///
/// The embedding layer is linear, without activation or normalisation, so that distances between
/// embeddings mean what they do in a metric-learning loss.
class ImageModel : public nn::Module {
 public:
  /// Pooled features [N, feature_count()].
  virtual Tensor features(const Tensor& x) const = 0;
  virtual int64_t feature_count() const = 0;

  /// What the classifier sees: [N, embedding], or the features if there is no embedding layer.
  Tensor embed(const Tensor& x) const {
    Tensor y = features(x);
    if (dropout_) y = dropout_->forward(y);
    if (!embedding_) return y;
    if (!mask_.defined()) return embedding_->forward(y);
    // Rows times 1 or 0: components in use keep their bits, the others are 0 and get no gradient.
    return linear(y, embedding_->weight * unsqueeze(mask_, 1), embedding_->bias * mask_);
  }
  /// Sets how many components of the embedding are in use; the others are 0 and learn nothing. 0:
  /// all. @throws StateError without an embedding layer, ValueError if it has fewer
  void set_active(int64_t n) {
    check<StateError>(n == 0 || embedding_, "set_active", "the model has no embedding layer");
    check<ValueError>(n >= 0 && (n == 0 || n <= embedding_count()), "set_active", "expects 0..",
                      embedding_ ? embedding_count() : 0, ", got ", n);
    mask_ = {};
    active_ = n;
    if (n == 0 || n == embedding_count()) return;
    const Tensor& bias = embedding_->bias;
    mask_ = Tensor::zeros_like(bias.detach());
    slice(mask_, 0, 0, n).fill_(1);
  }
  /// Components in use; 0: all.
  int64_t active() const { return active_; }
  int64_t embedding_count() const {
    return embedding_ ? embedding_->weight.size(0) : feature_count();
  }

  bool has_classifier() const { return classifier_ != nullptr; }
  /// Logits from embeddings.
  Tensor classify(const Tensor& embeddings) const {
    return classifier_ ? classifier_->forward(embeddings) : embeddings;
  }
  /// Logits [N, classes], or embeddings for a model without classes.
  Tensor forward(const Tensor& x) const { return classify(embed(x)); }
  Tensor operator()(const Tensor& x) const { return forward(x); }

  /// Freezes every batch normalisation (nn/batch_norm.h). @param affine  weight and bias too
  void freeze_batch_norm(bool frozen = true, bool affine = true) {
    for_each_of<nn::BatchNorm2d>([=](nn::BatchNorm2d& norm) { norm.set_frozen(frozen, affine); });
  }

  /// Every batch normalisation keeps statistics for each of n domains (nn/batch_norm.h). Common
  /// ones serve inputs of other domains; `join_domains` makes them from all.
  void add_domains(int64_t n) {
    for_each_of<nn::BatchNorm2d>([n](nn::BatchNorm2d& norm) { norm.add_domains(n); });
    domains_ = n;
  }
  /// 0: normalisation knows no domains.
  int64_t domains() const { return domains_; }
  /// The domain of the next inputs, -1 for none of those; nothing without domains.
  void set_domain(int64_t domain) const {
    check<ValueError>(domain < std::max<int64_t>(domains_, 1), "set_domain", "expects below ",
                      domains_, ", got ", domain);
    for_each([domain](const std::string&, const nn::Module& module) {
      if (const auto* norm = dynamic_cast<const nn::BatchNorm2d*>(&module))
        norm->set_domain(domain);
    });
  }
  void join_domains() {
    if (domains_ > 0)
      for_each_of<nn::BatchNorm2d>([](nn::BatchNorm2d& norm) { norm.join_domains(); });
  }
  void restart_domains() {
    if (domains_ > 0)
      for_each_of<nn::BatchNorm2d>([](nn::BatchNorm2d& norm) { norm.restart_domains(); });
  }

  /// Normalisation that inputs in 0..1 get per channel before `forward`: (x - mean) / std.
  /// ImageNet's for three channels, 0.5 otherwise.
  std::vector<double> input_mean, input_std;

 protected:
  explicit ImageModel(const ModelOptions& options) {
    check<ValueError>(options.in_channels >= 1 && options.classes >= 0 && options.embedding >= 0,
                      "model", "expects in_channels >= 1, classes and embedding >= 0, got ",
                      options.in_channels, ", ", options.classes, ", ", options.embedding);
    const auto channels = static_cast<size_t>(options.in_channels);
    input_mean = channels == 3 ? std::vector{0.485, 0.456, 0.406} : std::vector(channels, 0.5);
    input_std = channels == 3 ? std::vector{0.229, 0.224, 0.225} : std::vector(channels, 0.5);
  }

  /// Adds embedding and classifier and applies `recompute`; the last thing a constructor does
  /// before `initialize`.
  void add_head(const ModelOptions& options, const std::string& classifier_name) {
    for_each_of<nn::BatchNorm2d>(
        [&options](nn::BatchNorm2d& norm) { norm.recompute = options.recompute; });
    int64_t width = feature_count();
    if (options.dropout > 0) dropout_ = &add<nn::Dropout>("dropout", options.dropout);
    if (options.embedding > 0) {
      embedding_ = &add<nn::Linear>("embedding", width, options.embedding);
      width = options.embedding;
    }
    if (options.classes > 0)
      classifier_ = &add<nn::Linear>(classifier_name, width, options.classes);
  }

  Tensor mask_;  // [embedding], 1 for components in use; undefined: all
  int64_t active_ = 0, domains_ = 0;
  nn::Dropout* dropout_ = nullptr;
  nn::Linear* embedding_ = nullptr;
  nn::Linear* classifier_ = nullptr;
};

}  // namespace cytograd::models
