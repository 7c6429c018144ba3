#include <algorithm>

#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"
#include "cytograd/data/dataset.h"
#include "cytograd/data/fields.h"
#include "cytograd/train/config.h"
#include "cytograd/train/guide_update.h"
#include "cytograd/train/method.h"

namespace cytograd {
namespace {

using C = TrainConfig;
constexpr double many = 1e15;

ConfigField number(const char* key, const char* option, const char* help,
                   ConfigField::Member member, double low, double high) {
  return {key, option, help, member, low, high, {}, false};
}
ConfigField choice(const char* key, const char* option, const char* help, std::string C::*member,
                   std::vector<std::string> choices) {
  return {key, option, help, member, 0, 0, std::move(choices), false};
}
ConfigField other(const char* key, const char* option, const char* help, ConfigField::Member member,
                  bool is_path = false) {
  return {key, option, help, member, 0, 0, {}, is_path};
}

void add_data_fields(std::vector<ConfigField>& f) {
  f.push_back(other("data.path", "--data",
                    "Data set: folder, CSV manifest or TOML list of domains; several are domains",
                    &C::data, true));
  f.push_back(
      number("data.synthetic", "--synthetic",
             "Draw so many cells of varied stain, scale and light and train on them; 0: none",
             &C::synthetic, 0, 1e7));
  f.push_back(
      choice("data.preset", "--preset", "Layout of the data set", &C::preset, all_preset_names()));
  f.push_back(choice("data.labels", "--labels", "Classes of the pbc layout", &C::labels,
                     {"coarse", "fine"}));
  f.push_back(choice("data.multi_label", "--multi-label", "A cell with two labels", &C::multi_label,
                     {"drop", "first", "error"}));
  f.push_back(
      choice("data.objects", "--objects", "Boxes of the bccd layout", &C::objects, {"wbc", "all"}));
  f.push_back(other("data.harmonise", "--harmonise", "Common classes: 5, 11, 13 or a CSV map",
                    &C::harmonise));
  f.push_back(choice("data.ace_subset", "--ace-subset",
                     "acevedo20 and pbc; main: without the smaller cluster of colours",
                     &C::ace_subset, {"full", "main"}));
  f.push_back(other("data.strict", "--strict", "Doubtful boxes and labels are errors", &C::strict));
  f.push_back(other("data.mask_threshold", "--mask-threshold",
                    "Smallest mask value of the cell[,of the nucleus]", &C::mask_threshold));
  f.push_back(other("data.mask_map", "--mask-map",
                    "What mask values mean: 1=cell,2=nucleus,0=background", &C::mask_map));
  f.push_back(choice("data.on_bad_image", "--on-bad-image", "An image that cannot be read",
                     &C::on_bad_image, {"error", "skip"}));
  f.push_back(number("data.max_bad", "--max-bad", "Share of bad images that skip allows",
                     &C::max_bad, 0, 1));
  f.push_back(number("data.max_pixels", "--max-pixels", "Largest image in pixels", &C::max_pixels,
                     1, many));
  f.push_back(number("data.cache_mb", "--cache-mb", "Decoded images kept in memory, MiB",
                     &C::cache_mb, 0, 1e9));
}

void add_split_fields(std::vector<ConfigField>& f) {
  f.push_back(
      other("split.file", "--splits", "Read the split from this splits.csv", &C::splits, true));
  f.push_back(number("split.folds", "--folds", "Folds of a cross-validation; 1: one split",
                     &C::folds, 1, 1000));
  f.push_back(number("split.fold", "--fold", "Which fold is the test part", &C::fold, 0, 999));
  f.push_back(number("split.test_fraction", "--test-fraction", "Share held back for the test",
                     &C::test_fraction, 0, 0.9));
  f.push_back(number("split.val_fraction", "--val-fraction",
                     "Share of the rest that chooses the best epoch", &C::val_fraction, 0, 0.9));
  f.push_back(other("split.val_grouped", "--val-grouped",
                    "Keep groups together in the validation part too", &C::val_grouped));
  f.push_back(choice("split.select", "--select",
                     "What chooses the best epoch: a part of the training samples, the held-back "
                     "fold itself, or nothing (the last one is taken)",
                     &C::select, {"inner", "val-fold", "last"}));
  f.push_back(other("split.unseen", "--unseen",
                    "Domains that are neither trained nor chosen on, and are scored whole",
                    &C::unseen));
  f.push_back(other("split.train_domains", "--train-domains",
                    "Domains to train on; default: all that are not unseen", &C::train_domains));
}

void add_model_fields(std::vector<ConfigField>& f) {
  f.push_back(other("model.name", "--model",
                    "resnet18 .. resnet101, densenet121 .., resnet20 (small images)", &C::model));
  f.push_back(number("model.embedding", "--embedding",
                     "Length of the embedding before the classifier; 0: none of its own",
                     &C::embedding, 0, 65536));
  f.push_back(other("model.recompute", "--recompute",
                    "Less memory in training for some more time; same results", &C::recompute));
  f.push_back(
      other("model.weights", "--weights", "Start from this weight file", &C::weights, true));
  f.push_back(other("model.allow_missing", "--allow-missing",
                    "Tensors that the weight file may lack; * stands for any text",
                    &C::allow_missing));
  f.push_back(number("model.freeze", "--freeze",
                     "Stages that keep their weights, from the first, which includes the stem",
                     &C::freeze, 0, 8));
  f.push_back(other("model.freeze_bn", "--freeze-bn",
                    "Running statistics of normalisation in training too", &C::freeze_bn));
  f.push_back(other("model.domain_bn", "--domain-bn", "Statistics of normalisation for each domain",
                    &C::domain_bn));
  f.push_back(other("model.joint_bn", "--joint-bn", "Norms mix the domains of coral and boda, too",
                    &C::joint_bn));
  f.push_back(number("input.image_size", "--image-size", "Side of the network's input, pixels",
                     &C::image_size, 8, 4096));
  f.push_back(choice("input.fit", "--fit", "How a rectangle becomes a square", &C::fit,
                     {"pad", "crop", "stretch"}));
  f.push_back(number("input.field_um", "--field-um", "Field of view, micrometres; 0: whole image",
                     &C::field_um, 0, 1e6));
  f.push_back(number("input.box_margin", "--box-margin", "Margin around a box, share of its side",
                     &C::box_margin, 0, 10));
  f.push_back(choice("input.augment", "--augment", "Random changes of training images", &C::augment,
                     {"none", "light", "full", "domains", "views"}));
  f.push_back(choice("input.augment_on", "--augment-on",
                     "Where training images are resized and changed; auto: where it trains",
                     &C::augment_on, {"auto", "host", "device"}));
  f.push_back(number("input.stain_augment", "--stain-augment",
                     "Random strength of each dye, either way (0.05 light, 0.2 strong); -1: as "
                     "--augment says",
                     &C::stain_augment, -1, 1));
  f.push_back(number("input.hue", "--hue", "Random turn of the hue; -1: as --augment says", &C::hue,
                     -1, 0.5));
  f.push_back(number("input.gray_p", "--gray-p",
                     "How often a training image is grey; -1: as --augment says", &C::gray_p, -1,
                     1));
  f.push_back(choice("input.stain", "--stain", "Move every image to one stain (docs/domains.md)",
                     &C::stain, {"none", "reinhard", "macenko"}));
  f.push_back(other("input.stain_target", "--stain-target",
                    "Which: built-in (default), domain:NAME of the training data, an image file",
                    &C::stain_target));
}

void add_guided_fields(std::vector<ConfigField>& f) {
  f.push_back(other("method.guide", "--guide",
                    "Guide: CSV or JSON file, hematopoiesis-15, blood-11, blood-10, blood-5",
                    &C::guide));
  f.push_back(other("method.growing", "--growing", "Let the embedding grow from 2 components",
                    &C::growing));
  f.push_back(number("method.grow_factor", "--grow-factor",
                     "Components that join per epoch; 0: 1, or 4 for 1024 and more",
                     &C::grow_factor, 0, 65536));
  f.push_back(choice("method.grow_init", "--grow-init", "Weights of components that join",
                     &C::grow_init, {"random", "zero"}));
  f.push_back(number("method.margin", "--margin", "Margin of triplets", &C::margin, 0, 1e9));
  f.push_back(choice("method.mining", "--mining", "Which triplets count", &C::mining,
                     {"batch_hard", "semi_hard", "all_hard", "all_violating"}));
  f.push_back(choice("method.center_anchor", "--center-anchor", "Anchors of center-triplet",
                     &C::center_anchor, {"center", "sample"}));
  f.push_back(choice("method.center_source", "--center-source",
                     "Class centres: of the batch, or of the epoch before", &C::center_source,
                     {"batch", "epoch"}));
  f.push_back(number("method.norm_weight", "--norm-weight", "Weight of the length of embeddings",
                     &C::norm_weight, 0, 1e6));
  f.push_back(number("method.norm_power", "--norm-power", "1: length, 2: its square",
                     &C::norm_power, 1, 2));
  f.push_back(choice("method.reduction", "--reduction",
                     "How deviations from the guide are averaged", &C::reduction,
                     {"distance", "elementwise"}));
  f.push_back(other("method.add_loss", "--add-loss", "Further loss terms, such as guide2d=0.1",
                    &C::add_loss));
  f.push_back(number("method.ema_keep", "--ema-keep", "Share of the guide that an update keeps",
                     &C::ema_keep, 0, 1));
  f.push_back(choice("method.guide_update", "--guide-update", "Where guide-umap moves its guide",
                     &C::guide_update, guide_update_names()));
  f.push_back(number("method.umap_epochs", "--umap-epochs",
                     "Epochs of the map in an update; 0: 500, or 200 from 10,000 cells on",
                     &C::umap_epochs, 0, 1e6));
  f.push_back(
      number("method.umap_lr", "--umap-lr", "Learning rate of that map", &C::umap_lr, 1e-6, 1e3));
  f.push_back(choice("method.val_classifier", "--val-classifier",
                     "What scores the validation part after an epoch", &C::val_classifier,
                     {"auto", "head", "knn", "grid"}));
  f.push_back(choice("method.macro_over", "--macro-over", "Classes of the macro average",
                     &C::macro_over, {"present", "all"}));
  f.push_back(choice("method.classifier", "--classifier", "Classifier fitted to the embeddings",
                     &C::classifier, {"grid", "svm", "knn", "mlp"}));
  f.push_back(other("method.posthoc", "--posthoc",
                    "Fit classifiers to the embeddings of a network with a head too", &C::posthoc));
}

void add_adversary_fields(std::vector<ConfigField>& f) {
  f.push_back(choice("method.dann_mode", "--dann-mode",
                     "Domain classifier and network in turns, or through reversed gradients",
                     &C::dann_mode, {"alternating", "grl"}));
  f.push_back(number("method.dann_lambda", "--dann-lambda",
                     "Weight of hiding the domain from the domain classifier", &C::dann_lambda, 0,
                     1e6));
  f.push_back(number("method.dann_d_steps", "--dann-d-steps",
                     "Steps of the domain classifier per step of the network", &C::dann_d_steps, 1,
                     1000));
  f.push_back(number("method.dann_gp", "--dann-gp",
                     "Weight of the penalty on the domain classifier's gradient", &C::dann_gp, 0,
                     1e6));
  f.push_back(number("method.dann_width", "--dann-width", "Width of the domain classifier",
                     &C::dann_width, 1, 65536));
  f.push_back(number("method.dann_depth", "--dann-depth", "Linear layers of the domain classifier",
                     &C::dann_depth, 1, 16));
  f.push_back(number("method.dann_beta1", "--dann-beta1",
                     "First decay of the domain classifier's adam", &C::dann_beta1, 0, 0.9999999));
}

void add_domain_fields(std::vector<ConfigField>& f) {
  f.push_back(number("method.coral_gamma", "--coral-gamma", "Weight of the alignment in coral",
                     &C::coral_gamma, 0, 1e9));
  f.push_back(choice("method.coral", "--coral", "Distance of two domains", &C::coral,
                     {"mean_cov", "deep_coral"}));
  add_adversary_fields(f);
  f.push_back(number("method.boda_weight", "--boda-weight", "Weight of boda's term",
                     &C::boda_weight, 0, 1e9));
  f.push_back(number("method.macro_weight", "--macro-weight",
                     "Weight of the alignment of whole domains in boda", &C::macro_weight, 0, 1e9));
  f.push_back(number("method.nu", "--nu", "Calibration by counts: 0 none, 1 full", &C::nu, 0, 1));
  f.push_back(number("method.temperature", "--temperature",
                     "Temperature of boda's term and of simclr", &C::temperature, 1e-6, 1e6));
  f.push_back(number("method.boda_start", "--boda-start", "First step with boda's term",
                     &C::boda_start, 1, many));
  f.push_back(number("method.feat_freq", "--feat-freq", "Steps between refreshes of the centroids",
                     &C::feat_freq, 1, many));
  f.push_back(number("method.boda_momentum", "--boda-momentum",
                     "Share of the old centroids in a refresh", &C::boda_momentum, 0, 0.9999999));
  f.push_back(choice("method.boda_distance", "--boda-distance", "Distance to a centroid",
                     &C::boda_distance, {"euclidean", "mahalanobis", "mahalanobis_diag"}));
  f.push_back(number("method.shrinkage", "--shrinkage",
                     "Share of the identity in the covariances of mahalanobis", &C::shrinkage, 0,
                     1));
  f.push_back(other("method.count_unit", "--count-unit",
                    "Counts of boda are divided by it: a number, or median", &C::count_unit));
  f.push_back(choice("method.boda_reduce", "--boda-reduce", "Boda's term of a batch",
                     &C::boda_reduce, {"mean", "sum"}));
  f.push_back(other("method.stat_augment", "--stat-augment",
                    "Augment the images that give the centroids", &C::stat_augment));
  f.push_back(choice("method.boda_plus", "--boda-plus", "What boda-plus adds to boda",
                     &C::boda_plus, {"crt", "resamp", "coral_weighted"}));
  f.push_back(other("method.stage1", "--stage1",
                    "Run or checkpoint whose network crt keeps; none: boda is trained first",
                    &C::stage1, true));
}

void add_method_fields(std::vector<ConfigField>& f) {
  f.push_back(choice("method.name", "--method", "What is learned", &C::method, method_names()));
  f.push_back(choice("method.class_weights", "--class-weights", "Weights of rare classes",
                     &C::class_weights, {"none", "balanced"}));
  f.push_back(number("method.label_smoothing", "--label-smoothing",
                     "Share of the target spread over all classes", &C::label_smoothing, 0, 0.999));
  f.push_back(choice("method.ce", "--ce", "Cross-entropy of a classifier", &C::ce,
                     {"softmax", "onehot_bce"}));
  f.push_back(number("method.focal_gamma", "--focal-gamma",
                     "Focal loss: exponent that plays easy images down; 0: none", &C::focal_gamma,
                     0, 100));
  f.push_back(number("method.logit_adjust", "--logit-adjust",
                     "Logit adjustment: share of log frequency in training logits; 0: none",
                     &C::logit_adjust, 0, 100));
  f.push_back(number("method.projection", "--projection",
                     "Length of what simclr and byol compare, behind the embedding", &C::projection,
                     2, 65536));
  f.push_back(number("method.byol_momentum", "--byol-momentum",
                     "How much the copy that byol predicts keeps of itself in a step, at first",
                     &C::byol_momentum, 0, 1));
  add_domain_fields(f);
  add_guided_fields(f);
}

void add_optimizer_fields(std::vector<ConfigField>& f) {
  f.push_back(choice("optimizer.name", "--optimizer", "Update rule", &C::optimizer,
                     {"adamw", "adam", "sgd"}));
  f.push_back(number("optimizer.lr", "--lr", "Learning rate", &C::lr, 0, 1e12));
  f.push_back(
      number("optimizer.weight_decay", "--weight-decay", "Weight decay", &C::weight_decay, 0, 1e6));
  f.push_back(number("optimizer.momentum", "--momentum", "Momentum of sgd", &C::momentum, 0, 1));
  f.push_back(other("optimizer.nesterov", "--nesterov", "Nesterov momentum of sgd", &C::nesterov));
  f.push_back(number("optimizer.beta1", "--beta1", "First decay of adam", &C::beta1, 0, 0.9999999));
  f.push_back(
      number("optimizer.beta2", "--beta2", "Second decay of adam", &C::beta2, 0, 0.9999999));
  f.push_back(choice("optimizer.adam_row_steps", "--adam-row-steps",
                     "Steps of adam for components that join late", &C::adam_row_steps,
                     {"shared", "per_row"}));
  f.push_back(number("optimizer.eps", "--eps", "Added to adam's denominator", &C::eps, 0, 1));
  f.push_back(number("optimizer.clip_norm", "--clip-norm",
                     "Largest norm of the gradient; 0: not clipped", &C::clip_norm, 0, many));
  f.push_back(number("optimizer.backbone_lr_factor", "--backbone-lr-factor",
                     "Factor of the learning rate of all but the classifier",
                     &C::backbone_lr_factor, 0, 1e6));
  f.push_back(number("optimizer.stage_lr_decay", "--stage-lr-decay",
                     "Further factor for each stage that lies below the last one",
                     &C::stage_lr_decay, 0, 1));
  f.push_back(number("optimizer.ema", "--ema", "Decay of averaged weights; 0: none", &C::ema, 0,
                     0.9999999));
}

void add_train_fields(std::vector<ConfigField>& f) {
  f.push_back(choice("schedule.name", "--schedule", "Learning rate over time", &C::schedule,
                     {"cosine", "constant", "step"}));
  f.push_back(number("schedule.warmup_epochs", "--warmup-epochs", "Epochs of linear warm-up",
                     &C::warmup_epochs, 0, 1e6));
  f.push_back(number("schedule.min_lr", "--min-lr", "Where cosine ends", &C::min_lr, 0, 1e12));
  f.push_back(number("schedule.step_epochs", "--step-epochs", "Epochs between steps",
                     &C::step_epochs, 1e-3, 1e6));
  f.push_back(number("schedule.step_factor", "--step-factor", "Factor of each step",
                     &C::step_factor, 0, 1));
  f.push_back(
      number("train.epochs", "--epochs", "Passes over the training images", &C::epochs, 1, 1e6));
  f.push_back(number("train.batch", "--batch",
                     "Images per step; with an order over domains: of each domain", &C::batch, 1,
                     1e6));
  f.push_back(number("train.steps_per_epoch", "--steps-per-epoch",
                     "Steps of an epoch that draws with replacement; 0: as the images fill",
                     &C::steps_per_epoch, 0, 1e9));
  f.push_back(choice("train.order", "--order", "How images are drawn", &C::order,
                     {"shuffle", "replacement", "balanced", "domains", "domains_balanced"}));
  f.push_back(choice("train.best_by", "--best-by",
                     "Score of the validation part whose best epoch is kept; domain_accuracy: the "
                     "mean over domains",
                     &C::best_by, {"macro_f1", "domain_accuracy"}));
  f.push_back(number("train.patience", "--patience",
                     "Stop after so many epochs without a better validation score; 0: never",
                     &C::patience, 0, 1e6));
  f.push_back(
      number("train.seed", "--seed", "Number that fixes every random choice", &C::seed, 0, 9e15));
  f.push_back(other("train.device", "--device",
                    cuda_built() ? "cpu, cuda, cuda:1 or auto" : "cpu or auto", &C::device));
  f.push_back(choice("train.precision", "--precision",
                     "Rounding in convolutions and products; all but float32 need a device",
                     &C::precision, {"float32", "tf32", "bfloat16"}));
  f.push_back(choice("train.kernels", "--kernels",
                     "Of convolutions and products on a device: our own, or the vendor's libraries",
                     &C::kernels, {"own", "vendor"}));
  f.push_back(other("train.capture", "--capture",
                    "On a device: record the step once and replay it as one graph", &C::capture));
}

void add_segment_fields(std::vector<ConfigField>& f) {
  f.push_back(choice("segment.detector", "--detector",
                     "What finds objects; faster_rcnn: boxes alone", &C::detector,
                     {"none", "mask_rcnn", "faster_rcnn"}));
  f.push_back(number("segment.min_size", "--min-size",
                     "Shorter side of a field as the network sees it", &C::min_size, 32, 8192));
  f.push_back(
      number("segment.max_size", "--max-size", "Its longer side at most", &C::max_size, 32, 16384));
  f.push_back(number("segment.scale_jitter", "--scale-jitter",
                     "Random scale in training, share either way", &C::scale_jitter, 0, 0.5));
  f.push_back(number("segment.smallest_anchor", "--smallest-anchor",
                     "Side of the smallest anchors, input pixels", &C::smallest_anchor, 4, 128));
  f.push_back(number("segment.channels", "--detector-channels", "Channels of the pyramid",
                     &C::detector_channels, 8, 1024));
  f.push_back(number("segment.hidden", "--detector-hidden", "Units of the box head",
                     &C::detector_hidden, 8, 8192));
  f.push_back(number("segment.regions", "--regions", "Regions per field that train the heads",
                     &C::regions, 1, 1e6));
  f.push_back(number("segment.proposals", "--proposals",
                     "Proposals per field in training; half as many in detection", &C::proposals, 2,
                     1e6));
  f.push_back(number("segment.norm_eps", "--norm-eps",
                     "Added to variances; 0 for torchvision's COCO weights", &C::norm_eps, 0, 1));
  f.push_back(number("segment.crop", "--crop", "Probability of a window of a training field",
                     &C::crop, 0, 1));
  f.push_back(number("segment.field_tile", "--field-tile",
                     "Longest side of a training field, pixels; larger ones show windows of it",
                     &C::field_tile, 64, 1e6));
  f.push_back(other("segment.nucleus", "--nucleus", "Also find nuclei, where masks tell them apart",
                    &C::nucleus));
}

}  // namespace

const std::vector<ConfigField>& config_fields() {
  static const std::vector<ConfigField> fields = [] {
    std::vector<ConfigField> f;
    add_data_fields(f);
    add_split_fields(f);
    add_model_fields(f);
    add_segment_fields(f);
    add_method_fields(f);
    add_optimizer_fields(f);
    add_train_fields(f);
    return f;
  }();
  return fields;
}

const ConfigField& config_field(const std::string& key) {
  for (const ConfigField& field : config_fields())
    if (field.key == key) return field;
  throw InternalError("config_field: no setting " + key);
}

std::string ConfigField::variable() const {
  std::string out = "CYTO_";
  for (const char c : option.substr(2))
    out += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return out;
}

}  // namespace cytograd
