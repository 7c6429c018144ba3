#include "cytograd/rna/expression.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <utility>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "rna/matrix.h"

namespace cytograd::rna {
namespace {

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// Sums of the cells, genes that are left out left out.
std::vector<double> cell_sums(const CsrMatrix& x, const std::vector<uint8_t>& left_out) {
  std::vector<double> out(static_cast<size_t>(x.rows), 0.0);
  parallel_for(x.rows, chunk_of(x.rows), [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      for (auto e = static_cast<size_t>(x.indptr[i]); e < static_cast<size_t>(x.indptr[i + 1]); ++e)
        if (!left_out[static_cast<size_t>(x.indices[e])])
          out[i] += static_cast<double>(x.values[e]);
  });
  return out;
}

// Genes with more than this share of any cell.
std::vector<uint8_t> dominant_genes(const CsrMatrix& x, double share) {
  std::vector<uint8_t> out(static_cast<size_t>(x.columns), 0);
  const std::vector<double> sums = cell_sums(x, out);
  for (size_t i = 0; i < sums.size(); ++i)
    for (auto e = static_cast<size_t>(x.indptr[i]); e < static_cast<size_t>(x.indptr[i + 1]); ++e)
      if (static_cast<double>(x.values[e]) > share * sums[i])
        out[static_cast<size_t>(x.indices[e])] = 1;
  return out;
}

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

}  // namespace

const char* name_of(ExpressionState state) {
  switch (state) {
    case ExpressionState::counts:
      return "counts";
    case ExpressionState::lognorm:
      return "lognorm";
    case ExpressionState::scaled:
      return "scaled";
    case ExpressionState::centred:
      return "centred";
  }
  throw InternalError("name_of: no such state");
}

ExpressionState state_of(const CsrMatrix& x, bool has_deviations) {
  bool whole = true;
  float largest = 0;
  for (const float v : x.values) {
    if (v < 0) return ExpressionState::centred;
    whole = whole && v == std::floor(v);
    largest = std::max(largest, v);
  }
  if (whole) return ExpressionState::counts;
  return has_deviations && largest == 10 ? ExpressionState::scaled : ExpressionState::lognorm;
}

void check_expression(const char* op, const CsrMatrix& x) {
  check<ValueError>(x.rows >= 0 && x.columns >= 0 &&
                        static_cast<int64_t>(x.indptr.size()) == x.rows + 1 &&
                        x.values.size() == x.indices.size() && x.indptr.front() == 0 &&
                        x.indptr.back() == static_cast<int64_t>(x.values.size()),
                    op, "expects rows + 1 positions from 0 to ", x.values.size(), " (values), got ",
                    x.indptr.size(), " for ", x.rows, " cells and ", x.indices.size(), " indices");
  for (int64_t i = 0; i < x.rows; ++i)
    check<ValueError>(x.indptr[static_cast<size_t>(i)] <= x.indptr[static_cast<size_t>(i + 1)], op,
                      "positions expect to rise, fall after cell ", i);
  parallel_for(x.rows, chunk_of(x.rows), [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      for (auto e = static_cast<size_t>(x.indptr[i]); e < static_cast<size_t>(x.indptr[i + 1]);
           ++e) {
        const int64_t gene = x.indices[e];
        check<ValueError>(gene >= 0 && gene < x.columns, op, "cell ", i, " expects genes 0 to ",
                          x.columns - 1, ", got ", gene);
        check<ValueError>(e == static_cast<size_t>(x.indptr[i]) || x.indices[e - 1] < gene, op,
                          "cell ", i, " expects genes that rise, got ", gene);
        if (!(x.values[e] >= 0) || std::isinf(x.values[e]))
          throw DataError({.id = "rna.values",
                           .file = {},
                           .place = text("cell ", i, ", gene ", gene),
                           .found = text("value ", x.values[e]),
                           .expected = "a finite value of at least 0",
                           .hint = {}});
      }
  });
}

Normalised normalise_total(CsrMatrix& counts, const NormaliseOptions& options) {
  constexpr const char* op = "normalise_total";
  check_expression(op, counts);
  check<ValueError>(!options.target || (*options.target > 0 && std::isfinite(*options.target)), op,
                    "target expects > 0, got ", options.target.value_or(0));
  std::vector<uint8_t> left_out(static_cast<size_t>(counts.columns), 0);
  if (options.exclude_above) {
    check<ValueError>(*options.exclude_above > 0 && *options.exclude_above < 1, op,
                      "exclude_above expects a share between 0 and 1, got ",
                      *options.exclude_above);
    left_out = dominant_genes(counts, *options.exclude_above);
  }
  const std::vector<double> sums = cell_sums(counts, left_out);
  Normalised out;
  std::vector<double> positive;
  for (const double s : sums) {
    if (s > 0)
      positive.push_back(s);
    else
      ++out.empty_cells;
  }
  out.target = options.target ? *options.target : median(positive);
  for (size_t g = 0; g < left_out.size(); ++g)
    if (left_out[g]) out.left_out.push_back(static_cast<int64_t>(g));
  parallel_for(counts.rows, chunk_of(counts.rows), [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      if (!(sums[i] > 0)) continue;
      const double factor = out.target / sums[i];
      for (auto e = static_cast<size_t>(counts.indptr[i]);
           e < static_cast<size_t>(counts.indptr[i + 1]); ++e)
        counts.values[e] = static_cast<float>(static_cast<double>(counts.values[e]) * factor);
    }
  });
  return out;
}

