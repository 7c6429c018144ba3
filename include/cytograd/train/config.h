#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

/// @file
/// Settings of a training run. Every one has a name `section.key` in config.toml, an option of
/// `cyto train`, a variable CYTO_..., and a default written out here. Precedence: option, variable,
/// file, default. Faults are `ConfigError` id `cfg` with file, line and column.

namespace cytograd {

struct TrainConfig {
  // [data]
  std::vector<std::string> data;  ///< folders or manifests; several are joined as domains
  int64_t synthetic = 0;          ///< cells to draw and train on instead of a data set; 0: none
  std::string preset = "auto";
  std::string labels = "coarse";
  std::string multi_label = "drop";
  std::string objects = "wbc";
  std::string harmonise;
  std::string ace_subset = "full";
  bool strict = false;
  std::string mask_threshold, mask_map;  ///< how masks are read; empty: the preset's rule
  std::string on_bad_image = "error";
  double max_bad = 0.01;
  int64_t max_pixels = int64_t{64} << 20;
  int64_t cache_mb = 512;

  // [split]
  std::string splits;  ///< file as written to splits.csv; empty: drawn
  int64_t folds = 1, fold = 0;
  double test_fraction = 0.2, val_fraction = 0.125;
  bool val_grouped = true;                 ///< groups stay together in the validation part too
  std::string select = "inner";            ///< what chooses the epoch: inner, val-fold, last
  std::vector<std::string> unseen;         ///< domains kept out of training and validation
  std::vector<std::string> train_domains;  ///< empty: all that are not unseen

  // [model]
  std::string model = "resnet18";
  int64_t embedding = 0;   ///< length of the layer before the classifier; 0: the backbone's own
  bool recompute = false;  ///< less memory in training for some more time, same bits
  std::string weights;     ///< file to start from; empty: random
  std::vector<std::string> allow_missing;  ///< tensors that file may lack; * stands for any text
  int64_t freeze = 0;                      ///< stages that are not trained, the stem with the first
  bool freeze_bn = false;  ///< running statistics in training too; weight and bias are trained
  bool domain_bn = false;  ///< statistics of normalisation per domain
  bool joint_bn = false;   ///< coral and boda: trained norms see all domains of a step at once

  // [input]
  int64_t image_size = 96;
  std::string fit = "pad";
  double field_um = 0, box_margin = 0.1;
  std::string augment = "light";
  std::string augment_on = "auto";                   ///< host or device; auto: where it trains
  double stain_augment = -1, hue = -1, gray_p = -1;  ///< below 0: what `augment` says
  std::string stain = "none";  ///< what images are moved to a common stain by (data/stain.h)
  std::string stain_target;    ///< empty: built-in; "domain:NAME", or an image file

  // [segment]: of `cyto segment`, docs/segmentation.md
  std::string detector = "none";           ///< none: a classifier
  int64_t min_size = 320, max_size = 640;  ///< sides of fields as the network sees them
  double scale_jitter = 0;                 ///< of min_size in training, either way
  int64_t smallest_anchor = 32;            ///< pixels; of each further level twice as large
  int64_t detector_channels = 256, detector_hidden = 1024;
  int64_t regions = 512, proposals = 2000;  ///< per image in training
  double norm_eps = 1e-5;                   ///< of normalisation; 0 for torchvision's COCO weights
  double crop = 0;                          ///< probability of a window of a training field
  int64_t field_tile = 1600;  ///< longest side of a training field; larger ones show windows
  bool nucleus = false;       ///< also find nuclei

  // [method]
  std::string method = "ce";
  std::string class_weights = "none";
  double label_smoothing = 0;
  std::string ce = "softmax";
  double focal_gamma = 0;
  double logit_adjust = 0;  ///< tau: the logits of a step get tau log(share of the class)
  // Methods over domains, docs/domains.md.
  double coral_gamma = 1;
  std::string coral = "mean_cov";
  std::string dann_mode = "alternating";
  double dann_lambda = 1, dann_gp = 0, dann_beta1 = 0.5;
  int64_t dann_d_steps = 1, dann_width = 256, dann_depth = 3;
  double boda_weight = 0.1;
  double macro_weight = 1;           ///< of the alignment of whole domains in boda
  double nu = 0.5, temperature = 1;  ///< the latter of simclr, too
  int64_t boda_start = 500;          ///< first step with the term of boda
  int64_t feat_freq = 120;           ///< steps between two refreshes of its statistics
  double boda_momentum = 0.2;        ///< share of the old statistics in a refresh
  std::string boda_distance = "euclidean";
  double shrinkage = 0.1;
  std::string count_unit = "1";  ///< a number or "median"
  std::string boda_reduce = "mean";
  bool stat_augment = true;
  std::string boda_plus = "crt";
  std::string stage1;        ///< run or checkpoint that crt starts from; empty: it is trained first
  int64_t projection = 128;  ///< length of what simclr and byol compare (docs/pretraining.md)
  double byol_momentum = 0.99;  ///< of the copy that byol predicts, in the beginning
  // Guided embeddings, docs/guided.md.
  std::string guide;        ///< a standard guide or a file
  bool growing = false;     ///< the embedding grows from 2 components; guide-umap, distance: always
  int64_t grow_factor = 0;  ///< components per epoch; 0: 1, or 4 from 1024 on
  std::string grow_init = "random";
  double margin = 0.2;
  std::string mining = "batch_hard", center_anchor = "center", center_source = "batch";
  double norm_weight = 0.001;
  int64_t norm_power = 1;
  std::string reduction = "distance";
  std::vector<std::string> add_loss;  ///< "guide2d=0.1": further terms with their weights
  double ema_keep = 0.6;              ///< of e_nD in an update of the guide
  std::string guide_update = "class-mean";
  int64_t umap_epochs = 0;              ///< of the map in an update; 0: UmapOptions's
  double umap_lr = 1;                   ///< its learning rate
  std::string val_classifier = "auto";  ///< what scores the validation part
  std::string macro_over = "present";
  std::string classifier = "grid";  ///< fitted to the embeddings in the end
  bool posthoc = false;             ///< also for networks with a head

