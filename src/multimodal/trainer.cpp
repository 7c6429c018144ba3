#include "cytograd/multimodal/trainer.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sstream>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/io/file.h"
#include "cytograd/io/hash.h"
#include "cytograd/io/text.h"
#include "multimodal/batches.h"
#include "multimodal/image_stage.h"
#include "multimodal/rna_stage.h"
#include "multimodal/run_files.h"

namespace cytograd::multimodal {
namespace {

struct PairRows {
  std::vector<int64_t> image_labels, image, rna;  ///< training rows
};

std::vector<int64_t> label_numbers(const std::vector<std::string>& names,
                                   const std::vector<std::string>& classes) {
  std::vector<int64_t> out;
  for (const std::string& name : names)
    out.push_back(std::find(classes.begin(), classes.end(), name) - classes.begin());
  return out;
}

// Training cells with one of these labels.
std::vector<int64_t> rows_with(const CellSource& cells, const std::vector<int64_t>& labels) {
  std::vector<int64_t> out;
  for (const int64_t row : cells.rows("train"))
    if (std::find(labels.begin(), labels.end(), cells.labels[static_cast<size_t>(row)]) !=
        labels.end())
      out.push_back(row);
  return out;
}

[[noreturn]] void too_few(const ClassMap& map, const std::string& pair, const char* side,
                          size_t found, const char* expected) {
  throw DataError(Fault{"class.missing", map.path, "pair " + escape_control(pair),
                        std::to_string(found) + " training cells on the side of the " + side,
                        expected, "leave the pair out of the map, or choose another split"});
}

std::vector<PairRows> rows_of_pairs(const TrainingData& data) {
  std::vector<PairRows> out;
  if (!data.rna || !data.images) return out;
  check_class_map(data.map, data.images->classes, data.rna->classes);
  for (const ClassPair& pair : data.map.pairs) {
    PairRows rows;
    rows.image_labels = label_numbers(pair.image, data.images->classes);
    rows.image = rows_with(*data.images, rows.image_labels);
    rows.rna = rows_with(*data.rna, label_numbers(pair.rna, data.rna->classes));
    if (rows.image.empty()) too_few(data.map, pair.name, "images", 0, "at least one");
    if (rows.rna.size() < 2)
      too_few(data.map, pair.name, "RNA", rows.rna.size(), "at least two, for a covariance");
    out.push_back(std::move(rows));
  }
  return out;
}

void check_cells(const CellSource& cells, const char* side) {
  const size_t n = cells.names.size();
  check<ValueError>(cells.labels.size() == n && cells.split.size() == n, "train_multimodal",
                    "expects one label and one part per cell, got ", cells.labels.size(), " and ",
                    cells.split.size(), " for ", n, " cells");
  if (cells.rows("train").size() < 2)
    throw DataError(Fault{
        "data.empty", "", "",
        std::to_string(cells.rows("train").size()) + " training cells on the side of the " + side,
        "at least two", "choose smaller test and validation parts"});
}

void check_data(const TrainingData& data) {
  if (!data.rna && !data.images)
    throw ConfigError("expected cells of at least one side; pass --rna, --images or both [cli]");
  if (data.images) check_cells(*data.images, "images");
  if (!data.rna) return;
  check_cells(*data.rna, "RNA");
  const Tensor& reference = data.rna->reference;
  const Shape wanted{static_cast<int64_t>(data.rna->names.size()), TrainingOptions::latent};
  if (!reference.defined() || reference.shape() == wanted) return;
  std::ostringstream found, expected;
  found << "reference latents " << reference.shape();
  expected << wanted;
  throw DataError(Fault{"h5ad.form", "", "", found.str(), expected.str(),
                        "leave --reference out to train without it"});
}

// As losses::moment_alignment measures them.
double covariance_distance(const Tensor& a, const Tensor& b) {
  const Tensor log_p = log_softmax(a, 0), log_q = log_softmax(b, 0);
  return sum((exp(log_p) - exp(log_q)) * (log_p - log_q)).item() * 0.5 /
         static_cast<double>(a.size(0));
}

class Training {
 public:
  Training(const RunFolder& folder, const RunConfig& config, const TrainingData& data,
           const StageHooks& hooks, Device device)
      : folder_(folder),
        options_(config.training),
        data_(data),
        hooks_(hooks),
        device_(device),
        pair_rows_(rows_of_pairs(data)),
        config_hash_(xxh3_128(config_text(config))) {
    if (data.rna && data.images) map_text_ = class_map_text(data.map);
    if (options_.balanced && !pair_rows_.empty()) {
      std::vector<std::vector<int64_t>> groups;
      for (const auto& pair : pair_rows_) groups.push_back(pair.image);
      check_balance(groups, options_.balanced_cells, options_.image.batch);
    }
    write_inputs(config);
  }

