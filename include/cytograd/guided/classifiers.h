#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cytograd/io/safetensors.h"

/// @file
/// Classifiers on frozen embeddings: linear SVM, nearest neighbours, small networks, and the search
/// for the best of them on training data alone (docs/guided.md). Deterministic by seed, for any
/// number of threads.

namespace cytograd {

/// Embeddings with labels.
struct LabelledRows {
  std::vector<float> values;    ///< [N, width]
  std::vector<int64_t> labels;  ///< [N], in 0..classes-1
  int64_t width = 0, classes = 0;

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
  const float* row(int64_t i) const { return values.data() + i * width; }
  LabelledRows subset(const std::vector<int64_t>& indices) const;
};

/// Which classifier with which settings.
struct ClassifierSpec {
  enum class Kind { svm, knn, mlp };
  Kind kind = Kind::knn;
  double c = 1;  ///< svm: weight of the errors
  int64_t k = 5;
  bool by_distance = false;          ///< knn: votes weigh 1 / distance
  int64_t layers = 1, neurons = 32;  ///< mlp: hidden layers

  /// "svm C=0.1", "knn k=5 uniform", "mlp 2x128".
  std::string text() const;
  bool operator==(const ClassifierSpec&) const = default;
};

class Classifier {
 public:
  virtual ~Classifier() = default;
  /// Scores [rows, classes], each row summing to 1: shares of the votes (knn), softmax of the
  /// network's logits (mlp) or of the margins (svm, not calibrated). @param values [rows, width]
  virtual std::vector<double> scores(const std::vector<float>& values) const = 0;
  virtual ClassifierSpec spec() const = 0;
  virtual int64_t classes() const = 0;
  virtual int64_t width() const = 0;
  /// What `load_classifier` needs beside the spec.
  virtual TensorMap state() const = 0;

  /// Class of the largest score, the lowest of equals.
  std::vector<int64_t> predict(const std::vector<float>& values) const;
};

/// Fits to all rows. @throws DataError `class.empty` for no rows, ValueError for a bad spec,
/// DataError `nan` for values that are not finite
std::unique_ptr<Classifier> fit_classifier(const ClassifierSpec& spec, const LabelledRows& rows,
                                           uint64_t seed);

void write_classifier(const std::string& path, const Classifier& classifier);
/// @throws FileError, DataError
std::unique_ptr<Classifier> load_classifier(const std::string& path);

/// Which classifiers are tried, in the order in which ties are decided.
struct ClassifierGrid {
  std::vector<ClassifierSpec> specs;
  int64_t folds = 3;

  static ClassifierGrid all();  ///< svm, knn, mlp
  static ClassifierGrid svm();
  static ClassifierGrid knn();
  static ClassifierGrid mlp();
};

struct GridSearch {
  std::vector<double> scores;  ///< mean macro-F1 over the inner folds, one per spec
  size_t best = 0;             ///< the first of equals
};

/// Inner stratified cross-validation. Classes with fewer samples than folds are in some folds only.
GridSearch search_grid(const ClassifierGrid& grid, const LabelledRows& rows, uint64_t seed);

/// One linear machine against the rest: w minimises 1/2 |w|^2 + c sum max(0, 1 - t_i w.x_i)^2 with
/// the bias as one more component of w whose input is 1. Dual coordinate descent (Hsieh et al.
/// 2008): stops when projected gradients differ by less than `tolerance`, or after `max_passes`.
struct SvmSolution {
  std::vector<double> weight;  ///< [width + 1], the bias last
  double objective = 0;
  int64_t passes = 0;
  bool converged = false;
};
/// @param x [N, width]   @param positive  t_i = 1 where set, else -1
SvmSolution solve_svm(const std::vector<double>& x, int64_t width,
                      const std::vector<uint8_t>& positive, double c, uint64_t seed,
                      double tolerance = 1e-3, int64_t max_passes = 1000);

/// The nearest rows of `train` for each row of `queries` [M, width], by Euclidean distance,
/// ascending, ties to the lower index.
struct Neighbours {
  int64_t k = 0;
  std::vector<int64_t> indices;   ///< [M, k]
  std::vector<double> distances;  ///< [M, k]
};
Neighbours nearest_rows(const LabelledRows& train, const std::vector<float>& queries, int64_t k);

/// Votes of the first k neighbours, [M, classes], rows summing to 1. By distance: weights
/// 1 / distance; a neighbour at distance 0 has weight 1 and all others 0.
std::vector<double> neighbour_votes(const Neighbours& neighbours,
                                    const std::vector<int64_t>& labels, int64_t classes, int64_t k,
                                    bool by_distance);

}  // namespace cytograd
