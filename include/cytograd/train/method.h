#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/core/tensor.h"
#include "cytograd/data/loader.h"
#include "cytograd/guided/classifiers.h"
#include "cytograd/guided/growing.h"
#include "cytograd/io/safetensors.h"
#include "cytograd/train/config.h"

/// @file
/// What is learned. The trainer runs the model and the optimiser; a method turns a batch and the
/// model's outputs into loss terms and may bring parameters and state of its own. One row per
/// method in src/train/method.cpp.

namespace cytograd {

/// What a method may know of the task.
struct MethodContext {
  const TrainConfig& config;
  int64_t classes = 0, domains = 0;
  int64_t embedding = 0;  ///< length of ModelOutput::embeddings
  Device device;          ///< of batches, outputs and the method's own tensors
  /// Training samples per class and domain: [class][domain].
  std::vector<std::vector<int64_t>> counts;
  std::vector<std::string> class_names;
};

/// Does the network end in a classifier that is trained? Otherwise classes are told from embeddings
/// by a classifier that is fitted to them.
bool has_head(const TrainConfig& config);
/// Does the method train embeddings by the protocol of docs/guided.md?
bool is_guided(const TrainConfig& config);
/// Does the embedding grow? Then `growth_of` says how.
bool grows(const TrainConfig& config);
bool needs_guide(const TrainConfig& config);
Growth growth_of(const TrainConfig& config);

struct ModelOutput {
  Tensor embeddings;  ///< [N, D], what the classifier sees
  Tensor logits;      ///< [N, classes]; undefined without a head
};

/// One part of the loss; the total is the sum of weight * value.
struct LossTerm {
  std::string name;
  Tensor value;  ///< scalar
  double weight = 1;
};

class Method {
 public:
  virtual ~Method() = default;
  /// Called with recording on, inside the step's RandomScope; images and labels of the batch are on
  /// the device.
  virtual std::vector<LossTerm> loss(const Batch& batch, const ModelOutput& output) = 0;
  /// Parameters beside the model's; they are trained and stored with it.
  virtual std::vector<std::pair<std::string, Tensor>> parameters() const { return {}; }
  /// Called before the steps of an epoch, from 0, and again where a run goes on within it.
  virtual void begin_epoch(int64_t epoch) { (void)epoch; }
  /// Components of the embedding in use this epoch; 0: all.
  virtual int64_t active() const { return 0; }
  /// Names of all terms that `loss` may give, in the order of the log.
  virtual std::vector<std::string> terms() const = 0;
  /// Does the head's prediction mean something after this epoch?
  virtual bool head_is_trained() const { return true; }
  /// Does end_epoch look at the training embeddings?
  virtual bool wants_embeddings() const { return false; }
  /// Further columns of the log, set by end_epoch; the same names in the same order after every
  /// epoch, NaN where there is nothing to say.
  virtual std::vector<std::pair<std::string, double>> monitors() const { return {}; }
  /// Called after the steps of an epoch, with the training embeddings [N, active] in evaluation
  /// mode if it wants them. @throws StateError if nothing could be learned in it
  virtual void end_epoch(const LabelledRows& rows) { (void)rows; }
  virtual void after_step(int64_t step) { (void)step; }
  /// What a resumed run needs beside the parameters (prototypes, running statistics).
  virtual TensorMap state() const { return {}; }
  virtual void load_state(const TensorMap& state) { (void)state; }
};

/// What a method that places embeddings by points holds for the classes, for maturity and
/// confidence: [C, n] float64, or undefined.
Tensor guide_anchors(const TrainConfig& config, const TensorMap& method_state);

/// Names for --method.
std::vector<std::string> method_names();
std::unique_ptr<Method> make_method(const MethodContext& context);

/// Weights n / (C_present * n_c) per class, 0 for absent classes.
std::vector<double> balanced_class_weights(const std::vector<std::vector<int64_t>>& counts);

}  // namespace cytograd
