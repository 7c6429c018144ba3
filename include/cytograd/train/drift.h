#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "cytograd/train/task.h"

/// @file
/// How far unlabelled images are from those that a run was trained on: distance of the features to
/// each training domain, beside what a sample of that domain itself would give; share of cells that
/// the model is unsure of; predicted classes against those of training. docs/domains.md.

namespace cytograd {

/// Features of cells that a model knows, kept beside it in RUN/drift.safetensors, so that a run
/// folder that travels without its images can still judge others.
struct DriftReference {
  std::vector<std::string> classes, domains;
  int64_t width = 0;
  std::vector<float> features;               ///< [N, width]
  std::vector<int64_t> domain;               ///< [N]
  std::vector<uint8_t> held;                 ///< [N] 1: held-back cells, 0: training cells
  std::vector<double> confidence;            ///< [N]
  std::vector<std::vector<int64_t>> counts;  ///< training cells [class][domain]
  int64_t epoch = 0;                         ///< of the checkpoint
  std::string data_hash;

  int64_t size() const { return static_cast<int64_t>(domain.size()); }
};

/// Most cells of a domain that are kept of each part.
inline constexpr int64_t drift_cells = 500;
/// Most images whose features are compared; of more, so many evenly spread.
inline constexpr int64_t drift_images = 1000;

/// Passes training and held-back (test, else val) cells through the model, at most `drift_cells` of
/// each domain and part, evenly spread.
DriftReference make_drift_reference(const TrainedModel& trained, const Task& task,
                                    const ProgressCallback& progress = {});
void write_drift_reference(const std::string& path, const DriftReference& reference);
/// @throws FileError, DataError
DriftReference read_drift_reference(const std::string& path);

/// Squared distance of means and of covariances of two sets of features, as CORAL has them:
/// (1/h) |m - m'|^2 and (1/h^2) |S - S'|_F^2 with n - 1. Through the n x n Gram matrices, in
/// double. @param a, b [n, h] and [m, h] row-major, n, m >= 2 for the covariance, else it is NaN
struct MomentDistance {
  double mean = std::numeric_limits<double>::quiet_NaN();
  double covariance = std::numeric_limits<double>::quiet_NaN();
  double sum() const { return mean + covariance; }
};
MomentDistance moment_distance(const std::vector<double>& a, const std::vector<double>& b,
                               int64_t width);

struct DomainDrift {
  std::string domain;
  int64_t n = 0;            ///< training cells that were compared with
  MomentDistance distance;  ///< of features divided by their spread over all training cells
  /// Mean `distance.sum()` of as many held-back cells of that domain: what no drift looks like.
  /// Absent if fewer than two were held back.
  std::optional<double> expected;
  /// distance.sum() / expected
  std::optional<double> ratio() const;
};

struct Drift {
  int64_t n = 0;
  std::vector<DomainDrift> domains;  ///< in the order of the data set; those with training cells
  int64_t nearest = -1;              ///< place in `domains` of the smallest distance; -1: no images
  double low = 0.5;                  ///< confidence below which a cell counts as unsure
  std::optional<double> low_share, mean_confidence;            ///< of the images
  std::optional<double> low_share_held, mean_confidence_held;  ///< of held-back cells
  std::vector<int64_t> predicted;                              ///< images per class
  std::vector<double> training_share;                          ///< of each class
  std::optional<double> mix_distance;  ///< total variation, 0 (same mix) to 1
};

/// @param predictions with embeddings of the reference's width @param low 0..1
/// @throws ShapeError for another width or number of classes
Drift measure_drift(const DriftReference& reference, const Predictions& predictions,
                    double low = 0.5);

/// One JSON object, absent values null.
std::string drift_json(const Drift& drift, const std::vector<std::string>& classes);

}  // namespace cytograd
