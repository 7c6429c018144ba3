#include <algorithm>
#include <cmath>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/error.h"
#include "cytograd/nn/state_dict.h"
#include "cytograd/train/checkpoint.h"
#include "cytograd/train/method.h"
#include "cytograd/train/task.h"
#include "train/embedder.h"

namespace cytograd {
namespace {

// Softmax in double, so that probabilities of a row sum to 1 to rounding of doubles.
void softmax_row(const float* logits, int64_t classes, double* out) {
  const double top = *std::max_element(logits, logits + classes);
  double sum = 0;
  for (int64_t c = 0; c < classes; ++c) sum += out[c] = std::exp(logits[c] - top);
  for (int64_t c = 0; c < classes; ++c) out[c] /= sum;
}

void require_finite(const std::vector<float>& values, const Dataset& dataset, const Batch& batch,
                    int64_t width) {
  for (size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i])) {
      const auto n = static_cast<size_t>(batch.indices[i / static_cast<size_t>(width)]);
      throw DataError(Fault{"model.nan", dataset.samples[n].path, "",
                            "the model's output is not a finite number", "finite weights",
                            "the checkpoint or the image is not usable"});
    }
}

}  // namespace

TrainedModel load_trained(const std::string& run, const std::string& which, Device device) {
  require_run(run);
  ResolvedConfig resolved;
  apply_config_file(resolved, run + "/config.toml");
  TrainedModel out;
  out.config = resolved.config;
  if (out.config.detector != "none")
    throw ConfigError(Fault{"cfg", run, "", "the run is of a detector", "a run of `cyto train`",
                            "`cyto segment eval` and `cyto segment predict` take this one"});
  out.file = checkpoint_file(run, which);
  Checkpoint checkpoint = read_checkpoint(out.file);
  out.classes = checkpoint.classes;
  out.data_hash = checkpoint.data_hash;
  out.domains = checkpoint.domains;
  out.epoch = checkpoint.progress.epoch;
  const nn::NamedTensors weights = checkpoint.weights();
  const TensorMap method = [&] {
    TensorMap all;
    for (const auto& [name, tensor] : checkpoint.part("method/")) all.emplace(name, tensor);
    return all;
  }();
  checkpoint.tensors.clear();  // the optimiser's: the model takes their memory
  out.model = model_of(out.config, static_cast<int64_t>(out.classes.size()), false);
  if (out.config.domain_bn) out.model->add_domains(static_cast<int64_t>(out.domains.size()));
  nn::LoadOptions options;
  options.file = out.file;
  nn::load_state_dict(*out.model, nn::from_torch_layout(weights), options);
  out.model->to(device);
  out.model->eval();
  if (const auto n = method.find("n"); n != method.end() && is_guided(out.config)) {
    out.active = static_cast<int64_t>(n->second.item());
    out.model->set_active(out.active);
  }
  out.by_head = out.model->has_classifier();
  if (const auto epoch = method.find("epoch");
      epoch != method.end() && out.by_head && is_guided(out.config) && grows(out.config))
    out.by_head = static_cast<int64_t>(epoch->second.item()) >= guide_epochs;
  out.anchors = guide_anchors(out.config, method);
  out.readout = load_readout(run, out.epoch);
  out.preprocess = preprocess_of(out.config, *out.model);
  if (const auto target = checkpoint.metadata.find("cytograd.stain_target");
      target != checkpoint.metadata.end())
    out.preprocess.stain_target = parse_stain(target->second, out.file);
  return out;
}

Predictions predict(const models::ImageModel& model, const Dataset& dataset,
                    const std::vector<int64_t>& indices, const LoaderOptions& options,
                    bool keep_embeddings, const ProgressCallback& progress,
                    const std::vector<std::string>& domains) {
  if (indices.empty()) return {};
  Loader loader(dataset, indices, options);
  return predict(model, dataset, loader, keep_embeddings, progress, domains);
}

