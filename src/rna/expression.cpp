#include "cytograd/rna/expression.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/io/text.h"
#include "rna/matrix.h"

namespace cytograd::rna {
namespace {

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
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

void check_structure(const char* op, const CsrMatrix& x) {
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
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      int64_t before = -1;
      for (auto e = static_cast<size_t>(x.indptr[i]); e < static_cast<size_t>(x.indptr[i + 1]);
           ++e) {
        const int64_t gene = x.indices[e];
        check<ValueError>(gene >= 0 && gene < x.columns, op, "cell ", i, " expects genes 0 to ",
                          x.columns - 1, ", got ", gene);
        check<ValueError>(before < gene, op, "cell ", i, " expects genes that rise, got ", gene);
        before = gene;
      }
    }
  });
}

void check_expression(const char* op, const CsrMatrix& x) {
  check_structure(op, x);
  parallel_for(x.rows, chunk_of(x.rows), [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      for (auto e = static_cast<size_t>(x.indptr[i]); e < static_cast<size_t>(x.indptr[i + 1]); ++e)
        if (!(x.values[e] >= 0) || std::isinf(x.values[e]))
          throw DataError(
              {.id = "rna.values",
               .file = {},
               .place = "cell " + std::to_string(i) + ", gene " + std::to_string(x.indices[e]),
               .found = "value " + format_float(x.values[e]),
               .expected = "a finite value of at least 0",
               .hint = {}});
  });
}

void add_cell_sums(int64_t first, const CsrMatrix& x, const std::vector<uint8_t>& left_out,
                   std::vector<double>& sums) {
  parallel_for(x.rows, chunk_of(x.rows), [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      double sum = 0;
      for (auto e = static_cast<size_t>(x.indptr[i]); e < static_cast<size_t>(x.indptr[i + 1]); ++e)
        if (!left_out[static_cast<size_t>(x.indices[e])]) sum += static_cast<double>(x.values[e]);
      sums[static_cast<size_t>(first) + i] = sum;
    }
  });
}

void mark_dominant(int64_t first, const CsrMatrix& x, const std::vector<double>& sums, double share,
                   std::vector<uint8_t>& dominant) {
  for (size_t i = 0; i < static_cast<size_t>(x.rows); ++i)
    for (auto e = static_cast<size_t>(x.indptr[i]); e < static_cast<size_t>(x.indptr[i + 1]); ++e)
      if (static_cast<double>(x.values[e]) > share * sums[static_cast<size_t>(first) + i])
        dominant[static_cast<size_t>(x.indices[e])] = 1;
}

void check_options(const NormaliseOptions& options) {
  constexpr const char* op = "normalise_total";
  check<ValueError>(!options.target || (*options.target > 0 && std::isfinite(*options.target)), op,
                    "target expects > 0, got ", options.target.value_or(0));
  if (options.exclude_above)
    check<ValueError>(*options.exclude_above > 0 && *options.exclude_above < 1, op,
                      "exclude_above expects a share between 0 and 1, got ",
                      *options.exclude_above);
}

Normalised normalisation(const std::vector<double>& sums, const std::vector<uint8_t>& left_out,
                         const NormaliseOptions& options) {
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
  return out;
}

void normalise_cells(int64_t first, CsrMatrix& x, const std::vector<double>& sums, double target) {
  parallel_for(x.rows, chunk_of(x.rows), [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const double sum = sums[static_cast<size_t>(first) + i];
      if (!(sum > 0)) continue;
      const double factor = target / sum;
      for (auto e = static_cast<size_t>(x.indptr[i]); e < static_cast<size_t>(x.indptr[i + 1]); ++e)
        x.values[e] = static_cast<float>(static_cast<double>(x.values[e]) * factor);
    }
  });
}

Normalised normalise_total(CsrMatrix& counts, const NormaliseOptions& options) {
  check_expression("normalise_total", counts);
  check_options(options);
  std::vector<uint8_t> left_out(static_cast<size_t>(counts.columns), 0);
  std::vector<double> sums(static_cast<size_t>(counts.rows), 0.0);
  add_cell_sums(0, counts, left_out, sums);
  if (options.exclude_above) {
    mark_dominant(0, counts, sums, *options.exclude_above, left_out);
    add_cell_sums(0, counts, left_out, sums);
  }
  const Normalised out = normalisation(sums, left_out, options);
  normalise_cells(0, counts, sums, out.target);
  return out;
}

void take_logarithms(CsrMatrix& x) {
  parallel_for(static_cast<int64_t>(x.values.size()), 1 << 16, [&](int64_t begin, int64_t end) {
    for (auto e = static_cast<size_t>(begin); e < static_cast<size_t>(end); ++e)
      x.values[e] = static_cast<float>(std::log1p(static_cast<double>(x.values[e])));
  });
}

void log1p(CsrMatrix& x) {
  check_expression("log1p", x);
  take_logarithms(x);
}

MomentSums::MomentSums(int64_t cells, int64_t genes, bool undo_log)
    : cells_(cells),
      undo_log_(undo_log),
      sums_(cells, genes),
      stored_(cells, genes),
      squares_(cells, genes) {}

double MomentSums::value(double v) const { return undo_log_ ? std::expm1(v) : v; }

void MomentSums::add(int64_t first, const CsrMatrix& x) {
  sums_.add(first, x, [this](double v, size_t) { return value(v); });
  stored_.add(first, x, [](double, size_t) { return 1.0; });
}

void MomentSums::add_distances(int64_t first, const CsrMatrix& x) {
  if (mean_.empty()) {
    mean_ = sums_.total();
    for (double& m : mean_) m = cells_ > 0 ? m / static_cast<double>(cells_) : 0;
  }
  squares_.add(first, x, [this](double v, size_t gene) {
    const double d = value(v) - mean_[gene];
    return d * d;
  });
}

GeneMoments MomentSums::moments() const {
  const auto cells = static_cast<double>(cells_);
  const std::vector<double> stored = stored_.total();
  GeneMoments out{mean_, squares_.total()};
  out.mean.resize(stored.size(), 0.0);  // no cell at all
  for (size_t g = 0; g < out.variance.size(); ++g) {
    const double m = out.mean[g];
    out.variance[g] =
        cells_ > 1 ? (out.variance[g] + (cells - stored[g]) * m * m) / (cells - 1) : 0;
    // A constant gene: what rounding of its mean leaves is no variance.
    if (out.variance[g] <= 1e-22 * m * m) out.variance[g] = 0;
  }
  return out;
}

GeneMoments gene_moments(const CsrMatrix& x, bool undo_log) {
  check_expression("gene_moments", x);
  MomentSums sums(x.rows, x.columns, undo_log);
  sums.add(0, x);
  sums.add_distances(0, x);
  return sums.moments();
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

}  // namespace cytograd::rna
