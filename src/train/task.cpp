#include "cytograd/train/task.h"

#include <algorithm>
#include <map>

#include "cytograd/core/error.h"
#include "cytograd/data/domains.h"
#include "cytograd/io/text.h"
#include "cytograd/models/registry.h"
#include "cytograd/train/method.h"
#include "train/settings.h"

namespace cytograd {

DatasetOptions dataset_options(const TrainConfig& config, const std::string& path) {
  DatasetOptions out;
  out.path = path;
  out.preset = config.preset;
  out.need_labels = !self_supervised(config);
  out.labels = config.labels;
  out.multi_label = config.multi_label;
  out.objects = config.objects;
  out.harmonise = config.harmonise;
  out.ace_subset = config.ace_subset;
  out.mask_threshold = config.mask_threshold;
  out.mask_map = config.mask_map;
  out.strict = config.strict;
  return out;
}

Task load_data(const TrainConfig& config, const ProgressCallback& progress) {
  Dataset dataset = load_datasets(for_each_data_set(config, dataset_options));
  require_scale(dataset, config.field_um);
  return scan_data(std::move(dataset), config, progress);
}

Task scan_data(Dataset dataset, const TrainConfig& config, const ProgressCallback& progress) {
  Task out;
  out.scanned = std::move(dataset);
  ScanOptions options;
  options.on_bad_image =
      config.on_bad_image == "skip" ? BadImagePolicy::skip : BadImagePolicy::error;
  options.max_bad = config.max_bad;
  options.max_pixels = config.max_pixels;
  options.strict = config.strict;
  options.progress = progress;
  out.report = scan(out.scanned, options);
  out.dataset = out.scanned;
  apply_scan(out.dataset, out.report, options);
  for (const SampleReport& sample : out.report.samples)
    if (sample.used) out.hashes.push_back(sample.hash);
  return out;
}

namespace {

// Validation cells that are drawn one by one may be copies of training files; these train instead.
void keep_copies_together(const Task& task, Split& split) {
  std::map<std::string, std::string> trained;  // path by hash
  const auto sample = [&](int64_t i) { return static_cast<size_t>(i); };
  for (const int64_t i : split.train)
    if (!task.hashes[sample(i)].empty())
      trained.emplace(task.hashes[sample(i)], task.dataset.samples[sample(i)].path);
  std::vector<int64_t> val;
  for (const int64_t i : split.val) {
    const auto copy = trained.find(task.hashes[sample(i)]);
    const bool both = copy != trained.end() && copy->second != task.dataset.samples[sample(i)].path;
    (both ? split.train : val).push_back(i);
  }
  split.val = val;
  std::sort(split.train.begin(), split.train.end());
}

}  // namespace

Task load_task(const TrainConfig& config, const ProgressCallback& progress) {
  return split_task(load_data(config, progress), config);
}

Task split_task(Task out, const TrainConfig& config) {
  if (!config.splits.empty()) {
    out.folds = read_splits(config.splits, out.dataset);
    // A file made without regard to domains holds good for those that are trained on.
    if (!config.unseen.empty() || !config.train_domains.empty())
      for (Split& split : out.folds)
        apply_domain_roles(out.dataset,
                           domain_roles(out.dataset, config.train_domains, config.unseen), split);
  } else {
    SplitOptions options;
    options.folds = config.folds;
    options.test = config.test_fraction;
    // A part that is held back is judged by its labels.
    const bool judged = !self_supervised(config) || out.dataset.classes.size() > 1;
    options.val = judged ? config.val_fraction : 0;
    options.val_grouped = config.val_grouped;
    options.seed = static_cast<uint64_t>(config.seed);
    options.select = config.select;
    options.unseen = config.unseen;
    options.train = config.train_domains;
    out.folds = make_splits(out.dataset, options);
    if (!config.val_grouped)
      for (Split& split : out.folds) keep_copies_together(out, split);
  }
  if (config.fold >= static_cast<int64_t>(out.folds.size()))
    throw ConfigError(Fault{"cfg", config.splits, "", "no fold " + std::to_string(config.fold),
                            "a fold below " + std::to_string(out.folds.size()), ""});
  out.split = out.folds[static_cast<size_t>(config.fold)];
  if (out.split.train.empty())
    throw DataError(Fault{"fold.empty", "", "", "no sample is left to train on", "at least one",
                          "choose smaller test and validation parts"});
  const std::vector<Fault> leaks = find_leaks(out.dataset, out.split, out.hashes);
  if (!leaks.empty()) {
    Fault first = leaks.front();
    if (leaks.size() > 1) first.found += " (and " + std::to_string(leaks.size() - 1) + " more)";
    throw DataError(first);
  }
  return out;
}

std::vector<std::vector<int64_t>> class_counts(const Dataset& dataset,
                                               const std::vector<int64_t>& indices) {
  std::vector<std::vector<int64_t>> out(dataset.classes.size(),
                                        std::vector<int64_t>(dataset.domains.size()));
  for (const int64_t i : indices) {
    const Sample& s = dataset.samples[static_cast<size_t>(i)];
    ++out[static_cast<size_t>(s.label)][static_cast<size_t>(s.domain)];
  }
  return out;
}

std::unique_ptr<models::ImageModel> model_of(const TrainConfig& config, int64_t classes,
                                             bool initialize) {
  const std::vector<std::string> names = models::model_names();
  if (std::find(names.begin(), names.end(), config.model) == names.end()) {
    std::string all;
    for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
    const std::string near = nearest_name(config.model, names);
    throw ConfigError(Fault{"cfg", "", "", "model.name is \"" + config.model + "\"",
                            "one of " + all, near.empty() ? "" : "did you mean " + near + "?"});
  }
  models::ModelOptions options;
  options.classes = has_head(config) ? classes : 0;
  options.embedding = config.embedding;
  options.recompute = config.recompute;
  options.seed = static_cast<uint64_t>(config.seed);
  options.initialize = initialize;
  return models::make_model(config.model, options);
}

Preprocess preprocess_of(const TrainConfig& config, const models::ImageModel& model) {
  Preprocess out;
  out.size = config.image_size;
  out.fit = config.fit == "pad" ? Fit::pad : config.fit == "crop" ? Fit::crop : Fit::stretch;
  out.field_um = config.field_um;
  out.box_margin = config.box_margin;
  out.stain = stain_method(config.stain);
  out.stain_target = builtin_stain();
  for (size_t c = 0; c < 3; ++c) {
    out.mean[c] = static_cast<float>(model.input_mean[c]);
    out.std[c] = static_cast<float>(model.input_std[c]);
  }
  return out;
}

int64_t map_classes(Dataset& dataset, const std::vector<std::string>& classes, bool drop,
                    const std::string& path) {
  std::vector<int64_t> to(dataset.classes.size(), -1);
  for (size_t c = 0; c < dataset.classes.size(); ++c) {
    const auto found =
        std::find(classes.begin(), classes.end(), escape_control(dataset.classes[c]));
    if (found != classes.end()) to[c] = found - classes.begin();
  }
  std::vector<bool> keep(dataset.samples.size(), true);
  std::string unknown;
  int64_t dropped = 0;
  for (size_t i = 0; i < dataset.samples.size(); ++i) {
    Sample& s = dataset.samples[i];
    const std::string& name = dataset.classes[static_cast<size_t>(s.label)];
    const int64_t label = to[static_cast<size_t>(s.label)];
    if (label < 0) {
      keep[i] = false;
      ++dropped;
      if ((", " + unknown + ",").find(", " + name + ",") == std::string::npos)
        unknown += (unknown.empty() ? "" : ", ") + name;
    }
    s.label = std::max<int64_t>(label, 0);
  }
  if (dropped > 0 && !drop)
    throw DataError(
        Fault{"class.unknown", path, "",
              std::to_string(dropped) + " samples of classes the model does not know: " + unknown,
              "classes among those of the run", "pass --unknown-classes drop to leave them out"});
  dataset.classes = classes;
  keep_samples(dataset, keep);
  return dropped;
}

}  // namespace cytograd
