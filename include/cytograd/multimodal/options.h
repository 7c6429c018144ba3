#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cytograd/multimodal/class_map.h"

/// @file
/// How the two VAEs of the multimodal method are trained, and on what; docs/multimodal.md.

namespace cytograd::multimodal {

/// One of the two trainings, by Adam (betas 0.9 and 0.999, eps 1e-8).
struct StageOptions {
  int64_t epochs = 160, batch = 128;
  double lr = 1e-3;
  double weight_decay = 0;  ///< added to the gradient
  double warmup = 0.1;      ///< share of the epochs over which beta rises to its value
};

/// Losses are means over the batch. The RNA loss is lambda times the mean squared error plus phi
/// times the cosine distance to reference latents, where there are any, plus rna_beta times the
/// divergence; that of the images alpha times the error of the features plus gamma times that of
/// the masked image plus image_beta times the divergence plus the alignment.
struct TrainingOptions {
  static constexpr int64_t latent = 50;

  std::string preset = "joint";
  uint64_t seed = 0;
  double clip = 0;               ///< longest gradient; 0: any
  double val = 0.1, test = 0.1;  ///< shares of the cells
  int64_t monitor_cells = 2000;  ///< at most so many cells are looked at after an epoch
  int64_t checkpoint_every = 1;  ///< epochs; the best one and the last one are always kept

  StageOptions rna{.epochs = 300};
  double lambda = 1, phi = 1, rna_beta = 5e-4;
  std::string cosine_on = "z";         ///< or "mu", as published code has it
  std::string rna_reduction = "mean";  ///< over genes; or "sum"

  StageOptions image{.weight_decay = 1e-6};
  double alpha = 0.20, gamma = 0.45, image_beta = 0.25;
  std::string image_reduction = "sum";  ///< over pixels; or "mean", "masked_mean"

  std::string align = "moments";              ///< or "moments_unbiased", "mmd", "mmd_unbiased"
  std::string align_kl = "sym";               ///< or one direction: "img_rna", "rna_img"
  double delta = 0.2;                         ///< of pairs that nothing below names
  std::map<std::string, double> deltas = {};  ///< of the preset, by a part of the pair's name
  int64_t min_per_class = 8;                  ///< cells of a batch that a pair needs to be aligned
  bool balanced = true;         ///< batches are filled up with cells of aligned classes
  int64_t balanced_cells = 16;  ///< of each of them
  int64_t mmd_cells = 512;      ///< RNA cells per pair and step

  /// The pair's own weight, else that of the longest name in `deltas` that is part of the pair's
  /// (case ignored), else `delta`.
  double delta_of(const ClassPair& pair) const;
};

/// What the cells are read from; paths as given.
struct CellFiles {
  std::string rna, images, image_labels, map;  ///< "" none; the map: equal names
  std::string matrix, state = "auto";          ///< as RnaCellOptions
  std::string label_column, tissue_column, group_column, reference;
  std::string hvg = "seurat";  ///< or "cell_ranger", "from-var" as marked, "none" for all genes
  int64_t n_top = 2432;        ///< 0: by cut-offs
  bool hvg_exact = false;      ///< of genes that tie the first ones
  bool keep_undetected = false, keep_empty = false;
};

struct RunConfig {
  TrainingOptions training;
  CellFiles files;
};

/// "joint", "granulopoiesis", "monocytopoiesis", "maturation", "rna_published".
const std::vector<std::string>& preset_names();
/// @throws ConfigError cfg for a name that is none
TrainingOptions preset_options(const std::string& name);
/// For cells without reference latents: the error summed over genes and rna_beta 0.001. Averaged
/// over genes that are mostly 0, the published error does not hold against the divergence.
void fit_without_reference(TrainingOptions& options);

/// @throws ConfigError cfg naming the setting
void check_config(const RunConfig& config);

/// One setting, under its name in config.toml ("rna.epochs").
struct Setting {
  using Value = std::variant<int64_t*, uint64_t*, double*, bool*, std::string*>;
  std::string key;
  std::string option;  ///< of the program, "--rna-epochs"; "" for those that have none
  std::string help;
  Value value;
};
/// All settings but the preset's deltas, pointing into `config`.
std::vector<Setting> settings_of(RunConfig& config);
/// @param where  for messages: the option, or the place in the file   @throws ConfigError cfg
void set_setting(const Setting& setting, const std::string& text, const std::string& where);
/// The value as set_setting takes it.
std::string setting_text(const Setting& setting);

/// TOML with every value resolved; begins as the config.toml of every run.
std::string config_text(const RunConfig& config);
/// @throws ConfigError cfg with line and key for what is no such file; FileError
RunConfig read_config(const std::string& path);

}  // namespace cytograd::multimodal
