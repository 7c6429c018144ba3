#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>

#include "cli/multimodal.h"
#include "cli/multimodal_path.h"
#include "cli/option_rules.h"
#include "cli/session.h"
#include "cli/unlabelled.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/report/trajectory_figure.h"
#include "multimodal/trajectory_parts.h"

/// @file
/// `cyto multimodal trajectory`: a path from one kind of cell to another.

namespace cytograd::cli {
namespace {

namespace fs = std::filesystem;
using multimodal::Run;
using multimodal::Trajectory;
using nlohmann::ordered_json;

struct Options : CommonOptions {
  CommandLine command;
  std::string run, from, to, kind = "anchored", clusters = "3", thin = "0", lineage, name;
  std::string optimizer = gp::has_lbfgs() ? "lbfgs" : "adam";
  std::string classifier, images;
  std::vector<std::string> via, through, stages, genes;
  int64_t points = 100, samples = 20, anchors = 20, permutations = 1000;
  double microns_per_pixel = 0;
  bool no_drivers = false;
};

// What is known and measured of a path besides itself.
struct Measured {
  std::vector<std::vector<double>> morphology;
  std::vector<multimodal::Driver> drivers;
  std::optional<multimodal::StageReport> stages;
  std::string lineage;
  std::vector<std::string> highlight, notes;
};

std::vector<std::string> named_stations(const Options& o) {
  const bool ends = !o.from.empty() || !o.to.empty() || !o.via.empty();
  if (ends != o.through.empty())
    throw ConfigError("expects either --from A --to B or --through A,B,... [cli]");
  if (!ends) return o.through;
  if (o.from.empty() || o.to.empty()) throw ConfigError("--from and --to go together [cli]");
  std::vector<std::string> out = {o.from};
  out.insert(out.end(), o.via.begin(), o.via.end());
  out.push_back(o.to);
  return out;
}

std::vector<std::string> stations_of(const Options& o) {
  std::vector<std::string> out = named_stations(o);
  if (out.size() < 2)
    throw ConfigError("--through expects two stations or more, got " + std::to_string(out.size()) +
                      " [cli]");
  if (o.kind != "anchored" && out.size() != 2)
    throw ConfigError("--kind " + o.kind + " expects two stations, from one cell to another, got " +
                      std::to_string(out.size()) + "; --kind anchored takes several [cli]");
  return out;
}

// A number, or what was published.
double threshold_of(const Options& o, size_t genes) {
  if (o.thin == "published") return 0.0999 * static_cast<double>(genes) / 2432;
  const auto value = parse_double(o.thin);
  if (!value || !std::isfinite(*value) || *value < 0)
    throw ConfigError("--thin expects a number of at least 0 or published, got " +
                      escape_control(o.thin) + " [cli]");
  return *value;
}

int64_t clusters_of(const Options& o) {
  if (o.clusters == "auto") return 0;
  const auto value = parse_int(o.clusters);
  if (!value || *value < 1)
    throw ConfigError("--clusters expects a number of at least 1 or auto, got " +
                      escape_control(o.clusters) + " [cli]");
  return *value;
}

multimodal::TrajectoryOptions trajectory_options(const Options& o, const Run& run) {
  multimodal::TrajectoryOptions out;
  out.stations = stations_of(o);
  out.kind = o.kind == "two-point"  ? multimodal::PathKind::two_point
             : o.kind == "straight" ? multimodal::PathKind::straight
                                    : multimodal::PathKind::anchored;
  out.name = o.name;
  out.points = o.points;
  out.samples = o.samples;
  out.anchors = o.anchors;
  out.clusters = clusters_of(o);
  out.thin = threshold_of(o, run.genes.size());
  out.seed = o.seed;
  out.force = o.force;
  out.optimizer = o.optimizer == "adam" ? gp::Optimizer::adam : gp::Optimizer::lbfgs;
  return out;
}

void check_output(const Options& o) {
  std::error_code error;
  if (!fs::exists(o.output, error)) return;
  if (!fs::is_directory(o.output, error))
    throw FileError(Fault{"file.kind", o.output, "", "not a folder", "a folder", ""});
  if (!o.force && !fs::is_empty(o.output, error))
    throw FileError(Fault{"file.exists", o.output, "", "the folder is not empty", "a new folder",
                          "--force replaces what is in it"});
}

// The lineage whose genes are known, by the last station.
std::string lineage_of(const Options& o, const Trajectory& path) {
  if (!o.lineage.empty()) return o.lineage;
  const std::string last = to_lower_ascii(path.stations.back());
  if (last.find("mono") != std::string::npos) return "monocytopoiesis";
  for (const char* part : {"neutro", "segment", "band", "granul"})
    if (last.find(part) != std::string::npos) return "granulopoiesis";
  return "";
}

// Symbols of --genes that are measured; the others are noted.
std::vector<std::string> highlighted(const Options& o, const Run& run,
                                     std::vector<std::string>& notes) {
  std::vector<std::string> out;
  for (const std::string& name : o.genes)
    for (const std::string& symbol : multimodal::gene_symbols(name)) {
      if (std::find(run.genes.begin(), run.genes.end(), symbol) != run.genes.end())
        out.push_back(symbol);
      else
        notes.push_back(escape_control(symbol) + " is not measured");
    }
  return out;
}

// What a run of `cyto train` says of the decoded frames. [T, classes]
Tensor classified(const TrainedModel& classifier, const std::vector<std::string>& frames) {
  const Dataset dataset = unlabelled(frames);
  std::vector<int64_t> indices(frames.size());
  std::iota(indices.begin(), indices.end(), int64_t{0});
  const Predictions p = predict(classifier, dataset, indices, inference_loader(classifier), false);
  return Tensor::from(p.probabilities, {dataset.size(), p.classes});
}

// Stages to look for: those asked for, else the stations that images know. What the images or the
// classifier do not know is said before the path is made.
std::vector<std::string> stages_of(const Options& o, const Run& run,
                                   const std::optional<TrainedModel>& classifier) {
  std::vector<std::string> out = o.stages;
  if (out.empty())
    for (const std::string& station : stations_of(o))
      if (!multimodal::image_classes_of(run, station).empty()) out.push_back(station);
  if (out.size() < 2 && (classifier || !o.stages.empty()))
    throw ConfigError(std::string(o.stages.empty() ? "--classifier" : "--stages") +
                      " expects two stages or more to look for, got " + std::to_string(out.size()) +
                      "; see --stages [cli]");
  const auto classes = multimodal::stage_classes(run, out);
  const auto unknown = [&](const std::string& name) {
    const auto& known = classifier->classes;
    return std::find(known.begin(), known.end(), name) == known.end();
  };
  for (size_t s = 0; classifier && s < out.size(); ++s)
    if (std::all_of(classes[s].begin(), classes[s].end(), unknown))
      throw DataError(Fault{"class.missing", o.classifier, "",
                            "no class of the stage \"" + escape_control(out[s]) + "\"",
                            "a run that knows the stages of the path", "see --stages"});
  return out;
}

Measured measure(const Options& o, const Run& run, const Trajectory& path,
                 const std::vector<std::string>& stages,
                 const std::optional<TrainedModel>& classifier) {
  Measured out;
  out.highlight = highlighted(o, run, out.notes);
  out.lineage = lineage_of(o, path);
  out.morphology = path_morphology(path, o.microns_per_pixel);
  note_missing_scores(out.morphology, out.notes);
  if (!o.no_drivers) {
    out.drivers = path_drivers(run, path, out.morphology, o.permutations, o.seed);
    if (!out.morphology.empty()) note_samples(path, out.notes);
  }
  const std::vector<std::string> frames = write_frames(path, o.output + "/frames");
  if (stages.size() < 2) return out;
  out.stages = classifier
                   ? multimodal::stage_order(run, path, stages, classified(*classifier, frames),
                                             classifier->classes)
                   : multimodal::stage_order(run, path, stages);
  note_order("of the nearest images", out.stages->votes, out.notes);
  if (!out.stages->classified) return out;
  note_order("of the decoded images as the classifier sees them,", *out.stages->classified,
             out.notes);
  note_elsewhere(*out.stages->classified, out.notes);
  return out;
}

ordered_json json_number(double v) { return std::isfinite(v) ? ordered_json(v) : ordered_json(); }

int64_t outside(const std::vector<double>& support) {
  return std::count_if(support.begin(), support.end(), [](double s) { return s > 99; });
}

ordered_json text(const std::vector<std::string>& values) {
  ordered_json out = ordered_json::array();
  for (const std::string& v : values) out.push_back(escape_control(v));
  return out;
}

ordered_json order_json(const multimodal::StageOrder& order) {
  ordered_json peaks;
  for (size_t s = 0; s < order.stages.size(); ++s)
    peaks[escape_control(order.stages[s])] = json_number(order.peak_t[s]);
  return {{"peak_t", peaks},
          {"spearman", json_number(order.spearman)},
          {"inversions", order.inversions.size()},
          {"in_order", order.in_order()}};
}

// What was asked for and found, for trajectory.json and --json.
ordered_json summary_of(const Options& o, const Trajectory& path, const Measured& measured,
                        const std::vector<std::string>& notes) {
  ordered_json out;
  out["name"] = escape_control(path.name);
  out["run"] = escape_control(o.run);
  out["kind"] = o.kind;
  out["seed"] = o.seed;
  out["stations"] = text(path.stations);
  out["station_t"] = path.station_t;
  out["steps"] = path.t.size();
  if (o.microns_per_pixel > 0) out["microns_per_pixel"] = o.microns_per_pixel;
  out["samples"] = path.samples.size(0);
  out["genes"] = path.genes.size();
  if (o.kind == "anchored") out["optimizer"] = o.optimizer;
  for (const gp::Parameter& p : path.path.kernel.parameters()) out["kernel"][p.name] = p.value;
  out["clusters"] = ordered_json::array();
  for (const cluster::GeneCluster& c : path.clusters.clusters)
    out["clusters"].push_back(
        {{"name", c.name}, {"genes", c.members.size()}, {"discordant", c.discordant.size()}});
  out["flat_genes"] = path.clusters.flat.size();
  out["outside"] = {{"image", outside(path.support.image)}, {"rna", outside(path.support.rna)}};
  out["lineage"] = measured.lineage;
  if (measured.stages) {
    out["stages"] = order_json(measured.stages->votes);
    if (measured.stages->classified)
      out["stages"]["classifier"] = order_json(*measured.stages->classified);
  }
  out["notes"] = text(notes);
  return out;
}

void write_all(const Options& o, const Trajectory& path, const Measured& measured) {
  std::error_code error;
  fs::create_directories(o.output, error);
  if (error)
    throw FileError(Fault{"file.io", o.output, "", error.message(), "a folder to write into", ""});
  const auto file = [&o](const char* name) { return o.output + "/" + name; };
  std::vector<std::string> notes = path.notes;
  const auto add = [&notes](const std::vector<std::string>& more) {
    notes.insert(notes.end(), more.begin(), more.end());
  };
  add(measured.notes);
  add(multimodal::write_trajectory(path, o.output));
  for (const char* name : {"morphology.csv", "drivers.csv", "stages.csv"})
    fs::remove(file(name), error);  // of an earlier path
  if (!measured.morphology.empty())
    write_morphology(path, measured.morphology, file("morphology.csv"));
  if (!measured.drivers.empty())
    write_drivers(path, measured.drivers, measured.lineage, file("drivers.csv"));
  if (measured.stages) write_stages(path, *measured.stages, file("stages.csv"));
  TrajectoryFigure figure;
  figure.highlight = measured.highlight;
  figure.morphology = measured.morphology;
  figure.microns_per_pixel = o.microns_per_pixel;
  if (!measured.morphology.empty()) figure.drivers = measured.drivers;
  figure.subtitle = o.kind + " path, seed " + std::to_string(o.seed);
  add(write_trajectory_figures(path, figure, o.output));
  const ordered_json summary = summary_of(o, path, measured, notes);
  write_file_atomically(file("trajectory.json"), summary.dump(2) + "\n");
  for (const std::string& note : notes) console().note(escape_control(note));
  if (o.json) console().out(summary.dump() + "\n");
  say_next({o.output}, "open " + shell_word(file("page.html")));
}

void check_given(const Options& o) {
  const bool anchored = o.kind == "anchored";
  check_options(
      o.command,
      {{{"--anchors", "--gp-opt"}, anchored, "with --kind anchored, got --kind " + o.kind},
       {{"--permutations", "--lineage"}, !o.no_drivers, "without --no-drivers"}});
  if (anchored && o.optimizer == "lbfgs" && !gp::has_lbfgs())
    throw ConfigError(
        "--gp-opt lbfgs expects a program built with NLopt, which this one is not; pass --gp-opt "
        "adam [cli]");
}

void run(Options& o) {
  check_given(o);
  check_output(o);
  (void)stations_of(o);
  (void)clusters_of(o);
  (void)threshold_of(o, 1);
  if (!o.images.empty() && !fs::is_regular_file(o.images))
    throw FileError(Fault{"file.missing", o.images, "--images", "no such file",
                          "a file of `cyto segment features`", ""});
  std::optional<TrainedModel> classifier;
  if (!o.classifier.empty()) classifier = load_trained(o.classifier, "best", Device::cpu());
  Run loaded = multimodal::load_run(o.run);
  require_both(loaded, "trajectory");
  if (!o.images.empty()) loaded.images_file = o.images;
  for (const std::string& warning : loaded.warnings) console().warn(escape_control(warning));
  const std::vector<std::string> stages = stages_of(o, loaded, classifier);
  const Trajectory path = make_trajectory(loaded, trajectory_options(o, loaded));
  write_all(o, path, measure(o, loaded, path, stages, classifier));
}

void add_path_options(CommandLine command, Options& o) {
  command.add_option("--run", o.run, "Folder that cyto multimodal train wrote").required();
  command.add_option("--images", o.images,
                     "Features and masks of the run's images, where the file has moved");
  command.add_option("--from", o.from,
                     "Where the path begins: a class of images or RNA, a name of the class map, or "
                     "cell:NAME");
  command.add_option("--to", o.to, "Where it ends");
  command.add_option("--via", o.via, "Kinds of cells between, in order").delimiter(',');
  command.add_option("--through", o.through, "All of them, in place of --from, --via and --to")
      .delimiter(',');
  command
      .add_option("--kind", o.kind,
                  "anchored: through cells of every kind; two-point or straight: from one cell to "
                  "another")
      .one_of({"anchored", "two-point", "straight"})
      .show_default();
  command.add_option("--name", o.name, "Name of the path in figures");
  command.add_option("--points", o.points, "Steps of the path").range(2, 10'000).show_default();
  command.add_option("--samples", o.samples, "Paths drawn for bands and drivers")
      .range(1, 10'000)
      .show_default();
  command.add_option("--anchors", o.anchors, "Cells per kind that the path is drawn through")
      .range(1, 10'000)
      .show_default();
  command
      .add_option("--gp-opt", o.optimizer,
                  "How the Gaussian process is fitted: lbfgs, or adam, which needs no NLopt")
      .one_of({"lbfgs", "adam"})
      .show_default();
  command
      .add_option("--thin", o.thin,
                  "Leave steps out whose genes change less than this in sum; published: 0.0999 per "
                  "2,432 genes")
      .show_default();
}

void add_gene_options(CommandLine command, Options& o) {
  command.add_option("--clusters", o.clusters, "Clusters of genes, or auto").show_default();
  command.add_option("--genes", o.genes, "Genes to highlight, such as MPO,ELANE,CD16")
      .delimiter(',');
  command.add_option("--stages", o.stages, "Stages whose order is checked; else the stations")
      .delimiter(',');
  command.add_option("--classifier", o.classifier,
                     "Run of `cyto train` that says the stage of decoded images, trained on "
                     "pictures of `cyto multimodal embed --pictures`");
  command.add_option("--lineage", o.lineage, "Whose known genes to flag; else by the last station")
      .one_of({"granulopoiesis", "monocytopoiesis", "maturation"});
  command
      .add_option("--microns-per-pixel", o.microns_per_pixel,
                  "Scale of the decoded 128 x 128 images, for areas in square micrometres; else in "
                  "pixels")
      .positive();
  command.add_option("--permutations", o.permutations, "Of paths, for p values of drivers")
      .range(1, 1'000'000)
      .show_default();
  command.add_flag("--no-drivers", o.no_drivers, "Leave drivers.csv out, which takes longest");
}

}  // namespace

void add_multimodal_trajectory(CommandLine multimodal) {
  auto options = std::make_shared<Options>();
  CommandLine command = options->command = add_command(
      multimodal, "trajectory", "A path from one kind of cell to another, decoded",
      "cyto multimodal trajectory --run RUN --from myeloblast --to neutrophil -o path\n"
      "cyto multimodal trajectory --run RUN --through blast,myelocyte,neutrophil -o path\n"
      "cyto multimodal trajectory --run RUN --from A --to B --kind two-point -o path\n");
  add_path_options(command, *options);
  add_gene_options(command, *options);
  add_common_options(command, *options, with_output | with_force | with_seed);
  command.get_option("--output").required();
  command.get_option("--force").description(
      "Replace existing results; follow a path though the run warned of collapse");
  run_command(command, options, run);
}

}  // namespace cytograd::cli
