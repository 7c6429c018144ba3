#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cytograd {

/// Counts of (truth, prediction) pairs; row = truth.
class Confusion {
 public:
  explicit Confusion(int64_t classes);
  /// @throws ValueError if a class is out of range
  void add(int64_t truth, int64_t predicted, int64_t count = 1);
  int64_t at(int64_t truth, int64_t predicted) const;
  int64_t classes() const { return classes_; }
  int64_t total() const;
  int64_t truth_count(int64_t c) const;
  int64_t predicted_count(int64_t c) const;

 private:
  int64_t classes_;
  std::vector<int64_t> counts_;
};

/// Scores of one class. What cannot be said (no such sample) is absent, not 0 and not NaN.
struct ClassScore {
  int64_t support = 0, predicted = 0;
  std::optional<double> precision;  ///< absent if never predicted
  std::optional<double> recall;     ///< absent if the class has no sample
  std::optional<double> f1;         ///< absent if neither
};

struct Scores {
  int64_t n = 0;
  std::optional<double> accuracy, f1_macro, f1_micro;
  int64_t averaged = 0;  ///< classes that the macro average is over
  std::vector<ClassScore> per_class;
};

/// F1_c = 2 TP / (2 TP + FP + FN). The macro average is over the classes present in truth or
/// prediction; micro-F1 equals the accuracy when each sample has one class.
Scores scores_of(const Confusion& confusion);
/// The macro average over every class, those that occur nowhere counting 0; 0 for no classes.
double f1_macro_over_all(const Scores& scores);

/// How often predictions of a confidence are right: equal bins of confidence, open below and closed
/// above (0 belongs to the first).
struct Reliability {
  struct Bin {
    int64_t count = 0;
    double confidence = 0, accuracy = 0;  ///< means; 0 where the bin is empty
  };
  std::vector<Bin> bins;
  int64_t n = 0;
  double ece = 0;  ///< expected calibration error; 0 for no samples
};
/// Confidences outside 0..1 count as 0 or 1. @throws ValueError for NaN, for unequal lengths,
/// for bins < 1
Reliability reliability_of(std::span<const double> confidence, std::span<const uint8_t> correct,
                           int bins = 15);

/// From bins that were counted before.
Reliability reliability_from(std::vector<Reliability::Bin> bins);

/// Expected calibration error (Guo et al. 2017): sum over `bins` equal bins of confidence of
/// |accuracy - mean confidence| weighted by their share of samples. Absent for no samples.
std::optional<double> calibration_error(std::span<const double> confidence,
                                        std::span<const uint8_t> correct, int bins = 15);

/// `{"n", "accuracy", "f1_macro", "f1_micro", "classes_averaged", "ece", "per_class": {name:
/// {"precision", "recall", "f1", "support", "predicted"}}, "classes", "confusion"}` as one JSON
/// object, absent values null. @param extra further members, already JSON: `"loss":0.5`
std::string scores_json(const Scores& scores, const Confusion& confusion,
                        const std::vector<std::string>& classes, std::optional<double> ece = {},
                        const std::string& extra = "");

/// "0.9312", or "n/a" when absent.
std::string score_text(const std::optional<double>& value, int digits = 4);

}  // namespace cytograd
