#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/multimodal.h"
#include "cli/narrator.h"
#include "cli/option_rules.h"
#include "cli/rna_input.h"
#include "cytograd/core/cuda.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/multimodal/trainer.h"
#include "cytograd/rna/cell_source.h"
#include "cytograd/train/environment.h"
#include "cytograd/train/stop.h"

/// @file
/// `cyto multimodal train`.

namespace cytograd::cli {
namespace {

using namespace multimodal;
namespace fs = std::filesystem;

struct Options : CommonOptions {
  CommandLine command;
  std::string preset = "joint", resume;
  std::string source = "X";
  CellFiles files;
  std::map<std::string, std::string> settings;  // by key, as given
};

bool lacks_reference(const Options& o) {
  return !o.files.rna.empty() && o.files.reference.empty() && o.preset != "rna_published";
}

// The options of all settings of a part of config.toml, and some more.
std::vector<std::string> options_of(RunConfig config, const std::string& part,
                                    std::vector<std::string> more) {
  for (const Setting& setting : settings_of(config))
    if (setting.key.starts_with(part + ".") && !setting.option.empty())
      more.push_back(setting.option);
  return more;
}

// What is asked for of cells, terms and batches that there are none of.
void check_given(const Options& o, const RunConfig& config) {
  const CellFiles& f = config.files;
  const TrainingOptions& t = config.training;
  const bool rna = !f.rna.empty(), images = !f.images.empty(), mmd = t.align.starts_with("mmd");
  const bool dispersion = f.hvg == "seurat" || f.hvg == "cell_ranger";
  check_options(
      o.command,
      {{options_of(config, "rna",
                   {"--label-column", "--tissue-column", "--group-column", "--reference",
                    "--expr-source", "--expr-state", "--hvg", "--n-top", "--hvg-exact"}),
        rna, "with --rna"},
       {options_of(config, "image", {"--image-labels", "--keep-undetected", "--keep-empty"}),
        images, "with --images"},
       {options_of(config, "align", {"--map"}), rna && images, "with --rna and --images"},
       {{"--phi", "--cosine-on"}, !f.reference.empty(), "with --reference"},
       {{"--align-kl"}, !mmd, "with --align moments or moments_unbiased, got --align " + t.align},
       {{"--mmd-cells"}, mmd, "with --align mmd or mmd_unbiased, got --align " + t.align},
       {{"--balanced-cells"}, t.balanced, "with --balanced-batches true, got false"},
       {{"--n-top", "--hvg-exact"},
        dispersion,
        "with --hvg seurat or cell_ranger, got --hvg " + f.hvg},
       {{"--hvg-exact"}, f.n_top > 0, "with --n-top of 1 or more"}});
}

RunConfig config_of(const Options& o) {
  RunConfig out;
  out.training = preset_options(o.preset);
  if (lacks_reference(o)) fit_without_reference(out.training);
  out.training.seed = o.seed;
  out.files = o.files;
  out.files.matrix = matrix_of(o.source);
  if (out.files.rna.empty() && out.files.images.empty())
    throw ConfigError(
        "expected cells to train on; pass --rna FILE, --images FILE.h5 or both [cli]");
  for (const Setting& setting : settings_of(out)) {
    const auto given = o.settings.find(setting.key);
    if (given != o.settings.end() && !given->second.empty())
      set_setting(setting, given->second, setting.option);
  }
  check_config(out);
  check_given(o, out);
  return out;
}

RnaCellOptions rna_options(const CellFiles& files) {
  RnaCellOptions out;
  out.matrix = files.matrix;
  out.state = files.state;
  out.label_column = files.label_column;
  out.tissue_column = files.tissue_column;
  out.group_column = files.group_column;
  out.reference = files.reference;
  out.variable = std::nullopt;
  out.marked = files.hvg == "from-var";
  if (files.hvg == "none" || out.marked) return out;
  out.variable = rna::HvgOptions{.flavour = rna::hvg_flavour(files.hvg), .exact = files.hvg_exact};
  out.variable->n_top = files.n_top > 0 ? std::optional(files.n_top) : std::nullopt;
  return out;
}

void say(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) console().note(note);
}

// Cells of both sides with what refers to them.
struct Cells {
  std::optional<RnaCells> rna;
  std::optional<ImageCells> images;
  TrainingData data;
};

void read_rna(const RunConfig& config, Cells& out) {
  CellSplit split;
  const CellFiles& files = config.files;
  out.rna = in_file(files.rna, [&] {
    return read_rna_cells(files.rna, rna_options(files), [&](const RnaCells& head) {
      split = split_cells(head.labels, head.groups, config.training);
      return split.rows("train");
    });
  });
  for (const std::string& step : out.rna->steps) console().detail(step);
  say(out.rna->notes);
  for (const std::string& note : split.notes) console().warn("RNA: " + note);
  out.data.rna = rna_source(*out.rna, split);
  console().note("RNA: " + count_text(out.rna->size(), "cell") + " of " +
                 std::to_string(out.rna->classes.size()) + " classes, " +
                 count_text(static_cast<int64_t>(out.rna->genes.size()), "gene") +
                 (out.rna->reference.defined() ? "" : ", no reference latents"));
}

void read_images(const RunConfig& config, Cells& out) {
  ImageCellOptions options;
  options.labels = config.files.image_labels;
  options.keep_undetected = config.files.keep_undetected;
  options.keep_empty = config.files.keep_empty;
  out.images.emplace(config.files.images, options);
  say(out.images->notes());
  const ImageCells& images = *out.images;
  const CellSplit split =
      images.splits().empty()
          ? split_cells(images.labels(), images.groups(), config.training, images.digests())
          : given_split(images.splits(), config.files.image_labels);
  for (const std::string& note : split.notes) console().warn("images: " + note);
  out.data.images = image_source(*out.images, split);
  console().note("images: " + count_text(out.images->size(), "cell") + " of " +
                 std::to_string(out.images->classes().size()) + " classes");
}

// @param stored  the map of a run that goes on, or ""
void read_cells(const RunConfig& config, const std::string& stored, Cells& out) {
  if (!config.files.rna.empty()) read_rna(config, out);
  throw_if_stopped("nothing was trained in this call");
  if (!config.files.images.empty()) read_images(config, out);
  throw_if_stopped("nothing was trained in this call");
  if (!out.rna || !out.images) return;
  const std::string map = stored.empty() ? config.files.map : stored;
  out.data.map =
      map.empty() ? pair_equal_names(out.images->classes(), out.rna->classes) : read_class_map(map);
  check_class_map(out.data.map, out.images->classes(), out.rna->classes);
  for (const ClassPair& pair : out.data.map.pairs)
    console().note("pair " + escape_control(pair.name) + ", delta " +
                   format_double(config.training.delta_of(pair)));
}

void finish(const std::string& json, const RunFolder& folder) {
  const auto results = nlohmann::json::parse(json);
  for (const auto& warning : results["warnings"]) console().warn(warning.get<std::string>());
  if (console().json()) console().out(json);
  const bool both = results.contains("rna") && results.contains("image");
  say_next({folder.path()},
           both ? "cyto multimodal trajectory --run " + shell_word(folder.path())
                : "cyto multimodal embed --run " + shell_word(folder.path()) +
                      (results.contains("rna") ? " --rna FILE" : " --images FILE.h5") +
                      " -o cells.h5ad");
}

void train(const RunFolder& folder, const RunConfig& config, const Cells& cells, Device device) {
  Narrator rna({{"loss", "loss"},
                {"val loss", "val_loss"},
                {"R2 from mu", "r2_mu"},
                {"active units", "active_units"}});
  Narrator image({{"loss", "loss"},
                  {"val loss", "val_loss"},
                  {"PSNR", "psnr"},
                  {"active units", "active_units"}});
  const std::string json = train_multimodal(
      folder, config, cells.data,
      [&](const std::string& stage) {
        console().note("training the " + stage + " VAE");
        return stage == "rna" ? rna.hooks() : image.hooks();
      },
      device);
  finish(json, folder);
}

void begin(const RunFolder& folder, const RunConfig& config, Device device) {
  Cells cells;
  read_cells(config, "", cells);
  const double genes = cells.rna ? static_cast<double>(cells.rna->genes.size()) : 0;
  require_disk(folder.path(), 12 * (2.7e6 + 1602 * genes));
  // Earlier results go only now, when nothing but training can fail.
  folder.prepare();
  const auto seed = config.training.seed;
  write_file_atomically(folder.file("environment.json"),
                        environment_json(seed, describe(device),
                                         {{"rna", cells.rna ? cells.rna->hash : ""},
                                          {"images", cells.images ? cells.images->hash() : ""}}));
  train(folder, config, cells, device);
}

void go_on(const Options& o, Device device) {
  const std::vector<std::string> counting = {"--resume",  "--device",      "--kernels",
                                             "--threads", "--quiet",       "--verbose",
                                             "--json",    "--no-progress", "--no-color"};
  check_options(o.command, {{options_but(o.command, counting), false,
                             "without --resume: the run keeps the files and settings that it began "
                             "with"}});
  const RunFolder folder = RunFolder::resume(o.resume);
  if (!folder.note().empty()) console().note(folder.note());
  catch_stop_signals();
  const RunConfig config = read_config(folder.file("config.toml"));
  if (folder.is_done()) {
    console().note("the run has finished already");
    return finish(read_file(folder.file("results.json")), folder);
  }
  std::error_code error;
  const std::string map = folder.file("map.toml");
  Cells cells;
  read_cells(config, fs::exists(map, error) ? map : "", cells);
  train(folder, config, cells, device);
}

void run(Options& o) {
  const Device device = device_of(o);
  if (!o.resume.empty()) return go_on(o, device);
  const RunConfig config = config_of(o);
  if (lacks_reference(o))
    console().note("no --reference: the error of expression is taken as " +
                   config.training.rna_reduction + " over genes, --rna-beta is " +
                   format_double(config.training.rna_beta));
  RunFolder folder = RunFolder::create(o.output, o.force);
  if (!folder.note().empty()) console().note(folder.note());
  catch_stop_signals();
  try {
    begin(folder, config, device);
  } catch (...) {
    folder.release();
    throw;
  }
}

void add_cell_options(CommandLine command, Options& o) {
  CellFiles& f = o.files;
  command.add_option("--rna", f.rna, "Single cells: .h5ad, 10x .h5, MatrixMarket, table or folder");
  command.add_option("--images", f.images, "Cells of `cyto segment features` (.h5)");
  command.add_option("--image-labels", f.image_labels,
                     "CSV of path and label of the images, if wanted with group");
  command.add_option("--map", f.map, "TOML of pairs of classes; without it equal names are pairs");
  command.add_option("--label-column", f.label_column, "Column of obs with the classes");
  command.add_option("--tissue-column", f.tissue_column, "Column of obs; classes are LABEL_TISSUE");
  command.add_option("--group-column", f.group_column, "Column of obs with the donors");
  command.add_option("--reference", f.reference, "Entry of obsm (50 columns) for the cosine term");
  command.add_option("--expr-source", o.source, "X, raw or layer:NAME").show_default();
  command.add_option("--expr-state", f.state, "auto, counts, lognorm or scaled")
      .one_of({"auto", "counts", "lognorm", "scaled"})
      .show_default();
  command
      .add_option("--hvg", f.hvg, "Genes: seurat, cell_ranger, from-var (as marked) or none (all)")
      .one_of({"seurat", "cell_ranger", "from-var", "none"})
      .show_default();
  command.add_option("--n-top", f.n_top, "Genes to choose; 0: by cut-offs").show_default();
  command.add_flag("--hvg-exact", f.hvg_exact, "Exactly --n-top: of genes that tie the first ones");
  command.add_flag("--keep-undetected", f.keep_undetected, "Also cells that no detection was on");
  command.add_flag("--keep-empty", f.keep_empty, "Also cells with an empty mask");
}

}  // namespace

void add_multimodal_train(CommandLine multimodal) {
  auto options = std::make_shared<Options>();
  CommandLine command = options->command = add_command(
      multimodal, "train", "Train the two VAEs and write a run folder",
      "cyto multimodal train --rna atlas.h5ad --images cells.h5 --image-labels labels.csv "
      "--map map.toml -o runs/joint\n"
      "cyto multimodal train --rna atlas.h5ad --reference X_scvi -o runs/rna    RNA alone\n"
      "cyto multimodal train --resume runs/joint                                go on\n");
  add_cell_options(command, *options);
  command.add_option("--preset", options->preset, "Coefficients and epochs")
      .one_of(preset_names())
      .show_default();
  command.add_option("--resume", options->resume, "Go on with this run");
  RunConfig defaults;
  for (const Setting& setting : settings_of(defaults))
    if (!setting.option.empty())
      command.add_option(setting.option, options->settings[setting.key],
                         setting.help + " [" + setting_text(setting) + "; preset]");
  add_common_options(command, *options, with_output | with_force | with_seed | with_device);
  run_command(command, options, run);
}

}  // namespace cytograd::cli
