#include "cytograd/guided/readout.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <set>

#include "cytograd/core/error.h"
#include "cytograd/guided/confidence.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/train/guide_update.h"
#include "guided/guide_text.h"

namespace cytograd {
namespace {

constexpr int64_t agreement_neighbours = 15;
constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

std::string classifier_path(const std::string& run) { return run + "/classifier.safetensors"; }
std::string reference_path(const std::string& run) { return run + "/reference.safetensors"; }

// Classes on the path of a lineage, by stage.
std::vector<size_t> path_of(const std::string& lineage, const std::vector<GuideClass>& rows) {
  std::vector<size_t> out;
  for (size_t c = 0; c < rows.size(); ++c)
    if (rows[c].stage && (rows[c].lineage == lineage || rows[c].lineage == "none"))
      out.push_back(c);
  std::stable_sort(out.begin(), out.end(),
                   [&](size_t a, size_t b) { return *rows[a].stage < *rows[b].stage; });
  return out;
}

// From a class without lineage every path leads on.
std::vector<std::vector<size_t>> paths_from(size_t predicted, const std::vector<GuideClass>& rows) {
  std::set<std::string> lineages = {rows[predicted].lineage};
  if (rows[predicted].lineage == "none")
    for (const GuideClass& row : rows) lineages.insert(row.lineage);
  std::vector<std::vector<size_t>> out;
  for (const std::string& lineage : lineages) out.push_back(path_of(lineage, rows));
  return out;
}

}  // namespace

double maturity_of(const double* embedding, int64_t width, int64_t predicted,
                   const std::vector<double>& anchors, const std::vector<GuideClass>& rows) {
  const auto own = static_cast<size_t>(predicted);
  if (own >= rows.size() || !rows[own].stage) return unknown;
  const auto n = static_cast<size_t>(width);
  double nearest = std::numeric_limits<double>::infinity(), out = unknown;
  for (const std::vector<size_t>& path : paths_from(own, rows))
    for (size_t s = 0; s + 1 < path.size(); ++s) {
      const double *a = anchors.data() + path[s] * n, *b = anchors.data() + path[s + 1] * n;
      double along = 0, length = 0, distance = 0;
      for (size_t k = 0; k < n; ++k) {
        along += (embedding[k] - a[k]) * (b[k] - a[k]);
        length += (b[k] - a[k]) * (b[k] - a[k]);
      }
      const double t = length > 0 ? std::clamp(along / length, 0.0, 1.0) : 0;
      for (size_t k = 0; k < n; ++k)
        distance += std::pow(embedding[k] - a[k] - t * (b[k] - a[k]), 2);
      if (!(distance < nearest)) continue;
      nearest = distance;
      const auto from = static_cast<double>(*rows[path[s]].stage);
      out = from + t * (static_cast<double>(*rows[path[s + 1]].stage) - from);
    }
  return out;
}

ReadoutScores Readout::judge(const std::vector<float>& embeddings,
                             const std::vector<int64_t>& predicted) const {
  ReadoutScores out;
  const auto width = static_cast<size_t>(reference.width);
  const Neighbours near = nearest_rows(reference, embeddings, agreement_neighbours);
  const std::vector<double> votes =
      neighbour_votes(near, reference.labels, reference.classes, agreement_neighbours, false);
  const std::vector<double> points = anchors.to_vector<double>();
  const std::vector<double> distances = anchor_distances(embeddings, anchors);
  out.anchor_confidence = distance_confidence(distances, reference.classes, predicted, temperature);
  for (size_t i = 0; i < predicted.size(); ++i) {
    const auto c = static_cast<size_t>(predicted[i]);
    out.agreement.push_back(votes[i * static_cast<size_t>(reference.classes) + c]);
    const std::vector<double> p(embeddings.begin() + static_cast<std::ptrdiff_t>(i * width),
                                embeddings.begin() + static_cast<std::ptrdiff_t>((i + 1) * width));
    const double distance = distances[i * static_cast<size_t>(reference.classes) + c];
    out.anchor_distance.push_back(std::isfinite(distance) ? distance : unknown);
    out.maturity.push_back(maturity_of(p.data(), reference.width, predicted[i], points, rows));
  }
  return out;
}

Tensor anchors_of(const Tensor& anchors, const LabelledRows& reference) {
  if (!anchors.defined()) return class_means(reference);
  const std::vector<double> from = anchors.to_vector<double>();
  const auto n = static_cast<size_t>(anchors.size(1)), width = static_cast<size_t>(reference.width);
  std::vector<double> out(static_cast<size_t>(anchors.size(0)) * width);
  for (size_t c = 0; c < static_cast<size_t>(anchors.size(0)); ++c)
    std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(c * n), std::min(n, width),
                out.begin() + static_cast<std::ptrdiff_t>(c * width));
  return Tensor::from(out, {anchors.size(0), reference.width});
}

