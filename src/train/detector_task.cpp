#include <algorithm>
#include <cmath>
#include <filesystem>

#include "cytograd/core/error.h"
#include "cytograd/io/hash.h"
#include "cytograd/io/text.h"
#include "cytograd/io/weights.h"
#include "cytograd/models/mask_rcnn/weights.h"
#include "cytograd/nn/state_dict.h"
#include "cytograd/train/checkpoint.h"
#include "cytograd/train/detector.h"
#include "train/settings.h"

namespace cytograd {
bool is_detector_setting(const ConfigField& field) {
  static const std::vector<std::string> sections = {"segment", "schedule"};
  static const std::vector<std::string> keys = {"split.file",          "split.folds",
                                                "split.fold",          "split.test_fraction",
                                                "split.val_fraction",  "split.val_grouped",
                                                "data.path",           "data.preset",
                                                "data.objects",        "data.strict",
                                                "data.mask_threshold", "data.mask_map",
                                                "data.on_bad_image",   "data.max_bad",
                                                "data.max_pixels",     "model.name",
                                                "model.weights",       "model.freeze",
                                                "model.freeze_bn",     "input.augment",
                                                "input.stain_augment", "input.hue",
                                                "input.gray_p",        "optimizer.name",
                                                "optimizer.lr",        "optimizer.weight_decay",
                                                "optimizer.momentum",  "optimizer.nesterov",
                                                "optimizer.beta1",     "optimizer.beta2",
                                                "optimizer.eps",       "optimizer.clip_norm",
                                                "optimizer.ema",       "train.epochs",
                                                "train.batch",         "train.patience",
                                                "train.seed",          "train.device",
                                                "train.precision",     "train.kernels"};
  const std::string section = field.key.substr(0, field.key.find('.'));
  return std::find(sections.begin(), sections.end(), section) != sections.end() ||
         std::find(keys.begin(), keys.end(), field.key) != keys.end();
}

void apply_detector_defaults(ResolvedConfig& out) {
  const TrainConfig& c = out.config;
  const auto give = [&](const char* key, const std::string& text) {
    if (!out.sources.contains(key)) set_config(out, config_field(key), text, "segment");
  };
  give("segment.detector", "mask_rcnn");
  give("optimizer.name", "sgd");
  give("optimizer.lr", "0.005");
  give("optimizer.weight_decay", "0.0005");
  give("train.batch", "2");
  // Norms of gradients are large in the first steps from random weights.
  give("optimizer.clip_norm", c.weights.empty() ? "5" : "0");
  give("schedule.warmup_epochs", "1");
  give("schedule.name", c.weights.empty() ? "cosine" : "step");
  give("schedule.step_epochs", "3");
  give("train.epochs", c.weights.empty() ? "30" : "10");
  if (!c.weights.empty()) {
    give("model.freeze_bn", "true");
    give("model.freeze", "1");
  }
}

void check_detector_config(const TrainConfig& c) {
  if (c.detector == "none")
    conflict("segment.detector none", "mask_rcnn or faster_rcnn",
             "`cyto train` trains classifiers");
  (void)models::detector_backbone(c.model);
  const auto most = static_cast<double>(c.min_size) * (1 + c.scale_jitter);
  if (std::ceil(most) > static_cast<double>(c.max_size))
    conflict("segment.max_size " + std::to_string(c.max_size),
             "at least segment.min_size with its jitter, " +
                 std::to_string(static_cast<int64_t>(std::ceil(most))));
  if (c.freeze > 4) conflict("model.freeze " + std::to_string(c.freeze), "at most 4");
  check_common(c);
  if (c.patience > 0 && c.val_fraction == 0 && c.splits.empty())
    conflict("train.patience without a validation part", "split.val_fraction above 0");
  if (c.precision == "bfloat16") conflict("train.precision bfloat16", "float32 or tf32");
}

FieldOptions field_options(const TrainConfig& config, const std::string& path) {
  FieldOptions out;
  out.path = path;
  out.preset = config.preset;
  out.objects = config.objects;
  out.nucleus = config.nucleus;
  out.mask_threshold = config.mask_threshold;
  out.mask_map = config.mask_map;
  out.strict = config.strict;
  out.max_pixels = config.max_pixels;
  return out;
}

FieldTask load_field_data(const TrainConfig& config, const ProgressCallback& progress) {
  FieldTask out;
  out.fields = load_field_sets(for_each_data_set(config, field_options));
  const std::string annotations = out.fields.annotation_hash();
  out.task = scan_data(out.fields.index, config, progress);
  out.task.report.hash = xxh3_128(out.task.report.hash + annotations);
  keep_fields(out.fields, out.task.dataset);
  return out;
}

FieldTask load_field_task(const TrainConfig& config, const ProgressCallback& progress) {
  FieldTask out = load_field_data(config, progress);
  out.task = split_task(std::move(out.task), config);
  return out;
}

std::string field_table(const FieldTask& task) {
  const Split& split = task.task.split;
  const auto cell = [](const std::string& text, size_t width) {
    return std::string(width > text.size() ? width - text.size() : 1, ' ') + text;
  };
  size_t width = 6;
  for (const std::string& name : task.fields.classes)
    width = std::max(width, escape_control(name).size());
  std::string out = "class" + std::string(width - 5, ' ') + cell("train", 10) + cell("masks", 8) +
                    cell("val", 8) + cell("test", 8) + "\n";
  const auto train = task.fields.object_counts(split.train),
             masks = task.fields.mask_counts(split.train),
             val = task.fields.object_counts(split.val),
             test = task.fields.object_counts(split.test);
  for (size_t c = 0; c < train.size(); ++c) {
    const std::string name = escape_control(task.fields.classes[c]);
    out += name + std::string(width - name.size(), ' ') + cell(std::to_string(train[c]), 10) +
           cell(std::to_string(masks[c]), 8) + cell(std::to_string(val[c]), 8) +
           cell(std::to_string(test[c]), 8) + "\n";
  }
  return out + "fields" + std::string(width - 6, ' ') +
         cell(std::to_string(split.train.size()), 10) + cell("", 8) +
         cell(std::to_string(split.val.size()), 8) + cell(std::to_string(split.test.size()), 8) +
         "\n";
}

models::MaskRcnnOptions detector_options(const TrainConfig& c, int64_t classes) {
  models::MaskRcnnOptions out;
  out.backbone = models::detector_backbone(c.model);
  out.classes = classes + 1;
  out.masks = c.detector == "mask_rcnn";
  out.channels = c.detector_channels;
  out.frozen_norm = c.freeze_bn;
  out.norm_eps = c.norm_eps;
  // Stages are counted from the stem with layer1; trainable layers from layer4 to the stem.
  out.trainable_layers = c.freeze == 0 ? 5 : static_cast<int>(4 - c.freeze);
  out.input.max_size = c.max_size;
  out.input.min_size.clear();
  for (const double part : {-1.0, -0.5, 0.5, 1.0})
    if (c.scale_jitter > 0)
      out.input.min_size.push_back(
          std::llround(static_cast<double>(c.min_size) * (1 + part * c.scale_jitter)));
  out.input.min_size.push_back(c.min_size);  // detection's
  for (size_t level = 0; level < out.rpn.anchors.sizes.size(); ++level)
    out.rpn.anchors.sizes[level] = {static_cast<float>(c.smallest_anchor << level)};
  out.rpn.train_before_nms = out.rpn.train_after_nms = c.proposals;
  out.rpn.before_nms = out.rpn.after_nms = c.proposals / 2;
  out.roi.samples = c.regions;
  out.roi.hidden = c.detector_hidden;
  out.seed = static_cast<uint64_t>(c.seed);
  return out;
}

FieldAugmentation field_augmentation_of(const TrainConfig& config) {
  FieldAugmentation out;
  out.pixels = augmentation_of(config);
  out.crop = config.crop;
  out.crop_min = 0.75;
  out.tile = config.field_tile;
  return out;
}

namespace {

// The file that a path means: a run's best checkpoint, or the path.
std::string weight_file(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error) ? checkpoint_file(path, "best") : path;
}

}  // namespace

