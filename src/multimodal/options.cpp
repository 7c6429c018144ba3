#include "cytograd/multimodal/options.h"

#include <algorithm>
#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/io/text.h"

namespace cytograd::multimodal {
namespace {

[[noreturn]] void bad(const std::string& where, const std::string& found,
                      const std::string& expected) {
  throw ConfigError(Fault{"cfg", "", where, found, expected, ""});
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < names.size(); ++i)
    out += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
  return out;
}

void one_of(const char* key, const std::string& value, const std::vector<std::string>& names) {
  if (std::find(names.begin(), names.end(), value) == names.end())
    bad(key, escape_control(value), listed(names));
}

void at_least(const char* key, double value, double least) {
  if (!(value >= least) || !std::isfinite(value))
    bad(key, format_double(value), "a number of at least " + format_double(least));
}

void share(const char* key, double value, double most) {
  if (!(value >= 0 && value <= most))
    bad(key, format_double(value), "a share from 0 to " + format_double(most));
}

void check_stage(const std::string& name, const StageOptions& o) {
  const auto count = [&](const char* key, int64_t value) {
    if (value < 1 || value > 1'000'000)
      bad(name + "." + key, std::to_string(value), "1 to 1000000");
  };
  count("epochs", o.epochs);
  count("batch", o.batch);
  at_least((name + ".lr").c_str(), o.lr, 0);
  at_least((name + ".weight_decay").c_str(), o.weight_decay, 0);
  share((name + ".warmup").c_str(), o.warmup, 1);
}

void check_alignment(const TrainingOptions& o) {
  one_of("align.kind", o.align, {"moments", "moments_unbiased", "mmd", "mmd_unbiased"});
  one_of("align.kl", o.align_kl, {"sym", "img_rna", "rna_img"});
  at_least("align.delta", o.delta, 0);
  at_least("align.min_per_class", static_cast<double>(o.min_per_class), 2);
  at_least("align.balanced_cells", static_cast<double>(o.balanced_cells), 2);
  at_least("align.mmd_cells", static_cast<double>(o.mmd_cells), 2);
  if (o.balanced && o.balanced_cells < o.min_per_class)
    bad("align.balanced_cells", std::to_string(o.balanced_cells),
        "at least align.min_per_class, " + std::to_string(o.min_per_class));
}

}  // namespace

double TrainingOptions::delta_of(const ClassPair& pair) const {
  if (pair.weight) return *pair.weight;
  const std::string name = to_lower_ascii(pair.name);
  double out = delta;
  size_t length = 0;
  for (const auto& [key, value] : deltas)
    if (key.size() > length && name.find(to_lower_ascii(key)) != std::string::npos) {
      out = value;
      length = key.size();
    }
  return out;
}

const std::vector<std::string>& preset_names() {
  static const std::vector<std::string> names = {"joint", "granulopoiesis", "monocytopoiesis",
                                                 "maturation", "rna_published"};
  return names;
}

TrainingOptions preset_options(const std::string& name) {
  one_of("preset", name, preset_names());
  TrainingOptions o;
  o.preset = name;
  if (name == "joint") return o;
  o.rna.warmup = 0;
  if (name == "rna_published") {
    // A divergence summed over 128 cells times 0.0005.
    o.rna_beta = 0.064;
    o.cosine_on = "mu";
    return o;
  }
  o.image.warmup = 0;
  o.balanced = false;
  if (name == "granulopoiesis") {
    o.deltas = {{"neutrophil", 0.15}, {"myeloblast", 0.25}, {"monocyte", 0.20}};
    return o;
  }
  o.image.batch = 700;
  if (name == "monocytopoiesis") {
    o.alpha = 0.05, o.gamma = 0.90, o.image_beta = 1.0;
    o.deltas = {{"monocyte", 10}, {"myeloblast", 5}};
    o.image.epochs = 250;
  } else {
    o.alpha = 0.05, o.gamma = 0.25, o.image_beta = 0.10;
    o.deltas = {{"blood", 10}, {"lung", 0.30}};
    o.image.epochs = 290;
    o.lambda = 2;
  }
  return o;
}

void fit_without_reference(TrainingOptions& options) {
  options.rna_reduction = "sum";
  options.rna_beta = 1e-3;
}

