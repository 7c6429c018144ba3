#include "cytograd/umap/umap.h"

#include <cmath>
#include <filesystem>
#include <map>
#include <optional>

#include "cli/common.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/io/h5ad_table.h"
#include "cytograd/io/text.h"
#include "cytograd/train/scatter.h"
#include "cytograd/umap/quality.h"

namespace cytograd::cli {
namespace {

struct Options : CommonOptions {
  std::string input, matrix = "X", columns, labels, init, start = "spectral", model, transform;
  std::string picture, order = "synchronous";
  int64_t quality = 0;
  UmapOptions umap;
};

// Numbers of a CSV file: the columns that begin with `prefix`, or all whose first value is a
// number.
CellTable read_csv_table(const std::string& path, const std::string& prefix,
                         const std::string& labels) {
  const CsvTable csv = read_csv(path);
  if (csv.rows() == 0)
    throw DataError(Fault{"csv.absent", path, "", "no rows", "one row per point", ""});
  std::optional<size_t> label, name;
  if (!labels.empty()) label = csv.column(labels);
  std::vector<size_t> numbers;
  for (size_t c = 0; c < csv.columns(); ++c) {
    if (label == c) continue;
    const bool number = parse_double(trim(csv.at(0, c))).has_value();
    const bool wanted = csv.header()[c].starts_with(prefix);
    if (wanted && (number || !prefix.empty()))
      numbers.push_back(c);
    else if (!number && !name)
      name = c;
  }
  if (numbers.empty())
    throw DataError(Fault{"csv.form", path, "line 1", "no column of numbers",
                          prefix.empty() ? "at least one" : "names that begin with " + prefix,
                          "see --columns"});
  CellTable out;
  out.values.rows = static_cast<int64_t>(csv.rows());
  out.values.columns = static_cast<int64_t>(numbers.size());
  if (label) out.labels.emplace();
  std::map<std::string, int32_t> codes;
  for (size_t r = 0; r < csv.rows(); ++r) {
    for (const size_t c : numbers)
      out.values.values.push_back(static_cast<float>(csv.number(r, c)));
    out.names.push_back(name ? escape_control(std::string(csv.at(r, *name))) : std::to_string(r));
    if (!label) continue;
    const auto text = csv.value(r, *label);
    if (!text) {
      out.labels->codes.push_back(-1);
      continue;
    }
    const auto [at, added] =
        codes.try_emplace(escape_control(std::string(*text)), static_cast<int32_t>(codes.size()));
    if (added) out.labels->categories.push_back(at->first);
    out.labels->codes.push_back(at->second);
  }
  return out;
}

bool is_h5ad(const std::string& path) { return path.ends_with(".h5ad"); }

CellTable read_table(const Options& o) {
  return is_h5ad(o.input) ? read_h5ad_table(o.input, o.matrix, o.labels)
                          : read_csv_table(o.input, o.columns, o.labels);
}

Tensor tensor(const DenseMatrix& m) { return Tensor::from(m.values, {m.rows, m.columns}); }

Umap fit(const Options& o, const CellTable& table) {
  UmapOptions options = o.umap;
  options.seed = o.seed;
  options.init = o.start == "pca"      ? UmapInit::pca
                 : o.start == "random" ? UmapInit::random
                                       : UmapInit::spectral;
  options.order = o.order == "sequential" ? umap::Order::sequential : umap::Order::synchronous;
  Umap umap(options);
  Tensor labels, init;
  if (table.labels)
    labels =
        Tensor::from(std::vector<int64_t>(table.labels->codes.begin(), table.labels->codes.end()));
  if (!o.init.empty()) init = tensor(read_csv_table(o.init, "", "").values);
  umap.fit(tensor(table.values), labels, init);
  for (const std::string& note : umap.notes()) console().warn(note);
  return umap;
}

void write_map(const Options& o, const CellTable& table, const DenseMatrix& map) {
  const std::string label = o.labels.empty() ? "label" : o.labels;
  if (is_h5ad(o.output)) {
    AnnData out;
    out.X = DenseMatrix{map.rows, 0, {}};
    out.obs.names = table.names;
    if (table.labels) out.obs.columns = {{label, *table.labels}};
    out.obsm["X_umap"] = map;
    write_h5ad(o.output, out);
    return;
  }
  std::vector<std::string> row = {"name"};
  if (table.labels) row.push_back(label);
  for (int64_t d = 0; d < map.columns; ++d) row.push_back("umap" + std::to_string(d + 1));
  CsvWriter csv(o.output, row);
  for (int64_t i = 0; i < map.rows; ++i) {
    row = {table.names[static_cast<size_t>(i)]};
    if (table.labels) {
      const int32_t code = table.labels->codes[static_cast<size_t>(i)];
      row.push_back(code < 0 ? "" : table.labels->categories[static_cast<size_t>(code)]);
    }
    for (int64_t d = 0; d < map.columns; ++d)
      row.push_back(format_float(map.values[static_cast<size_t>(i * map.columns + d)]));
    csv.row(row);
  }
  csv.commit();
}

std::string measure(const Options& o, const CellTable& table, const DenseMatrix& map) {
  const umap::Points data{table.values.values.data(), table.values.rows, table.values.columns};
  const umap::Points places{map.values.data(), map.rows, map.columns};
  for (const float v : map.values)
    if (!std::isfinite(v)) throw ConfigError("--quality expects a place for every row [cli]");
  return "\"trustworthiness\":" + format_fixed(umap::trustworthiness(data, places, o.quality), 4) +
         ",\"continuity\":" + format_fixed(umap::continuity(data, places, o.quality), 4);
}

void run(Options& o) {
  if (!is_h5ad(o.output) && !o.output.ends_with(".csv"))
    throw ConfigError("--output expects a name ending in .h5ad or .csv, got " +
                      escape_control(o.output) + " [cli]");
  if (!o.transform.empty() && (!o.init.empty() || !o.model.empty()))
    throw ConfigError("--transform expects neither --init nor --model [cli]");
  std::vector<std::string> written = {o.output};
  for (const std::string& path : {o.model, o.picture})
    if (!path.empty()) written.push_back(path);
  for (const std::string& path : written) require_new_file(path, o.force);
  const CellTable table = read_table(o);
  const Umap umap = o.transform.empty() ? fit(o, table) : Umap::load(o.transform);
  const Tensor places =
      o.transform.empty() ? umap.embedding() : umap.transform(tensor(table.values));
  if (!o.picture.empty() && places.size(1) != 2)
    throw ConfigError("--picture expects 2 components [cli]");
  const DenseMatrix map{places.size(0), places.size(1), places.to_vector<float>()};
  const std::string quality = o.quality > 0 ? measure(o, table, map) : "";
  write_map(o, table, map);
  if (!o.model.empty()) umap.save(o.model);
  if (!o.picture.empty())
    write_file_atomically(
        o.picture,
        scatter_svg(std::filesystem::path(o.input).filename().string(), map.values,
                    table.labels ? table.labels->codes : std::vector<int32_t>(),
                    table.labels ? table.labels->categories : std::vector<std::string>()));
  if (o.json)
    console().out("{\"rows\":" + std::to_string(map.rows) + ",\"columns\":" +
                  std::to_string(table.values.columns) + ",\"file\":" + json_text(o.output) +
                  (quality.empty() ? "" : "," + quality) + "}\n");
  else if (!quality.empty())
    console().out(quality + "\n");
  say_next(written, is_h5ad(o.output)
                        ? "scanpy.read_h5ad(" + json_text(o.output) + ").obsm[\"X_umap\"]"
                        : "");
}

void add_umap_options(CommandLine command, Options& o) {
  UmapOptions& u = o.umap;
  command.add_option("--neighbors", u.neighbors, "Points of a neighbourhood, itself included")
      .show_default();
  command.add_option("--components", u.components, "Coordinates of the map").show_default();
  command.add_option("--min-dist", u.min_dist, "Distance of close points on the map")
      .show_default();
  command.add_option("--spread", u.spread, "Scale of the map").show_default();
  command.add_option("--epochs", u.epochs, "Epochs; 0: 500 up to 10,000 rows, else 200")
      .show_default();
  command.add_option("--learning-rate", u.learning_rate, "Step length").show_default();
  command.add_option("--negative-rate", u.negative_rate, "Random points per attraction")
      .show_default();
  command.add_option("--target-weight", u.target_weight, "Weight of the labels, 0 to 1")
      .show_default();
  command
      .add_option("--exact-limit", u.exact_limit, "Beyond so many rows neighbours are approximate")
      .show_default();
  command.add_option("--start", o.start, "First positions: spectral, pca or random")
      .one_of({"spectral", "pca", "random"})
      .show_default();
  command.add_option("--order", o.order, "synchronous (fast) or sequential (as published)")
      .one_of({"synchronous", "sequential"})
      .show_default();
}

void add_umap_command(CommandLine app) {
  auto options = std::make_shared<Options>();
  CommandLine command =
      add_command(app, "umap", "Lay tables of features out on a map",
                  "cyto umap cells.h5ad -o map.h5ad --labels celltype --picture map.svg\n"
                  "cyto umap embeddings.csv --columns e -o map.csv --model cells.umap\n"
                  "cyto umap new.csv --columns e -o new-map.csv --transform cells.umap\n");
  command.add_option("input", options->input, ".h5ad or .csv file").required();
  command.add_option("--matrix", options->matrix, "In .h5ad: X, obsm/NAME or layers/NAME")
      .show_default();
  command.add_option("--columns", options->columns, "In .csv: columns whose names begin so");
  command.add_option("--labels", options->labels, "Column of classes that guide the map");
  command.add_option("--init", options->init, "CSV of first positions, one row per point");
  command.add_option("--model", options->model, "Also save the map for --transform here");
  command.add_option("--transform", options->transform, "Place the rows on this saved map");
  command.add_option("--picture", options->picture, "Also draw the map here (.svg)");
  command.add_option("--quality", options->quality,
                     "Print trustworthiness and continuity of so many neighbours");
  add_umap_options(command, *options);
  add_common_options(command, *options, with_output | with_force | with_seed);
  command.get_option("--output").required();
  run_command(command, options, run);
}

const Command registered{45, add_umap_command};

}  // namespace
}  // namespace cytograd::cli
