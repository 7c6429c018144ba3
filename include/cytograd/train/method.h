#pragma once

#include <functional>
#include <map>
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
/// method in src/train/method.cpp, one file per method beside it.

namespace cytograd {

namespace models {
class ImageModel;
}

/// What a method may know of the task.
struct MethodContext {
  const TrainConfig& config;
  int64_t classes = 0, domains = 0;
  int64_t embedding = 0;  ///< length of ModelOutput::embeddings
  Device device;          ///< of batches, outputs and the method's own tensors
  /// Training samples per class and domain: [class][domain].
  std::vector<std::vector<int64_t>> counts;
  std::vector<std::string> class_names, domain_names;
  /// Which is trained; it lives as long as the method.
  const models::ImageModel* model = nullptr;
};

/// What the rest of the library asks about a method.
struct MethodTraits {
  const char* title;  ///< in tables
  /// The network ends in a classifier that is trained.
  bool head = false;
  /// Trains embeddings by the protocol of docs/guided.md.
  bool guided = false;
  /// Trains on domains by the protocol of docs/domains.md.
  bool domains = false;
  /// Compares domains within a batch: each one's samples stand side by side, and each has a forward
  /// pass of its own where normalisation looks at the batch.
  bool blocks = false;
  /// Views of each image in a batch, with changes of their own (data/loader.h). With two or more
  /// the method learns from what they share, without labels: nothing then tells which epoch is
  /// best.
  int64_t views = 1;
};
/// @throws ConfigError for a name that is no method
const MethodTraits& method_traits(const std::string& method);

/// Does the method learn without labels, from several views of each image?
bool self_supervised(const TrainConfig& config);
/// Does the network end in a classifier that is trained? Otherwise classes are told from embeddings
/// by a classifier that is fitted to them.
bool has_head(const TrainConfig& config);
/// Does the method train embeddings by the protocol of docs/guided.md?
bool is_guided(const TrainConfig& config);
/// Does the embedding grow? Then `growth_of` says how.
bool grows(const TrainConfig& config);
bool needs_guide(const TrainConfig& config);
Growth growth_of(const TrainConfig& config);
/// Does a batch hold samples of every training domain, side by side?
bool over_domains(const TrainConfig& config);
/// Is the classifier alone trained, on a network that an earlier stage has made?
bool trains_head_alone(const TrainConfig& config);
/// The settings of the stage that has to come before. @throws ValueError if there is none
TrainConfig first_stage(const TrainConfig& config);
/// Domains with training samples: indices into MethodContext::domain_names.
std::vector<int64_t> training_domains(const std::vector<std::vector<int64_t>>& counts);

/// Gives one setting its value unless somebody set it.
using GiveDefault = std::function<void(const char* key, const std::string& text)>;
void method_defaults(const TrainConfig& config, const GiveDefault& give);
/// Settings of the method that contradict each other. @throws ConfigError
void check_method(const TrainConfig& config);

struct ModelOutput {
  Tensor embeddings;  ///< [N, D], what the classifier sees
  Tensor logits;      ///< [N, classes]; undefined without a head
};

/// One part of the loss; the total is the sum of weight * value. Terms of weight 0 are logged only.
struct LossTerm {
  std::string name;
  Tensor value;  ///< scalar
  double weight = 1;
};

using FeatureVisitor = std::function<void(const Batch& batch, const Tensor& embeddings)>;

/// A step that is about to begin.
struct StepStart {
  int64_t step = 0, steps = 0;  ///< its number, from 0, of so many in all
  /// Gives the embeddings of the whole training part in evaluation mode, batch after batch, without
  /// recording. @param round names the augmentation; -1: none
  std::function<void(int64_t round, const FeatureVisitor& visit)> features;
};

class Method {
 public:
  virtual ~Method() = default;
  /// What to tell the user before the first step, one line each.
  virtual std::vector<std::string> notes() const { return {}; }
  /// Called before everything else of a step.
  virtual void before_step(const StepStart& start) { (void)start; }
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
  /// What to tell the user after an epoch, one line each. @param means  of each term over the steps
  /// that had it, by its name
  virtual std::vector<std::string> remarks(const std::map<std::string, double>& means) {
    (void)means;
    return {};
  }
  /// Called when the gradients of a step are there, with the learning rate of the step: the moment
  /// for an optimiser of the method's own. @return whether the model is updated too
  virtual bool update(double lr) {
    (void)lr;
    return true;
  }
  virtual void after_step(int64_t step) { (void)step; }
  /// Is a step the same operations on the same tensors every time? Then a device records it once;
  /// a method that looks at values or counts steps must say no.
  virtual bool recordable() const { return true; }
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