void write_readout(const std::string& run, const Readout& readout) {
  TensorMap tensors;
  tensors["embeddings"] =
      Tensor::from(readout.reference.values, {readout.reference.size(), readout.reference.width});
  tensors["labels"] = Tensor::from(readout.reference.labels);
  tensors["anchors"] = readout.anchors;
  Guide guide;
  guide.classes = readout.rows;
  write_safetensors(reference_path(run), tensors,
                    {{"cytograd.epoch", std::to_string(readout.epoch)},
                     {"cytograd.temperature", format_double(readout.temperature)},
                     {"cytograd.guide", readout.rows.empty() ? "" : guide_json(guide)}});
  write_classifier(classifier_path(run), *readout.classifier);
}

std::shared_ptr<const Readout> load_readout(const std::string& run, int64_t epoch) {
  std::error_code error;
  for (const std::string& path : {reference_path(run), classifier_path(run)})
    if (!std::filesystem::exists(path, error)) return nullptr;
  const SafeTensors file = read_safetensors(reference_path(run));
  auto out = std::make_shared<Readout>();
  const auto bad = [&](const std::string& found) {
    return DataError(Fault{"run.checkpoint", reference_path(run), "", found,
                           "embeddings as cyto train wrote them", ""});
  };
  const auto text = file.metadata.find("cytograd.epoch");
  if (text == file.metadata.end()) throw bad("no epoch");
  out->epoch = parse_int(text->second).value_or(-1);
  if (out->epoch != epoch) return nullptr;
  // Runs of earlier builds lack it.
  if (const auto t = file.metadata.find("cytograd.temperature"); t != file.metadata.end())
    out->temperature = parse_double(t->second).value_or(0);
  if (!(out->temperature > 0)) throw bad("no temperature above 0");
  for (const char* name : {"embeddings", "labels", "anchors"})
    if (!file.tensors.contains(name)) throw bad(std::string("no tensor ") + name);
  const Tensor &values = file.tensors.at("embeddings"), &anchors = file.tensors.at("anchors");
  out->reference.labels = file.tensors.at("labels").to_vector<int64_t>();
  const bool fits = values.ndim() == 2 && anchors.ndim() == 2 &&
                    values.size(0) == out->reference.size() && anchors.size(1) == values.size(1);
  if (!fits) throw bad("tensors that do not fit each other");
  out->reference.values = values.to_vector<float>();
  out->reference.width = values.size(1);
  out->reference.classes = anchors.size(0);
  for (const int64_t y : out->reference.labels)
    if (y < 0 || y >= out->reference.classes) throw bad("a label out of range");
  out->anchors = anchors;
  if (const auto guide = file.metadata.find("cytograd.guide");
      guide != file.metadata.end() && !guide->second.empty())
    out->rows = parse_guide_json(guide->second, reference_path(run)).classes;
  out->classifier = load_classifier(classifier_path(run));
  return out;
}

}  // namespace cytograd