void check_config(const RunConfig& config) {
  const TrainingOptions& o = config.training;
  one_of("multimodal.preset", o.preset, preset_names());
  if (o.seed >> 63)  // TOML has signed numbers
    bad("multimodal.seed", std::to_string(o.seed), "a number below 2^63");
  at_least("multimodal.clip", o.clip, 0);
  at_least("multimodal.monitor_cells", static_cast<double>(o.monitor_cells), 2);
  at_least("multimodal.checkpoint_every", static_cast<double>(o.checkpoint_every), 1);
  share("multimodal.val", o.val, 0.5);
  share("multimodal.test", o.test, 0.5);
  if (o.val + o.test > 0.9)
    bad("multimodal.test", format_double(o.test), "at least a tenth of the cells to train on");
  check_stage("rna", o.rna);
  check_stage("image", o.image);
  at_least("rna.lambda", o.lambda, 0);
  at_least("rna.phi", o.phi, 0);
  at_least("rna.beta", o.rna_beta, 0);
  one_of("rna.cosine_on", o.cosine_on, {"z", "mu"});
  one_of("rna.reduction", o.rna_reduction, {"mean", "sum"});
  at_least("image.alpha", o.alpha, 0);
  at_least("image.gamma", o.gamma, 0);
  at_least("image.beta", o.image_beta, 0);
  one_of("image.reduction", o.image_reduction, {"sum", "mean", "masked_mean"});
  check_alignment(o);
  for (const auto& [name, value] : o.deltas) at_least(("deltas." + name).c_str(), value, 0);
  one_of("files.hvg", config.files.hvg, {"seurat", "cell_ranger", "from-var", "none"});
  one_of("files.state", config.files.state, {"auto", "counts", "lognorm", "scaled"});
  at_least("files.n_top", static_cast<double>(config.files.n_top), 0);
}

std::vector<Setting> settings_of(RunConfig& config) {
  TrainingOptions& o = config.training;
  CellFiles& f = config.files;
  std::vector<Setting> out = {{"multimodal.preset", "", "", &o.preset},
                              {"multimodal.seed", "", "", &o.seed},
                              {"multimodal.clip", "--clip", "Longest gradient; 0: any", &o.clip},
                              {"multimodal.val", "--val", "Share of the validation part", &o.val},
                              {"multimodal.test", "--test", "Share of the test part", &o.test},
                              {"multimodal.monitor_cells", "--monitor-cells",
                               "Cells looked at after an epoch, at most", &o.monitor_cells},
                              {"multimodal.checkpoint_every", "--checkpoint-every",
                               "Epochs between checkpoints", &o.checkpoint_every}};
  const auto stage = [&](const std::string& name, StageOptions& s) {
    const std::string flag = "--" + name + "-", of = " (" + name + ")";
    out.push_back({name + ".epochs", flag + "epochs", "Epochs" + of, &s.epochs});
    out.push_back({name + ".batch", flag + "batch", "Cells per step" + of, &s.batch});
    out.push_back({name + ".lr", flag + "lr", "Learning rate" + of, &s.lr});
    out.push_back({name + ".weight_decay", flag + "weight-decay",
                   "Weight decay, added to the gradient" + of, &s.weight_decay});
    out.push_back({name + ".warmup", flag + "warmup",
                   "Share of the epochs over which beta rises" + of, &s.warmup});
  };
  stage("rna", o.rna);
  stage("image", o.image);
  const std::vector<Setting> rest = {
      {"rna.lambda", "--lambda", "Weight of the expression's error", &o.lambda},
      {"rna.phi", "--phi", "Weight of the cosine distance to --reference", &o.phi},
      {"rna.beta", "--rna-beta", "Weight of the divergence (rna)", &o.rna_beta},
      {"rna.cosine_on", "--cosine-on", "Latent that the cosine is taken on: z or mu", &o.cosine_on},
      {"rna.reduction", "--rna-reduction", "Error over genes: mean or sum", &o.rna_reduction},
      {"image.alpha", "--alpha", "Weight of the features' error", &o.alpha},
      {"image.gamma", "--gamma", "Weight of the masked image's error", &o.gamma},
      {"image.beta", "--image-beta", "Weight of the divergence (image)", &o.image_beta},
      {"image.reduction", "--image-reduction", "Error over pixels: sum, mean or masked_mean",
       &o.image_reduction},
      {"align.kind", "--align", "moments, moments_unbiased, mmd or mmd_unbiased", &o.align},
      {"align.kl", "--align-kl", "Divergence of covariances: sym, img_rna or rna_img", &o.align_kl},
      {"align.delta", "--delta", "Weight of a pair's alignment", &o.delta},
      {"align.min_per_class", "--min-per-class", "Cells of a batch that a pair needs",
       &o.min_per_class},
      {"align.balanced", "--balanced-batches", "true or false: fill up with aligned classes",
       &o.balanced},
      {"align.balanced_cells", "--balanced-cells", "Cells of each aligned class in a batch",
       &o.balanced_cells},
      {"align.mmd_cells", "--mmd-cells", "RNA cells per pair and step of mmd", &o.mmd_cells},
      {"files.rna", "", "", &f.rna},
      {"files.images", "", "", &f.images},
      {"files.image_labels", "", "", &f.image_labels},
      {"files.map", "", "", &f.map},
      {"files.matrix", "", "", &f.matrix},
      {"files.state", "", "", &f.state},
      {"files.label_column", "", "", &f.label_column},
      {"files.tissue_column", "", "", &f.tissue_column},
      {"files.group_column", "", "", &f.group_column},
      {"files.reference", "", "", &f.reference},
      {"files.hvg", "", "", &f.hvg},
      {"files.n_top", "", "", &f.n_top},
      {"files.hvg_exact", "", "", &f.hvg_exact},
      {"files.keep_undetected", "", "", &f.keep_undetected},
      {"files.keep_empty", "", "", &f.keep_empty}};
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

}  // namespace cytograd::multimodal
