#include <algorithm>
#include <sstream>
#include <utility>

#include "cytograd/core/error.h"
#include "cytograd/io/text.h"
#include "cytograd/rna/cell_source.h"
#include "io/sparse_rows.h"
#include "rna/matrix.h"

namespace cytograd::rna {
namespace {

template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

std::string step_of(const HvgOptions& hvg, size_t genes) {
  return text("highly_variable_genes flavour=",
              hvg.flavour == HvgFlavour::seurat ? "seurat" : "cell_ranger",
              hvg.n_top ? text(" n_top=", *hvg.n_top)
                        : text(" min_mean=", hvg.min_mean, " max_mean=", hvg.max_mean,
                               " min_dispersion=", hvg.min_dispersion),
              " genes=", genes);
}

void check_values(const ValueSummary& values) {
  if (values.bad_cell < 0) return;
  const int64_t count = values.negative + values.not_finite;
  throw DataError(Fault{"rna.values", "",
                        text("cell ", values.bad_cell, ", gene ", values.bad_gene),
                        text("value ", format_float(values.bad_value),
                             count > 1 ? text(", the first of ", count, " such") : ""),
                        "a finite value of at least 0", ""});
}

// Logarithms of normalised counts, block by block.
class Logarithms {
 public:
  Logarithms(const CellSource& source, const PreprocessOptions& options, Preprocessed& out)
      : source_(source), counts_(!options.logarithms) {
    if (!counts_) return;
    check_options(options.normalise);
    sums_ = source.summary().cell_sums;
    std::vector<uint8_t> left_out(static_cast<size_t>(source.genes()), 0);
    if (options.normalise.exclude_above) {
      source.each([&](int64_t first, const CsrMatrix& x) {
        mark_dominant(first, x, sums_, *options.normalise.exclude_above, left_out);
      });
      source.each(
          [&](int64_t first, const CsrMatrix& x) { add_cell_sums(first, x, left_out, sums_); });
    }
    out.normalised = normalisation(sums_, left_out, options.normalise);
    target_ = out.normalised.target;
  }

  CsrMatrix of(int64_t first, CsrMatrix x) const {
    if (!counts_) return x;
    normalise_cells(first, x, sums_, target_);
    take_logarithms(x);
    return x;
  }

  template <class F>
  void each(const F& f) const {
    source_.each([&](int64_t first, const CsrMatrix& x) { f(first, of(first, x)); });
  }

 private:
  const CellSource& source_;
  bool counts_;
  std::vector<double> sums_;
  double target_ = 0;
};

VariableGenes variable_genes(const CellSource& source, const Logarithms& logarithms,
                             const HvgOptions& options) {
  check_options(options);
  MomentSums sums(source.cells(), source.genes(), options.flavour == HvgFlavour::seurat);
  logarithms.each([&](int64_t first, const CsrMatrix& x) { sums.add(first, x); });
  logarithms.each([&](int64_t first, const CsrMatrix& x) { sums.add_distances(first, x); });
  return highly_variable_genes(sums.moments(), options);
}

CsrMatrix rows_to_come(const CellSource& source, const std::vector<int64_t>& genes) {
  CsrMatrix out = io::empty_rows(source.cells(), static_cast<int64_t>(genes.size()));
  size_t stored = 0;
  for (const int64_t g : genes)
    stored += static_cast<size_t>(source.summary().cells_per_gene[static_cast<size_t>(g)]);
  out.values.reserve(stored);
  out.indices.reserve(stored);
  return out;
}

void collect(const CellSource& source, const Logarithms& logarithms, bool counts,
             Preprocessed& out) {
  out.x = rows_to_come(source, out.genes);
  if (counts) out.counts = rows_to_come(source, out.genes);
  source.each([&](int64_t first, const CsrMatrix& x) {
    CsrMatrix chosen = columns_of(logarithms.of(first, x), out.genes);
    io::append_rows(out.x, chosen);
    if (counts) io::append_rows(out.counts, columns_of(x, out.genes));
  });
}

}  // namespace

Preprocessed preprocess(const CsrMatrix& x, const PreprocessOptions& options) {
  return preprocess(MatrixCells(x), options);
}

Preprocessed preprocess(const CellSource& cells, const PreprocessOptions& options) {
  check_values(cells.summary());
  for (const int64_t g : options.genes)
    check<ValueError>(g >= 0 && g < cells.genes(), "preprocess", "genes expect 0 to ",
                      cells.genes() - 1, ", got ", g);
  Preprocessed out;
  const Logarithms logarithms(cells, options, out);
  if (options.logarithms) {
    out.steps.push_back("input: logarithms of normalised counts");
  } else {
    out.steps.push_back(text("normalise_total target=", out.normalised.target,
                             options.normalise.target ? "" : " (median)",
                             " empty_cells=", out.normalised.empty_cells,
                             " genes_left_out=", out.normalised.left_out.size()));
    out.steps.push_back("log1p base=e");
  }
  if (!options.genes.empty()) {
    out.genes = options.genes;
    out.steps.push_back(text("genes chosen beforehand genes=", out.genes.size()));
  } else if (options.variable) {
    out.variable = variable_genes(cells, logarithms, *options.variable);
    out.genes = out.variable.genes;
    out.steps.push_back(step_of(*options.variable, out.genes.size()));
  } else {
    for (int64_t g = 0; g < cells.genes(); ++g) out.genes.push_back(g);
  }
  if (out.genes.empty())
    throw DataError(Fault{"rna.values", "", "", "no gene is highly variable",
                          "genes that vary between cells, within the limits",
                          "choose a number of genes in place of limits, or keep all"});
  collect(cells, logarithms, options.keep_counts && !options.logarithms, out);
  out.scale = fit_scale(out.x, options.clip);
  out.steps.push_back(text("scale by deviation, clip=", options.clip, " low=", out.scale.low,
                           " high=", out.scale.high));
  return out;
}

}  // namespace cytograd::rna
