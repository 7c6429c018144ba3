#include <algorithm>

#include "cli/common.h"
#include "cytograd/io/text.h"
#include "cytograd/synth/cells.h"
#include "cytograd/synth/multimodal.h"
#include "cytograd/synth/rna.h"
#include "cytograd/synth/smears.h"

/// @file
/// `cyto synth`: drawn cells, drawn smears, invented RNA counts, pictures and counts together.

namespace cytograd::cli {
namespace {

struct CellOptions : CommonOptions {
  synth::CellSetOptions set;
  std::vector<std::string> classes;
};

struct SmearOptions : CommonOptions {
  synth::SmearSetOptions set;
  std::vector<std::string> classes;
};

struct CountOptions : CommonOptions {
  synth::RnaOptions rna;
};

struct WorldOptions : CommonOptions {
  synth::MultimodalOptions world;
};

std::vector<synth::CellClass> parse_classes(const std::vector<std::string>& names) {
  std::vector<synth::CellClass> classes;
  if (names.size() == 1 && names[0] == "all") return classes;
  for (const std::string& name : names) classes.push_back(synth::cell_class(name));
  return classes;
}

std::string list(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

std::string class_names() {
  std::vector<std::string> names;
  for (int c = 0; c < synth::cell_class_count; ++c)
    names.emplace_back(name(static_cast<synth::CellClass>(c)));
  return list(names);
}

std::function<void(int64_t, int64_t)> progress_line(const char* what) {
  return [what](int64_t done, int64_t total) {
    // A terminal is redrawn a few hundred times at most.
    if (console().progress() && (done == total || done % (total / 200 + 1) == 0))
      console().status(std::to_string(done) + " of " + std::to_string(total) + " " + what);
  };
}

void run_cells(CellOptions& o) {
  o.set.output = o.output, o.set.seed = o.seed, o.set.force = o.force;
  o.set.classes = parse_classes(o.classes);
  o.set.progress = progress_line("cells");
  const synth::CellSet set = synth::write_cells(o.set);
  std::string text;
  for (const auto& [label, count] : set.per_class)
    text += o.json ? (text.empty() ? "" : ",") + json_text(label) + ":" + std::to_string(count)
                   : label + std::string(20 - label.size(), ' ') + std::to_string(count) + "\n";
  if (o.json)
    text = "{\"images\":" + std::to_string(set.images) +
           ",\"manifest\":" + json_text(set.manifest.string()) + ",\"per_class\":{" + text + "}}\n";
  console().status("");
  console().out(text);
  say_next({std::to_string(set.images) + " cells to " + o.output, set.manifest.string()},
           "cyto train --data " + shell_word(set.manifest.string()) +
               " --model resnet18 --image-size " + std::to_string(o.set.size) +
               " --output runs/synth");
}

void run_smears(SmearOptions& o) {
  o.set.output = o.output, o.set.field.seed = o.seed, o.set.force = o.force;
  o.set.field.classes = parse_classes(o.classes);
  o.set.progress = progress_line("fields");
  const synth::SmearSet set = synth::write_smears(o.set);
  const auto number = [](int64_t n) { return std::to_string(n); };
  console().status("");
  if (o.json)
    console().out("{\"images\":" + number(set.images) + ",\"WBC\":" + number(set.white_cells) +
                  ",\"RBC\":" + number(set.red_cells) + ",\"Platelets\":" + number(set.platelets) +
                  ",\"manifest\":" + json_text(set.table.string()) + "}\n");
  else
    console().out("fields     " + number(set.images) + "\nWBC        " + number(set.white_cells) +
                  "\nRBC        " + number(set.red_cells) + "\nPlatelets  " +
                  number(set.platelets) + "\n");
  say_next({number(set.images) + " fields to " + o.output, set.table.string()},
           "cyto data " + shell_word(set.table.string()));
}

void run_rna(CountOptions& o) {
  if (o.output.empty())
    throw ConfigError("--output is missing; expected a file name such as cells.h5ad");
  if (!o.output.ends_with(".h5ad"))
    throw ConfigError("--output expects a name ending in .h5ad, got " + escape_control(o.output) +
                      " [cli]");
  require_new_file(o.output, o.force);
  o.rna.seed = o.seed;
  const synth::RnaSet set = synth::make_rna(o.rna);
  synth::write_rna(set, o.output);
  const auto drivers =
      std::count_if(set.genes.begin(), set.genes.end(), [](const auto& g) { return g.driver; });
  const auto number = [](auto n) { return std::to_string(n); };
  if (o.json)
    console().out("{\"cells\":" + number(set.cells.size()) +
                  ",\"genes\":" + number(set.genes.size()) + ",\"drivers\":" + number(drivers) +
                  ",\"nonzero\":" + number(set.counts.size()) + ",\"file\":" + json_text(o.output) +
                  "}\n");
  else
    console().out("cells    " + number(set.cells.size()) + "\ngenes    " +
                  number(set.genes.size()) + "\ndrivers  " + number(drivers) + "\nnonzero  " +
                  number(set.counts.size()) + "\n");
  say_next({o.output}, "scanpy.read_h5ad(" + json_text(o.output) + ")");
}

void run_multimodal(WorldOptions& o) {
  o.world.output = o.output, o.world.seed = o.seed, o.world.force = o.force;
  o.world.progress = progress_line("pictures");
  const synth::MultimodalSet set = synth::write_multimodal(o.world);
  console().status("");
  const auto number = [](int64_t n) { return std::to_string(n); };
  std::string drivers;
  for (const auto& [path, count] : set.drivers)
    drivers += o.json ? (drivers.empty() ? "" : ",") + json_text(path) + ":" + number(count)
                      : "drivers of " + path + "  " + number(count) + "\n";
  if (o.json)
    console().out("{\"images\":" + number(set.images) + ",\"fields\":" + number(set.fields) +
                  ",\"cells\":" + number(set.cells) + ",\"genes\":" + number(set.genes) +
                  ",\"drivers\":{" + drivers + "}}\n");
  else
    console().out("images  " + number(set.images) + "\nfields  " + number(set.fields) +
                  "\ncells   " + number(set.cells) + "\ngenes   " + number(set.genes) + "\n" +
                  drivers);
  say_next({o.output}, "examples/granulopoiesis.sh does all that follows");
}

void add_cells(CommandLine synth) {
  auto o = std::make_shared<CellOptions>();
  CommandLine part = add_command(
      synth, "cells", "Single cells of the fifteen bone-marrow classes",
      "cyto synth cells --output cells/\n"
      "cyto synth cells --output cells/ --count 3000 --domains 4 --imbalance 30 --masks\n");
  part.add_option("--count", o->set.count, "Pictures per domain, over all classes").show_default();
  part.add_option("--size", o->set.size, "Width and height in pixels").show_default();
  part.add_option("--domains", o->set.domains, "How many stains: " + list(synth::stain_names()))
      .show_default();
  part.add_flag("--random-stains", o->set.random_stains,
                "A stain, scale and light of its own for every picture");
  part.add_option("--classes", o->classes, "all, or names with commas: " + class_names())
      .delimiter(',')
      .default_text("all");
  part.add_option("--imbalance", o->set.imbalance, "Most frequent class : rarest class")
      .show_default();
  part.add_option("--format", o->set.format, "png or jpg").show_default();
  part.add_flag("--masks", o->set.masks, "Also write masks: 128 cytoplasm, 255 nucleus");
  add_common_options(part, *o, with_output | with_force | with_seed);
  run_command(part, o, run_cells);
}

void add_smears(CommandLine synth) {
  auto o = std::make_shared<SmearOptions>();
  CommandLine part = add_command(
      synth, "smears", "Fields of red cells, white cells and platelets with boxes and masks",
      "cyto synth smears --output smears/\n"
      "cyto synth smears --output smears/ --count 200 --white-cells 6 --domains 2\n");
  part.add_option("--count", o->set.count, "Fields per domain").show_default();
  part.add_option("--width", o->set.field.width, "Pixels").show_default();
  part.add_option("--height", o->set.field.height, "Pixels").show_default();
  part.add_option("--microns-per-pixel", o->set.field.microns_per_pixel, "Scale").show_default();
  part.add_option("--white-cells", o->set.field.white_cells,
                  "Mean number of white cells in a field")
      .show_default();
  part.add_option("--classes", o->classes,
                  "White cells: names with commas, all equally often; default: normal blood")
      .delimiter(',');
  part.add_option("--domains", o->set.domains, "How many stains: " + list(synth::stain_names()))
      .show_default();
  part.add_option("--format", o->set.format, "jpg or png").show_default();
  add_common_options(part, *o, with_output | with_force | with_seed);
  run_command(part, o, run_smears);
}

void add_rna(CommandLine synth) {
  auto o = std::make_shared<CountOptions>();
  CommandLine part =
      add_command(synth, "rna", "Single-cell RNA counts with lineages, pseudotime and driver genes",
                  "cyto synth rna --output cells.h5ad\n"
                  "cyto synth rna --output cells.h5ad --cells 10000 --genes 2000 --batches 4\n");
  part.add_option("--cells", o->rna.cells, "Cells").show_default();
  part.add_option("--genes", o->rna.genes, "Genes, drivers included").show_default();
  part.add_option("--drivers", o->rna.drivers, "Driver genes per branch and direction")
      .show_default();
  part.add_option("--depth", o->rna.depth, "Mean counts per cell").show_default();
  part.add_option("--dispersion", o->rna.dispersion, "Variance = mean + dispersion * mean^2")
      .show_default();
  part.add_option("--effect", o->rna.effect, "Change of a driver's log mean over its branch")
      .show_default();
  part.add_option("--batches", o->rna.batches, "Batches").show_default();
  add_common_options(part, *o, with_output | with_force | with_seed);
  run_command(part, o, run_rna);
}

void add_multimodal(CommandLine synth) {
  auto o = std::make_shared<WorldOptions>();
  CommandLine part = add_command(
      synth, "multimodal", "Images and RNA of the same kinds of cells with known driver genes",
      "cyto synth multimodal --output world/\n"
      "cyto synth multimodal --output world/ --cells 5000 --genes 1000 --images 2000\n");
  part.add_option("--cells", o->world.cells, "Cells of the counts").show_default();
  part.add_option("--genes", o->world.genes, "Genes, drivers included").show_default();
  part.add_option("--drivers", o->world.drivers, "Driver genes per branch and direction")
      .show_default();
  part.add_option("--effect", o->world.effect, "Change of a driver's log mean over its branch")
      .show_default();
  part.add_option("--images", o->world.images, "Crops of single cells, over all classes")
      .show_default();
  part.add_option("--fields", o->world.fields, "Annotated fields to train a detector on; 0: none")
      .show_default();
  part.add_option("--size", o->world.size, "Width and height of a crop in pixels").show_default();
  add_common_options(part, *o, with_output | with_force | with_seed);
  run_command(part, o, run_multimodal);
}

}  // namespace

void add_synth_command(CommandLine app) {
  CommandLine synth =
      add_command(app, "synth", "Make cells, smears and RNA counts to learn and test with",
                  "cyto synth cells --output cells/      single cells, one folder per class\n"
                  "cyto synth smears --output smears/    fields with boxes and masks\n"
                  "cyto synth rna --output cells.h5ad    counts with lineages\n"
                  "cyto synth multimodal --output world/ both, with the answer\n");
  synth.require_subcommand(1);
  add_cells(synth);
  add_smears(synth);
  add_rna(synth);
  add_multimodal(synth);
}

namespace {
const Command registered{70, add_synth_command};
}  // namespace

}  // namespace cytograd::cli
