#include "cytograd/rna/cell_source.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <variant>

#include "cytograd/core/error.h"
#include "io/sparse_rows.h"
#include "rna/matrix.h"

namespace cytograd::rna {
namespace {

constexpr int64_t block_values = int64_t{1} << 22;

}  // namespace

void ValueSummary::add(const CsrMatrix& x) {
  for (int64_t i = 0; i < x.rows; ++i) {
    const auto begin = static_cast<size_t>(x.indptr[static_cast<size_t>(i)]),
               end = static_cast<size_t>(x.indptr[static_cast<size_t>(i + 1)]);
    double sum = 0;
    for (size_t e = begin; e < end; ++e) {
      const float v = x.values[e];
      sum += static_cast<double>(v);
      ++cells_per_gene[static_cast<size_t>(x.indices[e])];
      whole = whole && v == std::floor(v);
      if (std::isfinite(v)) {
        least = std::min(least, v);
        largest = std::max(largest, v);
      } else {
        ++not_finite;
      }
      negative += v < 0;
      if (!(v >= 0 && std::isfinite(v)) && bad_cell < 0) {
        bad_cell = static_cast<int64_t>(cell_sums.size());
        bad_gene = x.indices[e];
        bad_value = v;
      }
    }
    stored += static_cast<int64_t>(end - begin);
    empty_cells += begin == end;
    cell_sums.push_back(sum);
  }
}

ExpressionState ValueSummary::state(bool has_deviations) const {
  if (negative > 0) return ExpressionState::centred;
  if (whole) return ExpressionState::counts;
  return has_deviations && largest == 10 ? ExpressionState::scaled : ExpressionState::lognorm;
}

int64_t ValueSummary::empty_genes() const {
  return std::count(cells_per_gene.begin(), cells_per_gene.end(), 0);
}

MatrixCells::MatrixCells(const CsrMatrix& x) : x_(x), summary_(x.columns) {
  check_structure("preprocess", x);
  summary_.add(x);
}

void MatrixCells::each(const Take& take) const {
  for (int64_t first = 0; first < x_.rows;) {
    const int64_t count = io::rows_within(x_.indptr, first, block_values);
    take(first, io::rows_of(x_, first, count));
    first += count;
  }
}

FileCells::FileCells(std::string path, std::string matrix, int64_t most_kept)
    : path_(std::move(path)), matrix_(std::move(matrix)) {
  head_ = read_single_cells(path_, matrix_,
                            [&](const SingleCells& head, int64_t first, CsrMatrix rows) {
                              if (first == 0) summary_ = ValueSummary(head.x.columns);
                              summary_.add(rows);
                              if (summary_.stored > most_kept) {
                                kept_ = false;
                                blocks_.clear();
                              }
                              if (kept_) blocks_.push_back(std::move(rows));
                            });
  summary_.cells_per_gene.resize(static_cast<size_t>(head_.x.columns), 0);  // no cell at all
}

void FileCells::each(const Take& take) const {
  if (kept_) {
    int64_t first = 0;
    for (const CsrMatrix& rows : blocks_) {
      take(first, rows);
      first += rows.rows;
    }
    return;
  }
  const auto changed = [this] {
    return DataError(Fault{"change", path_, "", "other cells than when it was read before",
                           "the same file", "start again"});
  };
  ValueSummary now(head_.x.columns);
  read_single_cells(path_, matrix_, [&](const SingleCells& head, int64_t first, CsrMatrix rows) {
    if (head.x.rows != head_.x.rows || head.x.columns != head_.x.columns) throw changed();
    now.add(rows);
    const auto same = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
    if (!std::equal(now.cell_sums.begin() + first, now.cell_sums.end(),
                    summary_.cell_sums.begin() + first, same))
      throw changed();
    take(first, rows);
  });
  if (now.stored != summary_.stored) throw changed();
}

std::vector<int64_t> marked_genes(const FileCells& cells) {
  for (const auto& [name, column] : cells.head().var.columns) {
    const auto* flags = std::get_if<std::vector<bool>>(&column);
    if (name != "highly_variable" || !flags) continue;
    std::vector<int64_t> out;
    for (size_t g = 0; g < flags->size(); ++g)
      if ((*flags)[g]) out.push_back(static_cast<int64_t>(g));
    if (!out.empty()) return out;
  }
  const bool raw = cells.head().matrix.starts_with("raw/");
  throw DataError(Fault{"h5ad.form", cells.path(), raw ? "raw/var" : "var/highly_variable",
                        "no gene is marked" + std::string(raw ? " as highly_variable" : ""),
                        "true and false per gene", "see --hvg seurat"});
}

}  // namespace cytograd::rna
