#include <algorithm>
#include <map>

#include "cli/cell_pictures.h"
#include "cli/multimodal.h"
#include "cli/option_rules.h"
#include "cli/rna_input.h"
#include "cytograd/autograd/grad_mode.h"
#include "cytograd/io/h5ad_extend.h"
#include "cytograd/io/text.h"
#include "cytograd/multimodal/image_cells.h"
#include "cytograd/multimodal/rna_cells.h"
#include "cytograd/multimodal/run.h"
#include "cytograd/ops/shape.h"
#include "cytograd/train/stop.h"
#include "cytograd/umap/umap.h"
#include "multimodal/trajectory_parts.h"

/// @file
/// `cyto multimodal embed`: latents of cells, also of new ones.

namespace cytograd::cli {
namespace {

using namespace multimodal;

struct Options : CommonOptions {
  CommandLine command;
  std::string run, rna, images, labels, pictures, source = "X", state = "auto", label_column;
  bool umap = false;
};

// encode(rows) for all rows in turn, [cells, 50] on the host.
template <class Encode>
DenseMatrix encoded(int64_t cells, int64_t batch, Encode encode) {
  const NoGrad no_grad;
  DenseMatrix out{cells, 50, {}};
  for (int64_t at = 0; at < cells; at += batch) {
    throw_if_stopped("nothing was written");
    std::vector<int64_t> rows;
    for (int64_t i = at; i < std::min(cells, at + batch); ++i) rows.push_back(i);
    const std::vector<float> part = encode(rows).mu.to(Device::cpu()).template to_vector<float>();
    out.values.insert(out.values.end(), part.begin(), part.end());
  }
  return out;
}

AnnAdditions additions(const Options& o, const Run& run, DenseMatrix mu, const char* side) {
  AnnAdditions out;
  if (o.umap) {
    Umap umap({.seed = o.seed});
    const Tensor map = umap.fit(Tensor::from(mu.values, {mu.rows, mu.columns}));
    for (const std::string& note : umap.notes()) console().warn(note);
    out.obsm["X_cyto_umap"] = {map.size(0), map.size(1), map.to_vector<float>()};
  }
  out.obsm["X_cyto_mu"] = std::move(mu);
  out.uns["cyto_model"] = std::string("multimodal VAE, ") + side;
  out.uns["cyto_run"] = escape_control(run.path);
  out.uns["cyto_seed"] = static_cast<double>(run.seed);
  return out;
}

Column categories(const std::vector<std::string>& classes, const std::vector<int64_t>& labels) {
  Categorical out;
  for (const std::string& name : classes) out.categories.push_back(escape_control(name));
  for (const int64_t label : labels) out.codes.push_back(static_cast<int32_t>(label));
  return out;
}

// A file with the latents alone.
void write_new(const Options& o, const AnnAdditions& more, const std::vector<std::string>& names,
               const std::vector<std::string>& classes, const std::vector<int64_t>& labels) {
  AnnData out;
  const auto n = static_cast<int64_t>(names.size());
  out.X = DenseMatrix{n, 0, {}};
  for (const std::string& name : names) out.obs.names.push_back(escape_control(name));
  if (!classes.empty()) out.obs.columns = {{"cell_type", categories(classes, labels)}};
  out.obsm = more.obsm;
  out.uns = more.uns;
  write_h5ad(o.output, out);
}

int64_t embed_rna(const Options& o, const Run& run, Device device) {
  if (!run.rna) throw StateError("the run has no RNA VAE: it was trained on images alone [cli]");
  RnaCellOptions options;
  options.matrix = matrix_of(o.source);
  options.state = o.state;
  options.label_column = o.label_column;
  options.variable = std::nullopt;
  const RnaCells cells = read_rna_cells(o.rna, options, run.genes, run.scale);
  for (const std::string& note : cells.notes) console().note(note);
  const AnnAdditions more =
      additions(o, run,
                encoded(cells.size(), 512,
                        [&](const std::vector<int64_t>& rows) {
                          return run.rna->encode(cells.batch(rows).to(device));
                        }),
                "RNA");
  if (o.rna.ends_with(".h5ad"))
    extend_h5ad(o.rna, o.output, more);
  else
    write_new(o, more, cells.names, cells.classes, cells.labels);
  return cells.size();
}

// The decoded image of each cell, made as the frames of a path are: times the mean mask of the
// cells nearest to it. A cell of the run keeps its part of the split.
void add_pictures(CellPictures& pictures, const Run& run, const ImageCells& cells,
                  const DenseMatrix& mu, Device device) {
  constexpr int64_t at_once = 64;
  std::map<std::string, std::string> split;
  for (size_t i = 0; i < run.image_cells.names.size(); ++i)
    split[run.image_cells.names[i]] = run.image_cells.split[i];
  const Tensor z = Tensor::from(mu.values, {mu.rows, mu.columns});
  for (int64_t begin = 0; begin < cells.size(); begin += at_once) {
    throw_if_stopped("the pictures so far have no table");
    const int64_t end = std::min(cells.size(), begin + at_once);
    const Tensor some = slice(z, 0, begin, end).contiguous();
    const Tensor masks = nearest_masks(
        z, some, [&](const std::vector<int64_t>& rows) { return cells.batch(rows).mask; });
    const std::vector<float> mask = masks.to_vector<float>(),
                             rgb = decode_frames(run, some.to(device)).to_vector<float>();
    const int64_t height = masks.size(1), width = masks.size(2), pixels = height * width;
    for (int64_t i = begin; i < end; ++i) {
      const auto at = static_cast<size_t>(i);
      const int64_t label = cells.labels()[at], frame = i - begin;
      const auto part = split.find(cells.names()[at]);
      pictures.add(
          image_of(rgb.data() + frame * pixels * 3, mask.data() + frame * pixels, height, width),
          label < 0 ? "" : cells.classes()[static_cast<size_t>(label)],
          cells.groups().empty() ? "" : cells.groups()[at],
          part == split.end() ? "" : part->second);
    }
  }
}

int64_t embed_images(const Options& o, const Run& run, Device device) {
  if (!run.image) throw StateError("the run has no image VAE: it was trained on RNA alone [cli]");
  const ImageCells cells(o.images, {.labels = o.labels});
  run.require_detector(cells.detector(), o.images);
  CellPictures pictures(o.pictures, o.force);  // of another call are gone from here on
  for (const std::string& note : cells.notes()) console().note(note);
  DenseMatrix mu = encoded(cells.size(), 64, [&](const std::vector<int64_t>& rows) {
    return run.image->encode(cells.batch(rows).h.to(device));
  });
  if (!o.pictures.empty()) add_pictures(pictures, run, cells, mu, device);
  const AnnAdditions more = additions(o, run, std::move(mu), "image");
  write_new(o, more, cells.names(), cells.classes(), cells.labels());
  pictures.commit();
  return cells.size();
}

void run(Options& o) {
  if (o.rna.empty() == o.images.empty())
    throw ConfigError("expected one of --rna FILE and --images FILE.h5 [cli]");
  check_options(
      o.command,
      {{{"--image-labels", "--pictures"}, !o.images.empty(), "with --images"},
       {{"--expr-source", "--expr-state", "--label-column"}, !o.rna.empty(), "with --rna"},
       {{"--label-column"},
        !o.rna.ends_with(".h5ad"),
        "with other files than .h5ad, whose columns are copied"},
       {{"--seed"}, o.umap, "with --umap"}});
  if (!o.output.ends_with(".h5ad"))
    throw ConfigError("--output expects a name ending in .h5ad, got " + escape_control(o.output) +
                      " [cli]");
  require_new_file(o.output, o.force);
  catch_stop_signals();
  const Device device = device_of(o);
  const Run loaded = load_run(o.run, device);
  const int64_t cells =
      o.rna.empty() ? embed_images(o, loaded, device) : embed_rna(o, loaded, device);
  if (o.json)
    console().out("{\"cells\":" + std::to_string(cells) +
                  ",\"width\":50,\"file\":" + json_text(o.output) +
                  (o.pictures.empty() ? "" : ",\"pictures\":" + json_text(o.pictures)) + "}\n");
  std::vector<std::string> files = {o.output};
  if (!o.pictures.empty()) files.push_back(o.pictures + "/cells.csv");
  say_next(files, "scanpy.read_h5ad(" + json_text(o.output) + ").obsm[\"X_cyto_mu\"]");
}

}  // namespace

void add_multimodal_embed(CommandLine multimodal) {
  auto options = std::make_shared<Options>();
  CommandLine command = options->command =
      add_command(multimodal, "embed", "Write latents of cells of either side as h5ad",
                  "cyto multimodal embed --run runs/joint --rna new.h5ad -o new-latents.h5ad\n"
                  "cyto multimodal embed --run runs/joint --images cells.h5 -o cells.h5ad --umap\n"
                  "cyto multimodal embed --run runs/joint --images cells.h5 --pictures decoded -o "
                  "cells.h5ad\n");
  command.add_option("--run", options->run, "Run folder of `cyto multimodal train`").required();
  command.add_option("--rna", options->rna, "Single cells; of .h5ad the rest is copied");
  command.add_option("--images", options->images, "Cells of `cyto segment features` (.h5)");
  command.add_option("--image-labels", options->labels, "CSV of path and label of the images");
  command.add_option("--pictures", options->pictures,
                     "Folder for the decoded image of each cell, and cells.csv for `cyto train`");
  command.add_option("--expr-source", options->source, "X, raw or layer:NAME").show_default();
  command.add_option("--expr-state", options->state, "auto, counts, lognorm or scaled")
      .one_of({"auto", "counts", "lognorm", "scaled"})
      .show_default();
  command.add_option("--label-column", options->label_column, "Column of obs with the classes");
  command.add_flag("--umap", options->umap, "Also a map of the latents");
  add_common_options(command, *options, with_output | with_force | with_seed | with_device);
  command.get_option("--output").required();
  run_command(command, options, run);
}

}  // namespace cytograd::cli