  // [optimizer]
  std::string optimizer = "adamw";
  double lr = 1e-3, weight_decay = 0.01, momentum = 0.9, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  bool nesterov = false;
  std::string adam_row_steps = "shared";  ///< whether rows that join late count their own steps
  double clip_norm = 0;                   ///< largest norm of all gradients; 0: not clipped
  double ema = 0;                         ///< decay of the averaged weights; 0: none
  double backbone_lr_factor = 1;          ///< learning rate of all but the classifier
  double stage_lr_decay = 1;              ///< further factor per stage below the last

  // [schedule]
  std::string schedule = "cosine";
  double warmup_epochs = 0, min_lr = 0, step_epochs = 10, step_factor = 0.1;

  // [train]
  int64_t epochs = 30, batch = 32;
  int64_t steps_per_epoch = 0;  ///< of orders with replacement; 0: as the samples fill
  std::string order = "shuffle";
  std::string best_by = "macro_f1";  ///< of the validation part
  int64_t patience = 0;  ///< epochs without a better score of it before stopping; 0: never
  int64_t seed = 0;
  std::string device = "cpu";
  std::string precision = "float32";  ///< on a device: tf32 (products), bfloat16 (core/autocast.h)
  std::string kernels = "own";        ///< of products and convolutions, on a device: vendor
  bool capture = true;                ///< on a device: the step is recorded and replayed

  bool operator==(const TrainConfig&) const = default;
};

/// One setting.
struct ConfigField {
  using Member = std::variant<bool TrainConfig::*, int64_t TrainConfig::*, double TrainConfig::*,
                              std::string TrainConfig::*, std::vector<std::string> TrainConfig::*>;
  std::string key;     ///< "optimizer.lr"
  std::string option;  ///< "--lr"
  std::string help;
  Member member;
  double low = 0, high = 0;          ///< for numbers: low <= value <= high
  std::vector<std::string> choices;  ///< for text; empty: any
  bool is_path = false;

  /// "CYTO_LR"
  std::string variable() const;
};

/// Every setting, in the order of config.toml.
const std::vector<ConfigField>& config_fields();
const ConfigField& config_field(const std::string& key);

/// A configuration and where each value came from ("default", "config a.toml:3", "CYTO_LR",
/// "--lr").
struct ResolvedConfig {
  TrainConfig config;
  std::map<std::string, std::string> sources;  ///< by key; absent: default
};

/// Sets one value from text. @param source for messages and `sources`. Lists are separated by
/// newlines. @throws ConfigError
void set_config(ResolvedConfig& out, const ConfigField& field, const std::string& text,
                const std::string& source);
/// Applies a TOML file. @param other a section that is not of settings and is passed over
/// @throws ConfigError with file:line:column, FileError
void apply_config_file(ResolvedConfig& out, const std::string& path, const std::string& other = "");
/// Applies the CYTO_* variables of the environment.
void apply_config_variables(ResolvedConfig& out);
/// Gives settings that nobody set the defaults of the method: guided embeddings train by the
/// protocol of docs/guided.md, and other methods too if `protocol` is set; methods over domains by
/// that of docs/domains.md. Makes the path of a guide absolute.
void apply_method_defaults(ResolvedConfig& out, bool protocol = false);
/// Settings that contradict each other. @throws ConfigError
void check_config(const TrainConfig& config);

/// The value of a field as it stands in config.toml.
std::string config_value_toml(const TrainConfig& config, const ConfigField& field);
/// The whole file. Text that is not UTF-8 (a path) is written as "hex:..." and read back.
std::string config_toml(const TrainConfig& config);
/// First line of a config.toml of ours: what `--force` looks for.
extern const char* const config_marker;

}  // namespace cytograd
