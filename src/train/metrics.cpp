#include "cytograd/train/metrics.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cytograd/core/error.h"
#include "cytograd/io/text.h"

namespace cytograd {
namespace {

std::optional<double> ratio(int64_t a, int64_t b) {
  if (b == 0) return {};
  return static_cast<double>(a) / static_cast<double>(b);
}

nlohmann::ordered_json json_of(const std::optional<double>& value) {
  if (!value || !std::isfinite(*value)) return nullptr;
  return *value;
}

}  // namespace

Confusion::Confusion(int64_t classes)
    : classes_(classes), counts_(static_cast<size_t>(classes * classes)) {}

void Confusion::add(int64_t truth, int64_t predicted, int64_t count) {
  check<ValueError>(truth >= 0 && truth < classes_ && predicted >= 0 && predicted < classes_,
                    "confusion", "expected classes in 0..", classes_ - 1, ", got truth ", truth,
                    " and prediction ", predicted);
  counts_[static_cast<size_t>(truth * classes_ + predicted)] += count;
}

int64_t Confusion::at(int64_t truth, int64_t predicted) const {
  return counts_[static_cast<size_t>(truth * classes_ + predicted)];
}

int64_t Confusion::total() const {
  int64_t sum = 0;
  for (const int64_t n : counts_) sum += n;
  return sum;
}

int64_t Confusion::truth_count(int64_t c) const {
  int64_t sum = 0;
  for (int64_t p = 0; p < classes_; ++p) sum += at(c, p);
  return sum;
}

int64_t Confusion::predicted_count(int64_t c) const {
  int64_t sum = 0;
  for (int64_t t = 0; t < classes_; ++t) sum += at(t, c);
  return sum;
}

Scores scores_of(const Confusion& confusion) {
  Scores out;
  out.n = confusion.total();
  int64_t correct = 0;
  double f1_sum = 0;
  for (int64_t c = 0; c < confusion.classes(); ++c) {
    const int64_t hits = confusion.at(c, c);
    ClassScore score;
    score.support = confusion.truth_count(c);
    score.predicted = confusion.predicted_count(c);
    score.precision = ratio(hits, score.predicted);
    score.recall = ratio(hits, score.support);
    score.f1 = ratio(2 * hits, score.support + score.predicted);
    if (score.f1) {
      f1_sum += *score.f1;
      ++out.averaged;
    }
    correct += hits;
    out.per_class.push_back(score);
  }
  out.accuracy = ratio(correct, out.n);
  out.f1_micro = out.accuracy;
  if (out.averaged > 0) out.f1_macro = f1_sum / static_cast<double>(out.averaged);
  return out;
}

double f1_macro_over_all(const Scores& scores) {
  double sum = 0;
  for (const ClassScore& c : scores.per_class) sum += c.f1.value_or(0);
  return scores.per_class.empty() ? 0 : sum / static_cast<double>(scores.per_class.size());
}

Reliability reliability_of(std::span<const double> confidence, std::span<const uint8_t> correct,
                           int bins) {
  check<ValueError>(confidence.size() == correct.size() && bins > 0, "reliability_of",
                    "expected as many confidences as outcomes, got ", confidence.size(), " and ",
                    correct.size());
  Reliability out;
  out.bins.resize(static_cast<size_t>(bins));
  out.n = static_cast<int64_t>(confidence.size());
  for (size_t i = 0; i < confidence.size(); ++i) {
    check<ValueError>(!std::isnan(confidence[i]), "reliability_of", "confidence ", i, " is NaN");
    const double value = std::clamp(confidence[i], 0.0, 1.0);
    // Bins are open below and closed above, as in the paper.
    const int at = std::clamp(static_cast<int>(std::ceil(value * bins)) - 1, 0, bins - 1);
    Reliability::Bin& bin = out.bins[static_cast<size_t>(at)];
    ++bin.count;
    bin.confidence += value;
    bin.accuracy += correct[i] ? 1 : 0;
  }
  for (Reliability::Bin& bin : out.bins) {
    if (bin.count == 0) continue;
    out.ece += std::abs(bin.accuracy - bin.confidence) / static_cast<double>(out.n);
    bin.confidence /= static_cast<double>(bin.count);
    bin.accuracy /= static_cast<double>(bin.count);
  }
  return out;
}

Reliability reliability_from(std::vector<Reliability::Bin> bins) {
  Reliability out;
  out.bins = std::move(bins);
  for (const Reliability::Bin& bin : out.bins) out.n += bin.count;
  for (const Reliability::Bin& bin : out.bins)
    if (bin.count > 0)
      out.ece += std::abs(bin.accuracy - bin.confidence) * static_cast<double>(bin.count) /
                 static_cast<double>(out.n);
  return out;
}

std::optional<double> calibration_error(std::span<const double> confidence,
                                        std::span<const uint8_t> correct, int bins) {
  const Reliability out = reliability_of(confidence, correct, bins);
  if (out.n == 0) return {};
  return out.ece;
}

std::string scores_json(const Scores& scores, const Confusion& confusion,
                        const std::vector<std::string>& classes, std::optional<double> ece,
                        const std::string& extra) {
  using Json = nlohmann::ordered_json;
  Json per_class = Json::object(), names = Json::array(), rows = Json::array();
  for (size_t c = 0; c < classes.size(); ++c) {
    const ClassScore& s = scores.per_class[c];
    const std::string name = escape_control(classes[c]);
    names.push_back(name);
    per_class[name] = {{"precision", json_of(s.precision)},
                       {"recall", json_of(s.recall)},
                       {"f1", json_of(s.f1)},
                       {"support", s.support},
                       {"predicted", s.predicted}};
    Json row = Json::array();
    for (int64_t p = 0; p < confusion.classes(); ++p)
      row.push_back(confusion.at(static_cast<int64_t>(c), p));
    rows.push_back(row);
  }
  const Json out = {{"n", scores.n},
                    {"accuracy", json_of(scores.accuracy)},
                    {"f1_macro", json_of(scores.f1_macro)},
                    {"f1_micro", json_of(scores.f1_micro)},
                    {"classes_averaged", scores.averaged},
                    {"ece", json_of(ece)},
                    {"per_class", per_class},
                    {"classes", names},
                    {"confusion", rows}};
  std::string text = out.dump();
  if (!extra.empty()) text.insert(text.size() - 1, "," + extra);
  return text;
}

std::string score_text(const std::optional<double>& value, int digits) {
  return value ? format_fixed(*value, digits) : "n/a";
}

}  // namespace cytograd