void log1p(CsrMatrix& x) {
  check_expression("log1p", x);
  parallel_for(static_cast<int64_t>(x.values.size()), 1 << 16, [&](int64_t begin, int64_t end) {
    for (auto e = static_cast<size_t>(begin); e < static_cast<size_t>(end); ++e)
      x.values[e] = static_cast<float>(std::log1p(static_cast<double>(x.values[e])));
  });
}

GeneMoments gene_moments(const CsrMatrix& x, bool undo_log) {
  check_expression("gene_moments", x);
  const auto value = [undo_log](double v) { return undo_log ? std::expm1(v) : v; };
  const auto cells = static_cast<double>(x.rows);
  GeneMoments out;
  out.mean = sum_by_gene(x, [&](double v, size_t) { return value(v); });
  const std::vector<double> stored = sum_by_gene(x, [](double, size_t) { return 1.0; });
  for (double& m : out.mean) m = x.rows > 0 ? m / cells : 0;
  out.variance = sum_by_gene(x, [&](double v, size_t gene) {
    const double d = value(v) - out.mean[gene];
    return d * d;
  });
  for (size_t g = 0; g < out.variance.size(); ++g) {
    const double m = out.mean[g];
    out.variance[g] =
        x.rows > 1 ? (out.variance[g] + (cells - stored[g]) * m * m) / (cells - 1) : 0;
    // A constant gene: what rounding of its mean leaves is no variance.
    if (out.variance[g] <= 1e-22 * m * m) out.variance[g] = 0;
  }
  return out;
}

CsrMatrix columns_of(const CsrMatrix& x, const std::vector<int64_t>& columns) {
  constexpr const char* op = "columns_of";
  check_expression(op, x);
  std::vector<int32_t> place(static_cast<size_t>(x.columns), -1);
  for (size_t c = 0; c < columns.size(); ++c) {
    check<ValueError>(columns[c] >= 0 && columns[c] < x.columns, op, "columns expect 0 to ",
                      x.columns - 1, ", got ", columns[c]);
    int32_t& to = place[static_cast<size_t>(columns[c])];
    check<ValueError>(to < 0, op, "column ", columns[c], " is named twice");
    to = static_cast<int32_t>(c);
  }
  CsrMatrix out;
  out.rows = x.rows;
  out.columns = static_cast<int64_t>(columns.size());
  out.indptr.push_back(0);
  std::vector<std::pair<int32_t, float>> row;
  for (size_t i = 0; i < static_cast<size_t>(x.rows); ++i) {
    row.clear();
    for (auto e = static_cast<size_t>(x.indptr[i]); e < static_cast<size_t>(x.indptr[i + 1]); ++e) {
      const int32_t to = place[static_cast<size_t>(x.indices[e])];
      if (to >= 0) row.emplace_back(to, x.values[e]);
    }
    // Positions rise within a row also where the columns were asked for in another order.
    std::stable_sort(row.begin(), row.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& entry : row) {
      out.indices.push_back(entry.first);
      out.values.push_back(entry.second);
    }
    out.indptr.push_back(static_cast<int64_t>(out.values.size()));
  }
  return out;
}

