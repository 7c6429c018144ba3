#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cytograd/data/dataset.h"
#include "cytograd/data/loader.h"
#include "cytograd/data/scan.h"
#include "cytograd/data/split.h"
#include "cytograd/guided/classifiers.h"
#include "cytograd/guided/readout.h"
#include "cytograd/models/image_model.h"
#include "cytograd/train/config.h"

/// @file
/// From a configuration to data, and from a run folder to a model.

namespace cytograd {

using ProgressCallback = std::function<void(int64_t done, int64_t total)>;

/// Data of a run: read, scanned, split.
struct Task {
  Dataset scanned;                  ///< everything found
  ScanReport report;                ///< of `scanned`
  Dataset dataset;                  ///< what is used
  std::vector<std::string> hashes;  ///< content hash per sample of `dataset`
  std::vector<Split> folds;         ///< of `dataset`
  Split split;                      ///< the fold of this run
};

/// Reads and scans the data sets without splitting them. @throws DataError with all faults counted
Task load_data(const TrainConfig& config, const ProgressCallback& progress = {});
/// Scans a data set that is read. @throws DataError as load_data
Task scan_data(Dataset dataset, const TrainConfig& config, const ProgressCallback& progress = {});
/// The same, split by `config`; leaks between parts are errors (csv.leak).
Task load_task(const TrainConfig& config, const ProgressCallback& progress = {});
/// Splits data that are read.
Task split_task(Task data, const TrainConfig& config);
DatasetOptions dataset_options(const TrainConfig& config, const std::string& path);
/// Training samples per class and domain: [class][domain].
std::vector<std::vector<int64_t>> class_counts(const Dataset& dataset,
                                               const std::vector<int64_t>& indices);

/// How images become input for this model; the target of --stain is the built-in one.
Preprocess preprocess_of(const TrainConfig& config, const models::ImageModel& model);
/// The changes of training images that the configuration names.
Augmentation augmentation_of(const TrainConfig& config);
/// The stain that input.stain_target names: built-in, that of an image, or the typical one of the
/// training images of a domain (at most 256 of them).
/// @throws ConfigError if the domain has no training image, DataError stain.none
StainStats stain_target_of(const TrainConfig& config, const Task& task);
std::unique_ptr<models::ImageModel> model_of(const TrainConfig& config, int64_t classes,
                                             bool initialize);

/// A model as a checkpoint holds it, in evaluation mode, with averaged weights where the run keeps
/// them.
struct TrainedModel {
  TrainConfig config;
  std::vector<std::string> classes;
  std::vector<std::string> domains;  ///< that were trained on; empty in old checkpoints
  std::string data_hash;
  Preprocess preprocess;
  std::unique_ptr<models::ImageModel> model;
  std::string file;    ///< the checkpoint
  int64_t epoch = 0;   ///< finished epochs
  int64_t active = 0;  ///< components of the embedding in use; 0: all
  /// Does the model's own classifier tell the classes? Not without one, and not at an epoch of a
  /// growing embedding in which it was not trained yet.
  bool by_head = true;
  Tensor anchors;  ///< [C, n] float64: points that the method holds for the classes, or undefined
  /// What tells classes from embeddings, where `cyto train` fitted it to this checkpoint.
  std::shared_ptr<const Readout> readout;

  /// Components that embeddings have.
  int64_t width() const { return active > 0 ? active : model->embedding_count(); }
};
/// @param which "best" or "last"; a run without a best checkpoint (no validation part) has its last
/// @throws FileError run.missing, run.checkpoint; DataError for a damaged checkpoint
TrainedModel load_trained(const std::string& run, const std::string& which = "best",
                          Device device = {});

/// Outputs of a model for samples of a data set.
struct Predictions {
  std::vector<int64_t> indices;       ///< into the data set, as asked
  std::vector<int64_t> labels;        ///< the data set's labels
  std::vector<int64_t> predicted;     ///< class of the largest probability, the first of equals
  std::vector<double> probabilities;  ///< [N, classes]
  std::vector<float> embeddings;      ///< [N, width] if asked for
  int64_t classes = 0, width = 0;
  /// Samples that could not be read and have no row: index into the data set, fault. Filled only
  /// with `LoaderOptions::collect_faults`; else the first is thrown.
  std::map<int64_t, Fault> faults;

  // With a Readout, per row:
  std::vector<double> agreement;  ///< share of the nearest training samples of the predicted class
  std::vector<double> anchor_distance;    ///< Manhattan distance to the predicted class's point
  std::vector<double> anchor_confidence;  ///< the same as a probability
  std::vector<double> maturity;  ///< stage of maturation, between those of classes; NaN if unknown

  double probability(size_t i, int64_t c) const {
    return probabilities[i * static_cast<size_t>(classes) + static_cast<size_t>(c)];
  }
  double confidence(size_t i) const { return probability(i, predicted[i]); }
};
/// Runs the model without recording. The model must be in evaluation mode.
/// @param domains  names of the domains that the model's normalisation knows, in its order
Predictions predict(const models::ImageModel& model, const Dataset& dataset,
                    const std::vector<int64_t>& indices, const LoaderOptions& options,
                    bool keep_embeddings = false, const ProgressCallback& progress = {},
                    const std::vector<std::string>& domains = {});
/// The same over the first epoch of a loader that is kept, with its cache.
Predictions predict(const models::ImageModel& model, const Dataset& dataset, Loader& loader,
                    bool keep_embeddings = false, const ProgressCallback& progress = {},
                    const std::vector<std::string>& domains = {});

/// The same with all that the trained model knows: classes by its head or, without one, by its
/// readout, with confidence and maturity. @throws StateError if it has neither
Predictions predict(const TrainedModel& trained, const Dataset& dataset,
                    const std::vector<int64_t>& indices, const LoaderOptions& options,
                    bool keep_embeddings = false, const ProgressCallback& progress = {});

/// Embeddings (which must have been kept) with labels, the first `active` components of them.
LabelledRows rows_of(const Predictions& predictions, int64_t active, int64_t classes);
/// Replaces the classes and probabilities of predictions with embeddings by a classifier's.
void classify_by(Predictions& predictions, const Classifier& classifier);

/// Renumbers the labels of `dataset` to the model's classes by name.
/// @throws DataError class.unknown if it has classes that the model does not know, unless `drop`,
/// which leaves those samples out and returns their number
int64_t map_classes(Dataset& dataset, const std::vector<std::string>& classes, bool drop,
                    const std::string& path);

}  // namespace cytograd