  std::string run() {
    if (data_.rna) train_rna();
    if (data_.images) train_images();
    for (const SideResult* side :
         {result_.rna ? &*result_.rna : nullptr, result_.image ? &*result_.image : nullptr})
      if (side && side->quality.collapsed) warn_of_collapse(*side);
    warn_of_features();
    write_latents(folder_.path(), result_);
    const std::string json = results_json(result_);
    write_file_atomically(folder_.file("results.json"), json);
    folder_.mark_done(json);
    return json;
  }

 private:
  void write_inputs(const RunConfig& config) const {
    const auto write = [&](const char* name, const std::string& text) {
      std::error_code error;
      if (!std::filesystem::exists(folder_.file(name), error))
        write_file_atomically(folder_.file(name), text);
    };
    write("config.toml", config_text(config));
    if (!map_text_.empty()) write("map.toml", map_text_);
  }

  StageSetup setup(const std::string& name, const StageOptions& options, const CellSource& cells,
                   const std::string& more) const {
    StageSetup out;
    out.name = name;
    out.options = options;
    out.clip = options_.clip;
    out.checkpoint_every = options_.checkpoint_every;
    out.seed = stream_key(options_.seed, name + " vae");
    out.config = config_hash_;
    std::string text = cells.hash + "\n" + more;
    for (const std::string& role : cells.split) text += role[0];
    out.data = xxh3_128(text);
    out.folder = folder_.path();
    out.names = cells.names;
    out.device = device_;
    return out;
  }

  TrainHooks hooks_of(const std::string& stage) const {
    return hooks_ ? hooks_(stage) : TrainHooks{};
  }

  static std::string part_of(const CellSource& cells) {
    for (const char* part : {"test", "val"})
      if (!cells.rows(part).empty()) return part;
    return "train";
  }

  void train_rna() {
    const RnaSource& source = *data_.rna;
    models::RnaVae model(static_cast<int64_t>(source.genes.size()),
                         stream_key(options_.seed, "rna weights"));
    RnaStage stage(setup("rna", options_.rna, source, ""), model, source, options_);
    stage.run(hooks_of("rna"));
    write_rna_model(folder_.file("rna.safetensors"), model, source);
    SideResult& side = result_.rna.emplace();
    side.cells = &source;
    side.best_epoch = stage.best_epoch();
    side.part = part_of(source);
    side.monitors = RnaMonitor(source, options_, source.rows(side.part), device_).measure(model);
    side.quality = quality_of(side.monitors);
    // From here on the RNA side is fixed: what the images see has no graph.
    const NoGrad no_grad;
    side.latents = encode_all(static_cast<int64_t>(source.names.size()), 512,
                              [&](const std::vector<int64_t>& rows) {
                                return model.encode(source.batch(rows).to(device_));
                              });
  }

  std::vector<AlignedPair> aligned_pairs() const {
    std::vector<AlignedPair> out;
    for (size_t j = 0; j < pair_rows_.size(); ++j) {
      const ClassPair& pair = data_.map.pairs[j];
      AlignedPair& a = out.emplace_back();
      a.name = escape_control(pair.name);
      a.rna = {rows_of(result_.rna->latents.mu, pair_rows_[j].rna),
               rows_of(result_.rna->latents.log_var, pair_rows_[j].rna)};
      a.target = {pair_rows_[j].image_labels, options_.delta_of(pair),
                  losses::posterior_moments(a.rna.mu, a.rna.log_var)};
    }
    return out;
  }

