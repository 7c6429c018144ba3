#include "cytograd/multimodal/rna_cells.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "cytograd/core/error.h"
#include "cytograd/io/hash.h"
#include "cytograd/io/text.h"
#include "cytograd/rna/cell_source.h"
#include "io/sparse_rows.h"
#include "multimodal/rna_cells_columns.h"

namespace cytograd::multimodal {
namespace {

using Texts = std::vector<std::string>;
using Rows = std::vector<int64_t>;

// Some rows of a block, rising.
CsrMatrix picked(const CsrMatrix& x, const Rows& rows) {
  CsrMatrix out = io::empty_rows(0, x.columns);
  out.indptr.assign(1, 0);
  for (const int64_t row : rows) {
    const int64_t begin = x.indptr[static_cast<size_t>(row)],
                  end = x.indptr[static_cast<size_t>(row) + 1];
    out.values.insert(out.values.end(), x.values.begin() + begin, x.values.begin() + end);
    out.indices.insert(out.indices.end(), x.indices.begin() + begin, x.indices.begin() + end);
    out.indptr.push_back(static_cast<int64_t>(out.values.size()));
  }
  out.rows = static_cast<int64_t>(rows.size());
  return out;
}

// Some cells of a file, rising.
class SomeCells final : public rna::CellSource {
 public:
  SomeCells(const rna::CellSource& all, Rows rows)
      : all_(all), rows_(std::move(rows)), summary_(all.genes()) {
    each([this](int64_t, const CsrMatrix& x) { summary_.add(x); });
  }
  int64_t cells() const override { return static_cast<int64_t>(rows_.size()); }
  int64_t genes() const override { return all_.genes(); }
  const rna::ValueSummary& summary() const override { return summary_; }
  void each(const Take& take) const override {
    size_t next = 0;
    all_.each([&](int64_t first, const CsrMatrix& x) {
      Rows inside;
      const size_t begin = next;
      for (; next < rows_.size() && rows_[next] < first + x.rows; ++next)
        inside.push_back(rows_[next] - first);
      if (!inside.empty()) take(static_cast<int64_t>(begin), picked(x, inside));
    });
  }

