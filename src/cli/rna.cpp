#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/common.h"
#include "cli/option_rules.h"
#include "cli/rna_input.h"
#include "cli/rna_summary.h"
#include "cytograd/io/text.h"
#include "cytograd/rna/cell_source.h"

/// @file
/// `cyto rna`: what is in files of single cells, and from counts to what a network is trained on.

namespace cytograd::cli {
namespace {

constexpr const char* cells_text =
    ".h5ad, 10x .h5, MatrixMarket (.mtx or its folder), table of counts, or folder of samples";

struct InspectOptions : CommonOptions {
  std::string file, source;
};

struct PreprocessCommand : CommonOptions {
  CommandLine command;
  std::string file, source = "X", state = "auto", target = "10000", hvg = "seurat";
  int64_t n_top = 2432;
  double exclude_above = 0, clip = 10;
  bool exact = false, as_is = false;
};

void inspect(InspectOptions& o) {
  const rna::FileCells cells(o.file, matrix_of(o.source), 0);
  console().out(o.json ? summary_json(cells).dump(2) + "\n" : summary_text(cells));
  for (const std::string& note : cells.head().notes) console().note(note);
}

bool has_deviations(const AnnTable& var) {
  return std::any_of(var.columns.begin(), var.columns.end(),
                     [](const auto& column) { return column.first == "std"; });
}

// A value that no count or logarithm of one can be, by the names of its cell and gene.
[[noreturn]] void refuse_value(const rna::FileCells& cells) {
  const rna::ValueSummary& values = cells.summary();
  const SingleCells& head = cells.head();
  const std::string found = "value " + format_float(values.bad_value);
  const std::string negative = std::to_string(values.negative) +
                               " negative values: the mean of each gene was taken off, or these "
                               "are no counts";
  const std::string not_finite = std::to_string(values.not_finite) + " that are not finite";
  throw DataError(
      Fault{"rna.values", cells.path(),
            head.matrix + ", cell " + head.obs.names[static_cast<size_t>(values.bad_cell)] +
                ", gene " + head.var.names[static_cast<size_t>(values.bad_gene)],
            found + ", the first of " + (values.negative > 0 ? negative : not_finite),
            "counts, or logarithms of normalised counts", "see --expr-source raw, layer:NAME"});
}

// "counts", "lognorm" or "scaled". @throws DataError for what cannot be a start
std::string state_of(const PreprocessCommand& o, const rna::FileCells& cells) {
  const std::string& matrix = cells.head().matrix;
  if (matrix.empty())
    throw DataError(Fault{"h5ad.form", o.file, "", "no X", "a matrix of counts or logarithms",
                          "see --expr-source"});
  if (cells.summary().bad_cell >= 0) refuse_value(cells);
  const rna::ExpressionState found = cells.summary().state(has_deviations(cells.head().var));
  const std::string state = o.state == "auto" ? rna::name_of(found) : o.state;
  // Divided by their deviation all genes disperse alike.
  if (state == "scaled" && o.hvg != "from-var" && o.hvg != "none")
    throw DataError(Fault{"rna.values", o.file, matrix,
                          "values that were divided by the deviation of each gene",
                          "counts or logarithms of normalised counts to choose genes by",
                          "see --expr-source raw, layer:NAME, or --hvg from-var"});
  return state;
}

rna::PreprocessOptions options_of(const PreprocessCommand& o, const rna::FileCells& cells,
                                  const std::string& state) {
  rna::PreprocessOptions out;
  out.logarithms = state != "counts";
  out.clip = o.clip;
  out.keep_counts = true;
  const auto target = parse_double(o.target);
  if (o.target != "median" && !target)
    throw ConfigError("--target expects a number or median, got " + escape_control(o.target) +
                      " [cli]");
  out.normalise.target = target;
  if (o.exclude_above > 0) out.normalise.exclude_above = o.exclude_above;
  if (o.hvg == "none") {
    out.variable = std::nullopt;
  } else if (o.hvg == "from-var") {
    out.genes = rna::marked_genes(cells);
  } else {
    out.variable = rna::HvgOptions{.flavour = rna::hvg_flavour(o.hvg), .exact = o.exact};
    out.variable->n_top = o.n_top > 0 ? std::optional(o.n_top) : std::nullopt;
  }
  return out;
}

template <class T>
std::vector<T> chosen(const std::vector<T>& values, const std::vector<int64_t>& rows) {
  std::vector<T> out;
  for (const int64_t row : rows) out.push_back(values[static_cast<size_t>(row)]);
  return out;
}

Column chosen(const Column& column, const std::vector<int64_t>& rows) {
  return std::visit(
      [&rows](const auto& values) -> Column {
        if constexpr (std::is_same_v<std::decay_t<decltype(values)>, Categorical>)
          return Categorical{chosen(values.codes, rows), values.categories, values.ordered};
        else
          return chosen(values, rows);
      },
      column);
}

// Genes that are kept, with what was found of them, in the names that scanpy uses.
AnnTable gene_table(const AnnTable& var, const rna::Preprocessed& p) {
  AnnTable out{chosen(var.names, p.genes), {}};
  std::vector<std::pair<std::string, Column>> found = {{"std", p.scale.deviation}};
  if (!p.variable.mean.empty()) {
    found.emplace_back("means", chosen(p.variable.mean, p.genes));
    found.emplace_back("dispersions", chosen(p.variable.dispersion, p.genes));
    found.emplace_back("dispersions_norm", chosen(p.variable.normalised, p.genes));
    found.emplace_back("highly_variable", std::vector<bool>(p.genes.size(), true));
  }
  for (const auto& [name, column] : var.columns) {
    const bool replaced = std::any_of(found.begin(), found.end(),
                                      [&name = name](const auto& f) { return f.first == name; });
    if (!replaced) out.columns.emplace_back(name, chosen(column, p.genes));
  }
  out.columns.insert(out.columns.end(), found.begin(), found.end());
  return out;
}

// The logarithms brought to [0, 1]: zeros stay zeros, or all values are stored.
CsrMatrix in_unit(const rna::Preprocessed& p) {
  CsrMatrix out = p.x;
  for (size_t e = 0; e < out.values.size(); ++e)
    out.values[e] =
        static_cast<float>(p.scale.unit(static_cast<double>(out.values[e]), out.indices[e]));
  return out;
}

AnnData result(const SingleCells& cells, rna::Preprocessed& p, bool counts) {
  AnnData out;
  out.obs = cells.obs;
  out.var = gene_table(cells.var, p);
  out.obsm = cells.obsm;
  if (counts) out.layers["counts"] = std::move(p.counts);
  out.layers["unit"] = in_unit(p);
  out.X = std::move(p.x);
  out.uns = {{"cyto_steps", p.steps},
             {"cyto_source", cells.matrix},
             {"cyto_low", p.scale.low},
             {"cyto_high", p.scale.high},
             {"cyto_clip", p.scale.clip}};
  return out;
}

// What was done, to the terminal or as JSON.
struct Report {
  int64_t cells = 0, genes = 0, kept = 0;
  std::vector<std::string> steps, notes;
};

void say(const PreprocessCommand& o, const Report& r) {
  for (const std::string& note : r.notes) console().note(note);
  if (o.json) {
    const nlohmann::ordered_json json = {{"cells", r.cells}, {"genes", r.genes},
                                         {"kept", r.kept},   {"steps", r.steps},
                                         {"notes", r.notes}, {"file", escape_control(o.output)}};
    console().out(json.dump(2) + "\n");
  } else {
    for (const std::string& step : r.steps) console().out(step + "\n");
  }
  say_next({o.output}, "cyto rna inspect " + shell_word(o.output));
}

// Another format, the same values.
void write_as_is(const PreprocessCommand& o) {
  SingleCells cells = read_single_cells(o.file, matrix_of(o.source));
  if (cells.matrix.empty())
    throw DataError(Fault{"h5ad.form", o.file, "", "no X", "a matrix", "see --expr-source"});
  AnnData out;
  out.X = std::move(cells.x);
  out.obs = std::move(cells.obs);
  out.var = std::move(cells.var);
  out.obsm = std::move(cells.obsm);
  const std::vector<std::string> steps = {"values as they are"};
  out.uns = {{"cyto_steps", steps}, {"cyto_source", cells.matrix}};
  write_h5ad(o.output, out);
  const auto count = [](const AnnTable& t) { return static_cast<int64_t>(t.names.size()); };
  say(o, {count(out.obs), count(out.var), count(out.var), steps, cells.notes});
}

void check_given(const PreprocessCommand& o) {
  const bool dispersion = o.hvg == "seurat" || o.hvg == "cell_ranger";
  check_options(o.command, {{{"--expr-state", "--target", "--exclude-above", "--hvg", "--n-top",
                              "--hvg-exact", "--clip"},
                             !o.as_is,
                             "without --as-is, which leaves values as they are"},
                            {{"--n-top", "--hvg-exact"},
                             dispersion,
                             "with --hvg seurat or cell_ranger, got --hvg " + o.hvg},
                            {{"--hvg-exact"}, o.n_top > 0, "with --n-top of 1 or more"}});
}

void preprocess(PreprocessCommand& o) {
  check_given(o);
  if (!o.output.ends_with(".h5ad"))
    throw ConfigError("--output expects a name ending in .h5ad, got " + escape_control(o.output) +
                      " [cli]");
  require_new_file(o.output, o.force);
  if (o.as_is) {
    write_as_is(o);
    return;
  }
  const rna::FileCells cells(o.file, matrix_of(o.source));
  const std::string state = state_of(o, cells);
  check_options(o.command, {{{"--target", "--exclude-above"},
                             state == "counts",
                             "with counts; " + escape_control(o.file) + ": " + cells.head().matrix +
                                 " is normalised already (" + state + ", see --expr-state)"}});
  const rna::PreprocessOptions options = options_of(o, cells, state);
  rna::Preprocessed p = in_file(o.file, [&] { return rna::preprocess(cells, options); });
  if (state == "scaled") p.steps[0] = "input: divided by the deviation of each gene";
  Report report{cells.cells(), cells.genes(), static_cast<int64_t>(p.genes.size()), p.steps,
                cells.head().notes};
  report.notes.insert(report.notes.end(), p.variable.notes.begin(), p.variable.notes.end());
  if (p.normalised.empty_cells > 0)
    report.notes.push_back(count_text(p.normalised.empty_cells, "cell") + " without counts");
  write_h5ad(o.output, result(cells.head(), p, !options.logarithms));
  say(o, report);
}

void add_preprocess(CommandLine rna) {
  auto o = std::make_shared<PreprocessCommand>();
  CommandLine part = add_command(
      rna, "preprocess", "Normalise, take logarithms, choose genes, scale",
      "cyto rna preprocess cells.h5ad -o ready.h5ad --n-top 2432\n"
      "cyto rna preprocess atlas.h5ad -o ready.h5ad --expr-source raw --hvg cell_ranger\n"
      "cyto rna preprocess GSE116256_RAW -o ready.h5ad\n");
  part.add_option("file", o->file, cells_text).required();
  part.add_option("--expr-source", o->source, "Matrix: X, raw or layer:NAME").show_default();
  part.add_option("--expr-state", o->state, "What it holds: auto, counts, lognorm or scaled")
      .one_of({"auto", "counts", "lognorm", "scaled"})
      .show_default();
  part.add_option("--target", o->target, "Sum of a cell afterwards, or median").show_default();
  part.add_option("--exclude-above", o->exclude_above,
                  "Leave genes with more than this share of a cell out of the sums; 0: none")
      .range(0.0, 1.0)
      .show_default();
  part.add_option("--hvg", o->hvg, "Genes: seurat, cell_ranger, from-var (as marked) or none (all)")
      .one_of({"seurat", "cell_ranger", "from-var", "none"})
      .show_default();
  part.add_option("--n-top", o->n_top, "How many genes; 0: by limits of mean and dispersion")
      .non_negative()
      .show_default();
  part.add_flag("--hvg-exact", o->exact, "Exactly --n-top: of genes that tie the first ones");
  part.add_flag("--as-is", o->as_is, "No step: cells and values in the format of .h5ad");
  part.add_option("--clip", o->clip, "Largest scaled value").positive().show_default();
  add_common_options(part, *o, with_output | with_force);
  part.get_option("--output").required();
  o->command = part;
  run_command(part, o, preprocess);
}

void add_rna_command(CommandLine app) {
  CommandLine rna = add_command(app, "rna", "Look into files of single cells and prepare them",
                                "cyto rna inspect cells.h5ad\n"
                                "cyto rna preprocess cells.h5ad -o ready.h5ad\n");
  rna.require_subcommand(1);
  auto o = std::make_shared<InspectOptions>();
  CommandLine part = add_command(rna, "inspect", "Cells, genes, columns, matrices, state of values",
                                 "cyto rna inspect cells.h5ad --json\n"
                                 "cyto rna inspect filtered_feature_bc_matrix\n");
  part.add_option("file", o->file, cells_text).required();
  part.add_option("--expr-source", o->source, "Matrix to look into: X, raw or layer:NAME");
  add_common_options(part, *o, with_nothing);
  run_command(part, o, inspect);
  add_preprocess(rna);
}

const Command registered{47, add_rna_command};

}  // namespace
}  // namespace cytograd::cli