Predictions predict(const models::ImageModel& model, const Dataset& dataset, Loader& loader,
                    bool keep_embeddings, const ProgressCallback& progress,
                    const std::vector<std::string>& domains) {
  check<StateError>(!model.training(), "predict", "expected a model in evaluation mode");
  const NoGrad no_grad;
  Predictions out;
  Embedder embed(model, domains, dataset.domains);
  loader.start_at(0);
  for (Batch batch; loader.next(batch);) {
    const Tensor embeddings = embed(batch);
    const bool head = model.has_classifier();
    const Tensor logits = head ? model.classify(embeddings) : embeddings;
    out.classes = head ? logits.size(1) : 0;
    out.width = embeddings.size(1);
    const std::vector<float> values = logits.to_vector<float>();
    require_finite(values, dataset, batch, logits.size(1));
    for (size_t i = 0; i < batch.indices.size(); ++i) {
      const auto fault = batch.faults.find(static_cast<int64_t>(i));
      if (fault != batch.faults.end()) {
        out.faults.emplace(batch.indices[i], fault->second);
        continue;
      }
      out.indices.push_back(batch.indices[i]);
      out.labels.push_back(dataset.samples[static_cast<size_t>(batch.indices[i])].label);
      if (!head) continue;
      std::vector<double> row(static_cast<size_t>(out.classes));
      softmax_row(values.data() + i * row.size(), out.classes, row.data());
      out.predicted.push_back(std::max_element(row.begin(), row.end()) - row.begin());
      out.probabilities.insert(out.probabilities.end(), row.begin(), row.end());
    }
    if (keep_embeddings) {
      const std::vector<float> e = embeddings.to_vector<float>();
      for (int64_t i = 0; i < batch.size(); ++i)
        if (!batch.faults.contains(i))
          out.embeddings.insert(out.embeddings.end(), e.begin() + i * out.width,
                                e.begin() + (i + 1) * out.width);
    }
    if (progress)
      progress(static_cast<int64_t>(out.indices.size() + out.faults.size()), loader.samples());
  }
  return out;
}

Predictions predict(const TrainedModel& trained, const Dataset& dataset,
                    const std::vector<int64_t>& indices, const LoaderOptions& options,
                    bool keep_embeddings, const ProgressCallback& progress) {
  const Readout* readout = trained.readout.get();
  const bool head = trained.by_head;
  check<StateError>(head || readout, "predict", trained.file,
                    " has no classifier for its embeddings; ",
                    self_supervised(trained.config)
                        ? "train on labels, with --weights and its weights.safetensors"
                        : "`cyto train` fits one to the best checkpoint when it ends");
  Predictions out = predict(*trained.model, dataset, indices, options,
                            keep_embeddings || readout != nullptr, progress, trained.domains);
  if (out.embeddings.empty()) return out;
  // Components that are not in use are 0 and leave.
  const LabelledRows rows =
      rows_of(out, trained.width(), static_cast<int64_t>(trained.classes.size()));
  out.embeddings = rows.values;
  out.width = rows.width;
  if (!readout) return out;
  if (!head) classify_by(out, *readout->classifier);
  const ReadoutScores scores = readout->judge(rows.values, out.predicted);
  out.agreement = scores.agreement;
  out.anchor_distance = scores.anchor_distance;
  out.anchor_confidence = scores.anchor_confidence;
  out.maturity = scores.maturity;
  if (!keep_embeddings) out.embeddings.clear();
  return out;
}

LabelledRows rows_of(const Predictions& predictions, int64_t active, int64_t classes) {
  LabelledRows out;
  out.width = active > 0 ? std::min(active, predictions.width) : predictions.width;
  out.classes = classes;
  out.labels = predictions.labels;
  for (size_t i = 0; i < predictions.labels.size(); ++i) {
    const auto row =
        predictions.embeddings.begin() + static_cast<std::ptrdiff_t>(i) * predictions.width;
    out.values.insert(out.values.end(), row, row + out.width);
  }
  return out;
}

void classify_by(Predictions& p, const Classifier& classifier) {
  const LabelledRows rows = rows_of(p, classifier.width(), classifier.classes());
  p.classes = classifier.classes();
  p.probabilities = classifier.scores(rows.values);
  p.predicted.clear();
  for (size_t i = 0; i < p.labels.size(); ++i) {
    const auto row = p.probabilities.begin() + static_cast<std::ptrdiff_t>(i) * p.classes;
    p.predicted.push_back(std::max_element(row, row + p.classes) - row);
  }
}

}  // namespace cytograd
