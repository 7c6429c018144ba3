#include <algorithm>
#include <map>

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/data/split.h"
#include "cytograd/guided/classifiers.h"
#include "cytograd/io/text.h"
#include "cytograd/train/metrics.h"
#include "guided/classifier_kinds.h"

namespace cytograd {
namespace {

using Kind = ClassifierSpec::Kind;

double macro_f1(const std::vector<double>& scores, const std::vector<int64_t>& labels,
                int64_t classes) {
  Confusion confusion(classes);
  for (size_t i = 0; i < labels.size(); ++i) {
    const double* row = scores.data() + i * static_cast<size_t>(classes);
    confusion.add(labels[i], std::max_element(row, row + classes) - row);
  }
  return scores_of(confusion).f1_macro.value_or(0);
}

DataError bad(const std::string& path, const std::string& found) {
  return DataError(Fault{"run.checkpoint", path, "", found, "a classifier of cyto train", ""});
}

}  // namespace

ClassifierGrid ClassifierGrid::svm() {
  ClassifierGrid out;
  for (const double c : {0.001, 0.01, 0.1, 1.0, 10.0, 100.0})
    out.specs.push_back({.kind = Kind::svm, .c = c});
  return out;
}

ClassifierGrid ClassifierGrid::knn() {
  ClassifierGrid out;
  // Larger neighbourhoods win ties.
  for (const int64_t k : {25, 15, 9, 5, 3, 1})
    for (const bool by_distance : {false, true})
      out.specs.push_back({.kind = Kind::knn, .k = k, .by_distance = by_distance});
  return out;
}

ClassifierGrid ClassifierGrid::mlp() {
  ClassifierGrid out;
  for (const int64_t layers : {1, 2})
    for (const int64_t neurons : {32, 128, 512})
      out.specs.push_back({.kind = Kind::mlp, .layers = layers, .neurons = neurons});
  return out;
}

ClassifierGrid ClassifierGrid::all() {
  ClassifierGrid out = svm();
  for (const ClassifierGrid& more : {knn(), mlp()})
    out.specs.insert(out.specs.end(), more.specs.begin(), more.specs.end());
  return out;
}

GridSearch search_grid(const ClassifierGrid& grid, const LabelledRows& rows, uint64_t seed) {
  check<ValueError>(!grid.specs.empty() && grid.folds >= 2, "search_grid",
                    "expects classifiers to try and folds >= 2, got ", grid.specs.size(), " and ",
                    grid.folds);
  GridSearch out;
  out.scores.resize(grid.specs.size());
  const auto fold = stratified_folds(rows.labels, grid.folds, stream_key(seed, "inner folds"));
  int64_t used = 0;
  for (int64_t f = 0; f < grid.folds; ++f) {
    std::vector<int64_t> inside, outside;
    for (int64_t i = 0; i < rows.size(); ++i)
      (fold[static_cast<size_t>(i)] == f ? outside : inside).push_back(i);
    if (inside.empty() || outside.empty()) continue;
    ++used;
    const LabelledRows train = rows.subset(inside), test = rows.subset(outside);
    // All neighbourhoods are parts of the largest one.
    int64_t most = 0;
    for (const ClassifierSpec& s : grid.specs)
      if (s.kind == Kind::knn) most = std::max(most, s.k);
    Neighbours neighbours;
    if (most > 0) neighbours = nearest_rows(train, test.values, most);
    for (size_t s = 0; s < grid.specs.size(); ++s) {
      const ClassifierSpec& spec = grid.specs[s];
      const std::vector<double> scores =
          spec.kind == Kind::knn
              ? neighbour_votes(neighbours, train.labels, rows.classes, spec.k, spec.by_distance)
              : fit_classifier(spec, train, seed)->scores(test.values);
      out.scores[s] += macro_f1(scores, test.labels, rows.classes);
    }
  }
  for (double& score : out.scores) score = used > 0 ? score / static_cast<double>(used) : 0;
  for (size_t s = 1; s < out.scores.size(); ++s)
    if (out.scores[s] > out.scores[out.best] + 1e-12) out.best = s;
  return out;
}

void write_classifier(const std::string& path, const Classifier& classifier) {
  const ClassifierSpec s = classifier.spec();
  write_safetensors(path, classifier.state(),
                    {{"cytograd.classifier", s.kind == Kind::svm   ? "svm"
                                             : s.kind == Kind::knn ? "knn"
                                                                   : "mlp"},
                     {"c", format_double(s.c)},
                     {"k", std::to_string(s.k)},
                     {"by_distance", s.by_distance ? "1" : "0"},
                     {"layers", std::to_string(s.layers)},
                     {"neurons", std::to_string(s.neurons)}});
}

std::unique_ptr<Classifier> load_classifier(const std::string& path) {
  const SafeTensors file = read_safetensors(path);
  const auto text = [&](const char* key) {
    const auto found = file.metadata.find(key);
    if (found == file.metadata.end()) throw bad(path, std::string("no ") + key);
    return found->second;
  };
  const auto whole = [&](const char* key) {
    const auto value = parse_int(text(key));
    if (!value || *value < 1) throw bad(path, std::string(key) + " " + text(key));
    return *value;
  };
  ClassifierSpec spec;
  const std::string kind = text("cytograd.classifier");
  spec.kind = kind == "svm" ? Kind::svm : kind == "knn" ? Kind::knn : Kind::mlp;
  spec.c = parse_double(text("c")).value_or(1);
  spec.k = whole("k");
  spec.by_distance = text("by_distance") == "1";
  spec.layers = whole("layers");
  spec.neurons = whole("neurons");
  try {
    return classifier_of(spec, file.tensors);
  } catch (const std::out_of_range&) {
    throw bad(path, "a tensor is missing");
  }
}

}  // namespace cytograd
