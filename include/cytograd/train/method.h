#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/core/tensor.h"
#include "cytograd/data/loader.h"
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
};

struct ModelOutput {
  Tensor embeddings;  ///< [N, D], what the classifier sees
  Tensor logits;      ///< [N, classes]
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
  virtual void begin_epoch(int64_t epoch) { (void)epoch; }
  virtual void after_step(int64_t step) { (void)step; }
  /// What a resumed run needs beside the parameters (prototypes, running statistics).
  virtual TensorMap state() const { return {}; }
  virtual void load_state(const TensorMap& state) { (void)state; }
};

/// Names for --method.
std::vector<std::string> method_names();
std::unique_ptr<Method> make_method(const MethodContext& context);

/// Weights n / (C_present * n_c) per class, 0 for absent classes.
std::vector<double> balanced_class_weights(const std::vector<std::vector<int64_t>>& counts);

}  // namespace cytograd