std::vector<std::string> load_detector_weights(models::MaskRcnn& model, const std::string& path) {
  const std::string file = weight_file(path);
  const Weights weights = load_weights(file);
  nn::NamedTensors state;
  bool detector = false;
  for (const auto& [name, tensor] : weights.tensors) {
    if (name.find('/') != std::string::npos) continue;  // of an optimiser, or an average
    detector = detector || name.starts_with("backbone.");
    const auto averaged = weights.tensors.find("ema/" + name);
    state.emplace_back(name.starts_with("module.") ? name.substr(7) : name,
                       averaged == weights.tensors.end() ? tensor : averaged->second);
  }
  const nn::LoadReport report =
      detector ? models::load_detector(model, state, {.keep_predictors = true, .file = file})
               : models::load_backbone(model, state, file);
  std::vector<std::string> notes;
  for (const auto& [from, to] : report.renamed) notes.push_back(from + " was read as " + to);
  for (const std::string& name : report.missing)
    notes.push_back(name + " does not fit and starts from random values");
  if (!detector) notes.push_back("the backbone alone was loaded; heads start from random values");
  return notes;
}

TrainedDetector load_trained_detector(const std::string& run, const std::string& which,
                                      Device device, int64_t min_size) {
  require_run(run);
  ResolvedConfig resolved;
  apply_config_file(resolved, run + "/config.toml");
  TrainedDetector out;
  out.config = resolved.config;
  if (out.config.detector == "none")
    throw ConfigError(Fault{"cfg", run, "", "the run is of a classifier",
                            "a run of `cyto segment train`",
                            "`cyto eval` and `cyto predict` take this one"});
  if (min_size > 0) {
    out.config.max_size = std::max(out.config.max_size, 2 * min_size);
    out.config.min_size = min_size;
  }
  out.file = checkpoint_file(run, which);
  Checkpoint checkpoint = read_checkpoint(out.file);
  out.classes = checkpoint.classes;
  out.data_hash = checkpoint.data_hash;
  out.epoch = checkpoint.progress.epoch;
  if (const auto side = checkpoint.metadata.find("cytograd.field_side");
      side != checkpoint.metadata.end())
    out.field_side = parse_int(side->second).value_or(0);
  const nn::NamedTensors weights = checkpoint.weights();
  checkpoint.tensors.clear();  // the optimiser's: the model takes their memory
  models::MaskRcnnOptions options =
      detector_options(out.config, static_cast<int64_t>(out.classes.size()));
  options.initialize = false;
  if (const auto outlined = checkpoint.metadata.find("cytograd.outlined");
      outlined != checkpoint.metadata.end() && outlined->second.size() == out.classes.size())
    for (const char known : outlined->second) options.outlined.push_back(known == '1');
  out.model = std::make_unique<models::MaskRcnn>(options);
  nn::LoadOptions load;
  load.file = out.file;
  nn::load_state_dict(*out.model, nn::from_torch_layout(weights), load);
  out.model->to(device);
  out.model->eval();
  return out;
}

}  // namespace cytograd