double ExpressionScale::unit(double x, int64_t gene) const {
  const double value = std::min(x / deviation[static_cast<size_t>(gene)], clip);
  return std::clamp((value - low) / (high - low), 0.0, 1.0);
}

double ExpressionScale::logarithm(double unit, int64_t gene) const {
  return (unit * (high - low) + low) * deviation[static_cast<size_t>(gene)];
}

ExpressionScale fit_scale(const CsrMatrix& x, double clip) {
  constexpr const char* op = "fit_scale";
  check<ValueError>(x.rows >= 1 && x.columns >= 1, op, "expects cells and genes, got ", x.rows,
                    " and ", x.columns);
  check<ValueError>(clip > 0 && std::isfinite(clip), op, "clip expects > 0, got ", clip);
  ExpressionScale out;
  out.clip = clip;
  out.deviation = gene_moments(x).variance;
  for (double& d : out.deviation) d = d > 0 ? std::sqrt(d) : 1;
  // What is not stored is 0.
  const bool full = static_cast<int64_t>(x.values.size()) == x.rows * x.columns;
  double low = full ? std::numeric_limits<double>::infinity() : 0, high = 0;
  for (size_t e = 0; e < x.values.size(); ++e) {
    const double value = std::min(
        static_cast<double>(x.values[e]) / out.deviation[static_cast<size_t>(x.indices[e])], clip);
    low = std::min(low, value);
    high = std::max(high, value);
  }
  out.low = low;
  out.high = high > low ? high : low + 1;
  return out;
}

std::vector<float> unit_rows(const CsrMatrix& x, const std::vector<int64_t>& rows,
                             const ExpressionScale& scale) {
  constexpr const char* op = "unit_rows";
  check<ValueError>(static_cast<int64_t>(scale.deviation.size()) == x.columns, op, "expects ",
                    scale.deviation.size(), " genes, got ", x.columns);
  for (const int64_t row : rows)
    check<ValueError>(row >= 0 && row < x.rows, op, "rows expect 0 to ", x.rows - 1, ", got ", row);
  const auto genes = static_cast<size_t>(x.columns);
  const float absent = genes > 0 ? static_cast<float>(scale.unit(0, 0)) : 0;
  std::vector<float> out(rows.size() * genes, absent);
  parallel_for(static_cast<int64_t>(rows.size()), 16, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const auto row = static_cast<size_t>(rows[i]);
      for (auto e = static_cast<size_t>(x.indptr[row]); e < static_cast<size_t>(x.indptr[row + 1]);
           ++e)
        out[i * genes + static_cast<size_t>(x.indices[e])] =
            static_cast<float>(scale.unit(static_cast<double>(x.values[e]), x.indices[e]));
    }
  });
  return out;
}

Preprocessed preprocess(CsrMatrix x, const PreprocessOptions& options) {
  Preprocessed out;
  if (options.logarithms) {
    check_expression("preprocess", x);
    out.steps.push_back("input: logarithms of normalised counts");
  } else {
    out.normalised = normalise_total(x, options.normalise);
    out.steps.push_back(text("normalise_total target=", out.normalised.target,
                             options.normalise.target ? "" : " (median)",
                             " empty_cells=", out.normalised.empty_cells,
                             " genes_left_out=", out.normalised.left_out.size()));
    log1p(x);
    out.steps.push_back("log1p base=e");
  }
  if (!options.genes.empty()) {
    out.genes = options.genes;
    out.steps.push_back(text("genes chosen beforehand genes=", out.genes.size()));
  } else if (options.variable) {
    out.variable = highly_variable_genes(x, *options.variable);
    out.genes = out.variable.genes;
    out.steps.push_back(step_of(*options.variable, out.genes.size()));
  } else {
    for (int64_t g = 0; g < x.columns; ++g) out.genes.push_back(g);
  }
  check<ValueError>(!out.genes.empty(), "preprocess",
                    "no gene is highly variable; other limits, or keep all genes");
  const bool all = options.genes.empty() && !options.variable;
  out.x = all ? std::move(x) : columns_of(x, out.genes);
  out.scale = fit_scale(out.x, options.clip);
  out.steps.push_back(text("scale by deviation, clip=", options.clip, " low=", out.scale.low,
                           " high=", out.scale.high));
  return out;
}

}  // namespace cytograd::rna
