#include "cytograd/io/single_cells.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

#include "cytograd/core/error.h"
#include "io/h5ad_child.h"
#include "io/h5ad_columns.h"
#include "io/hdf5_reader.h"
#include "io/single_cells_pipe.h"

namespace cytograd {
namespace {

using namespace io;

constexpr int64_t most_entries = std::numeric_limits<int32_t>::max();
constexpr hsize_t block_values = hsize_t{1} << 24;  // of a dense matrix at a time

std::string kind_of(const Hdf5Reader& file, const std::string& place) {
  if (!file.is_group(place)) return file.shape(place).size() == 2 ? "array" : "";
  std::string kind = file.attribute(place, "encoding-type");
  if (kind.empty()) {
    kind = file.attribute(place, "h5sparse_format");
    if (!kind.empty()) kind += "_matrix";
  }
  return kind == "csr_matrix" || kind == "csc_matrix" ? kind : "";
}

std::vector<int64_t> shape_of(const Hdf5Reader& file, const std::string& place) {
  std::vector<int64_t> shape;
  if (!file.is_group(place)) {
    for (const hsize_t n : file.shape(place)) shape.push_back(static_cast<int64_t>(n));
  } else {
    shape = file.integer_attribute(place, "shape");
    if (shape.empty()) shape = file.integer_attribute(place, "h5sparse_shape");
  }
  if (shape.size() != 2 || shape[0] < 0 || shape[1] < 0 || shape[0] > most_entries ||
      shape[1] > most_entries)
    h5ad_fault(place, "a wrong shape", "[cells, genes], each below 2^31");
  return shape;
}

CsrMatrix empty_rows(int64_t rows, int64_t columns) {
  CsrMatrix out;
  out.rows = rows;
  out.columns = columns;
  out.indptr.assign(1, 0);
  out.indptr.reserve(static_cast<size_t>(rows) + 1);
  return out;
}

CsrMatrix from_dense(const Hdf5Reader& file, const std::string& place) {
  const std::vector<int64_t> shape = shape_of(file, place);
  CsrMatrix out = empty_rows(shape[0], shape[1]);
  const auto rows = static_cast<hsize_t>(shape[0]), columns = static_cast<hsize_t>(shape[1]);
  const hsize_t block = std::max<hsize_t>(1, block_values / std::max<hsize_t>(1, columns));
  for (hsize_t first = 0; first < rows; first += block) {
    const hsize_t count = std::min(block, rows - first);
    const std::vector<float> values = file.real_rows(place, first, count);
    for (hsize_t i = 0; i < count; ++i) {
      for (hsize_t g = 0; g < columns; ++g) {
        const float v = values[i * columns + g];
        if (v == 0) continue;
        out.indices.push_back(static_cast<int32_t>(g));
        out.values.push_back(v);
      }
      out.indptr.push_back(static_cast<int64_t>(out.values.size()));
    }
  }
  return out;
}

// The three arrays of a compressed matrix, rows or columns outside.
struct Compressed {
  bool rows_first = true;
  std::vector<int64_t> shape, inner, begin;
  std::vector<float> values;
  int64_t outer() const { return shape[rows_first ? 0 : 1]; }
};

Compressed read_compressed(const Hdf5Reader& file, const std::string& place) {
  const std::string kind = kind_of(file, place);
  if (kind.empty())
    h5ad_fault(place, "encoding \"" + file.attribute(place, "encoding-type") + "\"",
               "array, csr_matrix or csc_matrix");
  Compressed m;
  m.rows_first = kind == "csr_matrix";
  m.shape = shape_of(file, place);
  m.values = file.reals(place + "/data");
  m.inner = file.integers(place + "/indices");
  m.begin = file.integers(place + "/indptr");
  const auto stored = static_cast<int64_t>(m.values.size());
  const int64_t width = m.shape[m.rows_first ? 1 : 0];
  if (m.inner.size() != m.values.size() || static_cast<int64_t>(m.begin.size()) != m.outer() + 1 ||
      m.begin.front() != 0 || m.begin.back() != stored)
    h5ad_fault(place + "/indptr", "sizes that do not fit", "0 up to " + std::to_string(stored));
  for (size_t i = 1; i < m.begin.size(); ++i)
    if (m.begin[i] < m.begin[i - 1])
      h5ad_fault(place + "/indptr", "a fall at position " + std::to_string(i), "rising values");
  for (size_t e = 0; e < m.inner.size(); ++e)
    if (m.inner[e] < 0 || m.inner[e] >= width)
      h5ad_fault(place + "/indices",
                 "value " + std::to_string(m.inner[e]) + " at position " + std::to_string(e),
                 "0 to " + std::to_string(width - 1));
  return m;
}

// Rows outside; the columns of a row rise, since columns are gone through in order.
void transpose(Compressed& m) {
  std::vector<int64_t> begin(static_cast<size_t>(m.shape[0]) + 1, 0);
  for (const int64_t row : m.inner) ++begin[static_cast<size_t>(row) + 1];
  std::partial_sum(begin.begin(), begin.end(), begin.begin());
  std::vector<int64_t> next = begin, columns(m.inner.size());
  std::vector<float> values(m.values.size());
  for (size_t column = 0; column + 1 < m.begin.size(); ++column)
    for (auto e = static_cast<size_t>(m.begin[column]);
         e < static_cast<size_t>(m.begin[column + 1]); ++e) {
      const auto to = static_cast<size_t>(next[static_cast<size_t>(m.inner[e])]++);
      columns[to] = static_cast<int64_t>(column);
      values[to] = m.values[e];
    }
  m.inner = std::move(columns);
  m.values = std::move(values);
  m.begin = std::move(begin);
  m.rows_first = true;
}

// Sorted, summed where a column repeats, without zeros.
CsrMatrix tidy(const Compressed& m, std::vector<std::string>& notes) {
  CsrMatrix out = empty_rows(m.shape[0], m.shape[1]);
  int64_t unsorted = 0, repeated = 0;
  std::vector<std::pair<int64_t, float>> row;
  for (size_t i = 0; i + 1 < m.begin.size(); ++i) {
    row.clear();
    for (auto e = static_cast<size_t>(m.begin[i]); e < static_cast<size_t>(m.begin[i + 1]); ++e)
      row.emplace_back(m.inner[e], m.values[e]);
    const auto earlier = [](const auto& a, const auto& b) { return a.first < b.first; };
    if (!std::is_sorted(row.begin(), row.end(), earlier)) {
      ++unsorted;
      std::stable_sort(row.begin(), row.end(), earlier);
    }
    for (size_t e = 0; e < row.size();) {
      const int64_t column = row[e].first;
      float sum = 0;
      for (size_t same = 0; e < row.size() && row[e].first == column; ++e, ++same) {
        sum += row[e].second;
        repeated += same > 0;
      }
      if (sum == 0) continue;
      out.indices.push_back(static_cast<int32_t>(column));
      out.values.push_back(sum);
    }
    out.indptr.push_back(static_cast<int64_t>(out.values.size()));
  }
  if (unsorted > 0) notes.push_back(std::to_string(unsorted) + " cells had unsorted genes");
  if (repeated > 0)
    notes.push_back(std::to_string(repeated) + " values of a gene met again in a cell were summed");
  return out;
}

// anndata before 0.7 has a dot in the place of the slash.
std::string with_dot(const Hdf5Reader& file, const std::string& place) {
  if (!place.starts_with("raw/") || file.has(place)) return place;
  std::string dotted = place;
  dotted[3] = '.';
  return file.has(dotted) ? dotted : place;
}

std::vector<StoredMatrix> stored_matrices(const Hdf5Reader& file) {
  std::vector<std::string> names = {"X", "raw/X"};
  for (const char* folder : {"layers", "obsm"})
    for (const std::string& name : file.children(folder))
      names.push_back(std::string(folder) + "/" + name);
  std::vector<StoredMatrix> out;
  for (const std::string& name : names) {
    const std::string place = with_dot(file, name);
    if (!file.has(place)) continue;
    StoredMatrix m{escape_control(name), kind_of(file, place), 0, 0};
    if (!m.kind.empty()) {
      const std::vector<int64_t> shape = shape_of(file, place);
      m.rows = shape[0];
      m.columns = shape[1];
    }
    out.push_back(m);
  }
  return out;
}

void read_obsm(const Hdf5Reader& file, SingleCells& out) {
  for (const std::string& name : file.children("obsm")) {
    const std::string place = "obsm/" + name;
    if (kind_of(file, place) != "array") {
      out.notes.push_back(escape_control(place) + " is left out: it is no dense matrix");
      continue;
    }
    const std::vector<int64_t> shape = shape_of(file, place);
    if (shape[0] != static_cast<int64_t>(out.obs.names.size()))
      h5ad_fault(place, std::to_string(shape[0]) + " rows",
                 std::to_string(out.obs.names.size()) + " cells");
    out.obsm[escape_control(name)] = {shape[0], shape[1], file.reals(place)};
  }
  if (file.has("obsm") && !file.is_group("obsm"))
    out.notes.push_back("obsm is left out: it is of anndata before 0.7");
}

void escape_all(std::vector<std::string>& texts) {
  for (std::string& text : texts) text = escape_control(text);
}

void escape_all(AnnTable& table) {
  escape_all(table.names);
  for (auto& [name, column] : table.columns) {
    if (auto* texts = std::get_if<std::vector<std::string>>(&column)) escape_all(*texts);
    if (auto* c = std::get_if<Categorical>(&column)) escape_all(c->categories);
  }
}

void make_unique(std::vector<std::string>& names, std::vector<std::string>& notes) {
  std::map<std::string, int64_t> count;
  std::set<std::string> taken(names.begin(), names.end());
  int64_t renamed = 0;
  for (std::string& name : names) {
    int64_t& seen = count[name];
    if (seen++ == 0) continue;
    std::string other = name + "-" + std::to_string(seen - 1);
    while (!taken.insert(other).second) other = name + "-" + std::to_string(seen++);
    name = other;
    ++renamed;
  }
  if (renamed > 0) notes.push_back(std::to_string(renamed) + " genes have the name of another");
}

void check_rows(const AnnTable& table, const std::string& place, int64_t rows) {
  const auto fits = [rows](size_t n) { return static_cast<int64_t>(n) == rows; };
  if (!fits(table.names.size()))
    h5ad_fault(place, std::to_string(table.names.size()) + " names", std::to_string(rows));
  for (const auto& entry : table.columns) {
    const size_t size = std::visit(
        [](const auto& v) {
          if constexpr (std::is_same_v<std::decay_t<decltype(v)>, Categorical>)
            return v.codes.size();
          else
            return v.size();
        },
        entry.second);
    if (!fits(size))
      h5ad_fault(place + "/" + entry.first, std::to_string(size) + " values", std::to_string(rows));
  }
}

SingleCells read_here(const std::string& path, const std::string& matrix) {
  const Hdf5Reader file(path);
  SingleCells out;
  out.stored = stored_matrices(file);
  out.matrix = !matrix.empty() ? matrix : file.has("X") ? "X" : "";
  const bool raw = out.matrix == "raw/X";
  out.obs = read_table(file, "obs", out.notes);
  out.var = read_table(file, raw ? with_dot(file, "raw/var") : "var", out.notes);
  if (!out.matrix.empty()) {
    const std::string place = with_dot(file, out.matrix);
    if (!file.has(place)) h5ad_fault(place, "nothing of this name", "a matrix", "see --matrix");
    if (file.is_group(place)) {
      Compressed m = read_compressed(file, place);
      if (!m.rows_first) transpose(m);
      out.x = tidy(m, out.notes);
    } else {
      out.x = from_dense(file, place);
    }
  }
  const int64_t cells =
                    out.matrix.empty() ? static_cast<int64_t>(out.obs.names.size()) : out.x.rows,
                genes =
                    out.matrix.empty() ? static_cast<int64_t>(out.var.names.size()) : out.x.columns;
  check_rows(out.obs, "obs", cells);
  check_rows(out.var, raw ? "raw/var" : "var", genes);
  read_obsm(file, out);
  escape_all(out.obs);
  escape_all(out.var);
  make_unique(out.var.names, out.notes);
  return out;
}

}  // namespace

SingleCells read_single_cells(const std::string& path, const std::string& matrix) {
  SingleCells out;
  read_in_child(
      path,
      [&](Sender& to) {
        const SingleCells found = read_here(path, matrix);
        to.number(1);
        send(to, found);
      },
      [&](Receiver& from) { out = receive_single_cells(from); });
  return out;
}

}  // namespace cytograd