  void train_images() {
    const ImageSource& source = *data_.images;
    const std::vector<AlignedPair> pairs = aligned_pairs();
    models::ImageVae model(stream_key(options_.seed, "image weights"),
                           {.channels = source.channels});
    ImageStage stage(
        setup("image", options_.image, source, data_.rna ? data_.rna->hash + map_text_ : ""), model,
        source, options_, pairs);
    stage.run(hooks_of("image"));
    write_image_model(folder_.file("image.safetensors"), model, source);
    SideResult& side = result_.image.emplace();
    side.cells = &source;
    side.best_epoch = stage.best_epoch();
    side.part = part_of(source);
    side.monitors = ImageMonitor(source, options_, source.rows(side.part), device_).measure(model);
    side.quality = quality_of(side.monitors);
    const NoGrad no_grad;
    side.latents = encode_all(static_cast<int64_t>(source.names.size()), 64,
                              [&](const std::vector<int64_t>& rows) {
                                return model.encode(source.batch(rows).h.to(device_));
                              });
    for (size_t j = 0; j < pairs.size(); ++j) add_pair(pairs[j], j, stage);
  }

  void add_pair(const AlignedPair& pair, size_t j, const Stage& stage) {
    PairResult out;
    out.name = pair.name;
    out.image_cells = static_cast<int64_t>(pair_rows_[j].image.size());
    out.rna_cells = static_cast<int64_t>(pair_rows_[j].rna.size());
    out.delta = pair.target.weight;
    out.skipped = stage.skipped_share(pair.name);
    out.moments = pair.target.target;
    out.mean_distance = out.covariance_distance = std::nan("");
    if (out.image_cells >= 2) {
      const losses::ClassMoments image =
          losses::posterior_moments(rows_of(result_.image->latents.mu, pair_rows_[j].image),
                                    rows_of(result_.image->latents.log_var, pair_rows_[j].image));
      out.mean_distance = mean(square(image.mean - out.moments.mean)).item();
      out.covariance_distance = covariance_distance(image.covariance, out.moments.covariance);
    }
    if (out.skipped > 0.5) {
      const std::string hint = out.image_cells < options_.min_per_class
                                   ? "it has " + std::to_string(out.image_cells) + " training cells"
                               : options_.balanced ? "see --balanced-cells"
                                                   : "pass --balanced-batches true";
      result_.warnings.push_back("pair " + pair.name + " had fewer than " +
                                 std::to_string(options_.min_per_class) + " cells in " +
                                 format_fixed(100 * out.skipped, 0) +
                                 " % of the steps and was not aligned there; " + hint);
    }
    result_.pairs.push_back(std::move(out));
  }

  void warn_of_collapse(const SideResult& side) {
    const bool rna = result_.rna && &side == &*result_.rna;
    const ModelQuality& q = side.quality;
    result_.warnings.push_back(std::string("the latent of the ") + (rna ? "RNA" : "image") +
                               " VAE collapsed: " + std::to_string(q.active_units) +
                               " of 50 active units, R2 " + format_fixed(q.r2_mu, 3) +
                               " from mu and " + format_fixed(q.r2_z, 3) + " from z; try " +
                               (rna ? "a smaller --rna-beta, --cosine-on z or --rna-reduction sum"
                                    : "a smaller --image-beta") +
                               ", or more epochs");
  }

  // The published weights leave the error of features out beside that of all pixels.
  void warn_of_features() {
    if (!result_.image) return;
    for (const auto& [name, value] : result_.image->monitors)
      if (name == "feature_r2_mu" && value < 0)
        result_.warnings.push_back("the detector's features are not reconstructed, R2 " +
                                   format_fixed(value, 2) +
                                   ": images are decoded without; a larger --alpha asks for both");
  }

  const RunFolder& folder_;
  const TrainingOptions& options_;
  const TrainingData& data_;
  const StageHooks& hooks_;
  Device device_;
  std::vector<PairRows> pair_rows_;
  std::string config_hash_, map_text_;
  RunResult result_;
};

}  // namespace

std::string train_multimodal(const RunFolder& folder, const RunConfig& config,
                             const TrainingData& data, const StageHooks& hooks, Device device) {
  check_config(config);
  check_data(data);
  return Training(folder, config, data, hooks, device).run();
}

}  // namespace cytograd::multimodal
