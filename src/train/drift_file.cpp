#include <cmath>
#include <nlohmann/json.hpp>

#include "cytograd/core/error.h"
#include "cytograd/io/safetensors.h"
#include "cytograd/train/drift.h"
#include "io/json.h"

namespace cytograd {
namespace {

using Json = nlohmann::ordered_json;

Json value_or_null(const std::optional<double>& v) {
  if (!v || !std::isfinite(*v)) return nullptr;
  return *v;
}

// Evenly spread over the cells of each domain.
std::vector<int64_t> pick(const Dataset& dataset, const std::vector<int64_t>& part) {
  std::vector<std::vector<int64_t>> domains(dataset.domains.size());
  for (const int64_t i : part)
    domains[static_cast<size_t>(dataset.samples[static_cast<size_t>(i)].domain)].push_back(i);
  std::vector<int64_t> out;
  for (const auto& list : domains) {
    const size_t n = std::min(list.size(), static_cast<size_t>(drift_cells));
    for (size_t i = 0; i < n; ++i) out.push_back(list[i * list.size() / n]);
  }
  return out;
}

[[noreturn]] void fail(const std::string& path, const std::string& found) {
  throw DataError(Fault{"run.checkpoint", path, "", found, "the file of cyto drift",
                        "remove it; it is made again where the images of the run are"});
}

const Tensor& tensor_of(const SafeTensors& in, const std::string& name, Dtype dtype,
                        const std::string& path) {
  const auto at = in.tensors.find(name);
  if (at == in.tensors.end() || at->second.dtype() != dtype)
    fail(path, "no tensor " + name + " of the right type");
  return at->second;
}

}  // namespace

DriftReference make_drift_reference(const TrainedModel& trained, const Task& task,
                                    const ProgressCallback& progress) {
  DriftReference out;
  out.classes = trained.classes;
  out.domains = task.dataset.domains;
  out.counts = class_counts(task.dataset, task.split.train);
  out.epoch = trained.epoch;
  out.data_hash = trained.data_hash;
  LoaderOptions options;
  options.batch_size = trained.config.batch;
  options.preprocess = trained.preprocess;
  options.max_pixels = trained.config.max_pixels;
  const std::vector<int64_t>& held = task.split.test.empty() ? task.split.val : task.split.test;
  for (const bool is_held : {false, true}) {
    const std::vector<int64_t> picked = pick(task.dataset, is_held ? held : task.split.train);
    if (picked.empty()) continue;
    const Predictions p = predict(trained, task.dataset, picked, options, true, progress);
    out.width = p.width;
    out.features.insert(out.features.end(), p.embeddings.begin(), p.embeddings.end());
    for (size_t i = 0; i < p.indices.size(); ++i) {
      out.domain.push_back(task.dataset.samples[static_cast<size_t>(p.indices[i])].domain);
      out.held.push_back(is_held ? 1 : 0);
      out.confidence.push_back(p.confidence(i));
    }
  }
  return out;
}

void write_drift_reference(const std::string& path, const DriftReference& r) {
  Json names = {{"classes", Json::array()}, {"domains", Json::array()}};
  for (const std::string& c : r.classes) names["classes"].push_back(escape_control(c));
  for (const std::string& d : r.domains) names["domains"].push_back(escape_control(d));
  std::vector<int64_t> counts;
  for (const auto& row : r.counts) counts.insert(counts.end(), row.begin(), row.end());
  const int64_t n = r.size();
  write_safetensors(
      path,
      {{"features", Tensor::from(r.features, {n, r.width})},
       {"domain", Tensor::from(r.domain, {n})},
       {"held", Tensor::from(std::vector<int64_t>(r.held.begin(), r.held.end()), {n})},
       {"confidence", Tensor::from(r.confidence, {n})},
       {"counts", Tensor::from(counts, {static_cast<int64_t>(r.classes.size()),
                                        static_cast<int64_t>(r.domains.size())})}},
      {{"cytograd.drift", names.dump()},
       {"cytograd.epoch", std::to_string(r.epoch)},
       {"cytograd.data_hash", r.data_hash}});
}

DriftReference read_drift_reference(const std::string& path) {
  const SafeTensors in = read_safetensors(path);
  DriftReference out;
  const auto meta = [&](const char* key) {
    const auto at = in.metadata.find(key);
    if (at == in.metadata.end()) fail(path, std::string("no ") + key);
    return at->second;
  };
  const nlohmann::json names =
      parse_json(meta("cytograd.drift"), Fault{"run.checkpoint", path, "", "", "", ""});
  try {
    names.at("classes").get_to(out.classes);
    names.at("domains").get_to(out.domains);
    out.epoch = std::stoll(meta("cytograd.epoch"));
  } catch (const nlohmann::json::exception&) {
    fail(path, "names that cannot be read");
  } catch (const std::logic_error&) {
    fail(path, "an epoch that is no number");
  }
  out.data_hash = meta("cytograd.data_hash");
  const Tensor& features = tensor_of(in, "features", Dtype::float32, path);
  const Tensor& domain = tensor_of(in, "domain", Dtype::int64, path);
  const Tensor& held = tensor_of(in, "held", Dtype::int64, path);
  const Tensor& confidence = tensor_of(in, "confidence", Dtype::float64, path);
  const Tensor& counts = tensor_of(in, "counts", Dtype::int64, path);
  const auto classes = static_cast<int64_t>(out.classes.size()),
             domains = static_cast<int64_t>(out.domains.size());
  const bool rows = features.ndim() == 2 && features.size(1) > 0;
  const int64_t n = rows ? features.size(0) : 0;
  if (!rows || domain.shape() != Shape{n} || held.shape() != Shape{n} ||
      confidence.shape() != Shape{n} || counts.shape() != Shape{classes, domains})
    fail(path, "tensors that do not fit each other");
  out.width = features.size(1);
  out.features = features.to_vector<float>();
  out.domain = domain.to_vector<int64_t>();
  for (const int64_t h : held.to_vector<int64_t>()) out.held.push_back(h != 0);
  out.confidence = confidence.to_vector<double>();
  const std::vector<int64_t> flat = counts.to_vector<int64_t>();
  for (int64_t c = 0; c < classes; ++c)
    out.counts.emplace_back(flat.begin() + c * domains, flat.begin() + (c + 1) * domains);
  for (const int64_t d : out.domain)
    if (d < 0 || d >= domains) fail(path, "a domain that does not exist");
  for (const float v : out.features)
    if (!std::isfinite(v)) fail(path, "a feature that is not a finite number");
  return out;
}

std::string drift_json(const Drift& d, const std::vector<std::string>& classes) {
  Json domains = Json::array(), mix = Json::object();
  for (const DomainDrift& x : d.domains)
    domains.push_back({{"domain", escape_control(x.domain)},
                       {"training_cells", x.n},
                       {"distance", value_or_null(x.distance.sum())},
                       {"mean_distance", value_or_null(x.distance.mean)},
                       {"covariance_distance", value_or_null(x.distance.covariance)},
                       {"expected", value_or_null(x.expected)},
                       {"ratio", value_or_null(x.ratio())}});
  for (size_t c = 0; c < classes.size(); ++c) {
    Json share = nullptr;
    if (d.n > 0) share = static_cast<double>(d.predicted[c]) / static_cast<double>(d.n);
    mix[escape_control(classes[c])] = {
        {"images", d.predicted[c]}, {"share", share}, {"training_share", d.training_share[c]}};
  }
  Json out = {{"n", d.n}, {"nearest_domain", nullptr}};
  if (d.nearest >= 0)
    out["nearest_domain"] = escape_control(d.domains[static_cast<size_t>(d.nearest)].domain);
  out["domains"] = domains;
  out["confidence"] = {{"below", d.low},
                       {"share", value_or_null(d.low_share)},
                       {"share_held_back", value_or_null(d.low_share_held)},
                       {"mean", value_or_null(d.mean_confidence)},
                       {"mean_held_back", value_or_null(d.mean_confidence_held)}};
  out["classes"] = mix;
  out["mix_distance"] = value_or_null(d.mix_distance);
  return out.dump();
}

}  // namespace cytograd