 private:
  const rna::CellSource& all_;
  Rows rows_;
  rna::ValueSummary summary_;
};

template <class T>
void add_array(Xxh3Stream& hash, const std::vector<T>& values) {
  const uint64_t size = values.size();
  hash.update(&size, sizeof size);
  hash.update(values.data(), values.size() * sizeof(T));
}

void add_texts(Xxh3Stream& hash, const Texts& texts) {
  const uint64_t count = texts.size();
  hash.update(&count, sizeof count);
  for (const std::string& text : texts) {
    const uint64_t size = text.size();
    hash.update(&size, sizeof size);
    hash.update(text.data(), size);
  }
}

std::string hash_of(const RnaCells& cells) {
  Xxh3Stream hash;
  for (const Texts* texts : {&cells.names, &cells.genes, &cells.classes, &cells.groups})
    add_texts(hash, *texts);
  add_array(hash, cells.labels);
  add_array(hash, cells.x.values);
  add_array(hash, cells.x.indices);
  add_array(hash, cells.x.indptr);
  if (cells.reference.defined()) add_array(hash, cells.reference.to_vector<float>());
  return hash.digest();
}

void note_empty(const SomeCells& chosen, RnaCells& cells) {
  if (const int64_t empty = chosen.summary().empty_cells; empty > 0)
    cells.notes.push_back(std::to_string(empty) + (empty == 1 ? " cell" : " cells") +
                          " without counts");
}

Rows rows_to_fit(const std::function<Rows(const RnaCells&)>& training, const RnaCells& head) {
  Rows rows = training(head);
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  check<ValueError>(!rows.empty() && rows.front() >= 0 && rows.back() < head.size(), "rna cells",
                    "training rows expect some of 0 to ", head.size() - 1);
  return rows;
}

void require_dispersion(const ExpressionInput& input, const RnaCellOptions& options,
                        const rna::FileCells& file) {
  if (input.state != "scaled" || !options.variable || options.marked) return;
  throw DataError(Fault{"rna.values", file.path(), file.head().matrix,
                        "values that were divided by the deviation of each gene",
                        "counts or logarithms of normalised counts to choose genes by",
                        "choose another matrix of the file, or keep all genes"});
}

// Column of each gene of a model in a file, -1 where it has none; none is given twice.
std::vector<int64_t> columns_by(const Texts& file, const Texts& model) {
  std::map<std::string, int64_t> exact, loose;
  for (size_t g = 0; g < file.size(); ++g) {
    exact.emplace(file[g], static_cast<int64_t>(g));
    loose.emplace(without_version(file[g]), static_cast<int64_t>(g));
  }
  std::vector<bool> taken(file.size(), false);
  std::vector<int64_t> out(model.size(), -1);
  const auto look = [&](const auto& index, const auto& name_of) {
    for (size_t g = 0; g < model.size(); ++g) {
      const auto at = out[g] < 0 ? index.find(name_of(model[g])) : index.end();
      if (at == index.end() || taken[static_cast<size_t>(at->second)]) continue;
      out[g] = at->second;
      taken[static_cast<size_t>(at->second)] = true;
    }
  };
  look(exact, [](const std::string& name) { return name; });
  look(loose, without_version);
  return out;
}

// By whichever names of the file know most genes.
std::vector<int64_t> columns_of_model(const AnnTable& var, const Texts& genes) {
  std::vector<int64_t> best(genes.size(), -1);
  const auto missing = [](const std::vector<int64_t>& c) {
    return std::count(c.begin(), c.end(), -1);
  };
  std::vector<Texts> candidates = gene_names_of(var);
  candidates.push_back(symbols_of(var));
  for (const Texts& names : candidates) {
    std::vector<int64_t> found = columns_by(names, genes);
    if (missing(found) < missing(best)) best = std::move(found);
  }
  return best;
}

void note_missing(const std::vector<int64_t>& columns, const Texts& genes, const std::string& path,
                  RnaCells& cells) {
  const auto missing = static_cast<size_t>(std::count(columns.begin(), columns.end(), -1));
  if (missing == 0) return;
  const bool too_many = missing * 10 > genes.size();
  std::string list;
  size_t named = 0;
  for (size_t g = 0; g < genes.size(); ++g)
    if (columns[g] < 0 && (!too_many || named++ < 10))
      list += (list.empty() ? "" : ", ") + genes[g];
  const std::string found = std::to_string(missing) + " of the model's " +
                            std::to_string(genes.size()) + " genes are missing: " + list;
  if (too_many)
    throw DataError(Fault{"h5ad.genes", path, "var", found + (named > 10 ? ", ..." : ""),
                          "at most a tenth of them missing", "genes are found by name"});
  cells.notes.push_back(found + "; they count 0");
}

}  // namespace

Tensor RnaCells::batch(const Rows& rows) const {
  return Tensor::from(rna::unit_rows(x, rows, scale),
                      Shape{static_cast<int64_t>(rows.size()), x.columns});
}

RnaCells read_rna_cells(const std::string& path, const RnaCellOptions& options,
                        const std::function<Rows(const RnaCells& head)>& training) {
  const rna::FileCells file(path, options.matrix);
  const ExpressionInput input = input_of(file, options);
  require_dispersion(input, options, file);
  ChosenRnaCells chosen = choose_cells(file.head(), path, options, false);
  RnaCells& out = chosen.cells;
  const Rows fitted = rows_to_fit(training, out);
  Rows fitted_of_file;
  for (const int64_t row : fitted) fitted_of_file.push_back(chosen.rows[static_cast<size_t>(row)]);
  rna::PreprocessOptions steps;
  steps.logarithms = input.state != "counts";
  steps.variable = options.marked ? std::nullopt : options.variable;
  if (options.marked) steps.genes = rna::marked_genes(file);
  rna::Preprocessed fit = rna::preprocess(SomeCells(file, fitted_of_file), steps);
  // The same steps for all, with the genes and constants of the training cells.
  steps.genes = fit.genes;
  const SomeCells all(file, chosen.rows);
  out.x = rna::preprocess(all, steps).x;
  out.scale = std::move(fit.scale);
  const Texts symbols = symbols_of(file.head().var);
  for (const int64_t g : fit.genes) out.genes.push_back(symbols[static_cast<size_t>(g)]);
  if (input.state == "scaled") fit.steps[0] = "input: divided by the deviation of each gene";
  for (const std::string& step : input.earlier) out.steps.push_back("earlier: " + step);
  out.steps.insert(out.steps.end(), fit.steps.begin(), fit.steps.end());
  out.steps.push_back("genes and scale of " + std::to_string(fitted.size()) + " of " +
                      std::to_string(out.size()) + " cells");
  out.notes.insert(out.notes.end(), fit.variable.notes.begin(), fit.variable.notes.end());
  if (std::any_of(input.earlier.begin(), input.earlier.end(),
                  [](const auto& step) { return step.starts_with("highly_variable_genes"); }))
    out.notes.push_back("cyto rna preprocess chose the genes of this file by all of its cells");
  note_empty(all, out);
  out.hash = hash_of(out);
  return std::move(chosen.cells);
}

RnaCells read_rna_cells(const std::string& path, const RnaCellOptions& options, const Texts& genes,
                        const rna::ExpressionScale& scale) {
  check<ValueError>(!genes.empty() && scale.deviation.size() == genes.size(), "rna cells",
                    "expects a deviation per gene, got ", scale.deviation.size(), " for ",
                    genes.size(), " genes");
  const rna::FileCells file(path, options.matrix);
  const ExpressionInput input = input_of(file, options);
  if (input.state == "scaled")
    throw DataError(Fault{"rna.values", path, file.head().matrix,
                          "values that were divided by the deviation of each gene",
                          "counts or logarithms of normalised counts, which the model scales", ""});
  ChosenRnaCells chosen = choose_cells(file.head(), path, options, true);
  RnaCells& out = chosen.cells;
  const std::vector<int64_t> columns = columns_of_model(file.head().var, genes);
  note_missing(columns, genes, path, out);
  rna::PreprocessOptions steps;
  steps.logarithms = input.state != "counts";
  for (const int64_t column : columns)
    if (column >= 0) steps.genes.push_back(column);
  std::sort(steps.genes.begin(), steps.genes.end());
  const SomeCells all(file, chosen.rows);
  rna::Preprocessed p = rna::preprocess(all, steps);
  std::vector<int32_t> to(p.genes.size());
  for (size_t g = 0; g < genes.size(); ++g)
    if (columns[g] >= 0) {
      const auto at = std::lower_bound(p.genes.begin(), p.genes.end(), columns[g]);
      to[static_cast<size_t>(at - p.genes.begin())] = static_cast<int32_t>(g);
    }
  out.x = io::renumbered(p.x, to, static_cast<int64_t>(genes.size()));
  out.genes = genes;
  out.scale = scale;
  p.steps.pop_back();  // the scale is the model's
  out.steps = p.steps;
  out.steps.push_back("genes and scale of the model");
  note_empty(all, out);
  out.hash = hash_of(out);
  return std::move(chosen.cells);
}

}  // namespace cytograd::multimodal
