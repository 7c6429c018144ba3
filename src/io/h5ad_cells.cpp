#include <algorithm>
#include <numeric>
#include <utility>

#include "cytograd/core/error.h"
#include "io/cell_file.h"
#include "io/h5ad_columns.h"

namespace cytograd::io {
namespace {

using Shape = std::vector<int64_t>;

std::string kind_of(const Hdf5Reader& file, const std::string& place) {
  if (!file.is_group(place)) return file.shape(place).size() == 2 ? "array" : "";
  std::string kind = file.attribute(place, "encoding-type");
  if (kind.empty()) {
    kind = file.attribute(place, "h5sparse_format");
    if (!kind.empty()) kind += "_matrix";
  }
  return kind == "csr_matrix" || kind == "csc_matrix" ? kind : "";
}

Shape shape_of(const Hdf5Reader& file, const std::string& place) {
  Shape shape;
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

void give_dense(const Hdf5Reader& file, const std::string& place, const Shape& shape,
                const GiveRows& give) {
  const int64_t columns = shape[1];
  const int64_t block = std::max<int64_t>(1, 4 * block_values / std::max<int64_t>(1, columns));
  for (int64_t first = 0; first < shape[0]; first += block) {
    const int64_t count = std::min(block, shape[0] - first);
    const std::vector<float> values =
        file.real_rows(place, static_cast<hsize_t>(first), static_cast<hsize_t>(count));
    CsrMatrix out = empty_rows(count, columns);
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t g = 0; g < columns; ++g) {
        const float v = values[static_cast<size_t>(i * columns + g)];
        if (v == 0) continue;
        out.indices.push_back(static_cast<int32_t>(g));
        out.values.push_back(v);
      }
      out.indptr.push_back(static_cast<int64_t>(out.values.size()));
    }
    give(out);
  }
}

// Where the rows, or the columns, of a compressed matrix begin.
std::vector<int64_t> read_begins(const Hdf5Reader& file, const std::string& place, int64_t outer) {
  const std::string at = place + "/indptr";
  const std::vector<int64_t> begin = file.integers(at);
  const auto stored = static_cast<int64_t>(file.length(place + "/data"));
  if (static_cast<int64_t>(begin.size()) != outer + 1 || begin.front() != 0 ||
      begin.back() != stored || static_cast<int64_t>(file.length(place + "/indices")) != stored)
    h5ad_fault(at, "sizes that do not fit", "0 up to " + std::to_string(stored));
  for (size_t i = 1; i < begin.size(); ++i)
    if (begin[i] < begin[i - 1])
      h5ad_fault(at, "a fall at position " + std::to_string(i), "rising values");
  return begin;
}

// Entries first .. first + count - 1 of indices, each below `width`.
std::vector<int64_t> read_inner(const Hdf5Reader& file, const std::string& place, int64_t first,
                                int64_t count, int64_t width) {
  const std::string at = place + "/indices";
  std::vector<int64_t> out = file.integers(at, first, count);
  for (size_t e = 0; e < out.size(); ++e)
    if (out[e] < 0 || out[e] >= width)
      h5ad_fault(at,
                 "value " + std::to_string(out[e]) + " at position " +
                     std::to_string(first + static_cast<int64_t>(e)),
                 "0 to " + std::to_string(width - 1));
  return out;
}

// All of a matrix whose columns are outside: its rows are known only at the end.
void give_columns(const Hdf5Reader& file, const std::string& place, const Shape& shape,
                  const GiveRows& give, Tidied& tidied) {
  const std::vector<int64_t> begin = read_begins(file, place, shape[1]);
  const int64_t stored = begin.back();
  CsrMatrix out;
  out.rows = shape[0];
  out.columns = shape[1];
  out.indptr.assign(static_cast<size_t>(shape[0]) + 1, 0);
  const auto parts = [&](const auto& f) {
    for (int64_t first = 0; first < stored; first += block_values)
      f(first, read_inner(file, place, first, std::min(block_values, stored - first), shape[0]));
  };
  parts([&](int64_t, const std::vector<int64_t>& rows) {
    for (const int64_t row : rows) ++out.indptr[static_cast<size_t>(row) + 1];
  });
  std::partial_sum(out.indptr.begin(), out.indptr.end(), out.indptr.begin());
  out.indices.resize(static_cast<size_t>(stored));
  out.values.resize(static_cast<size_t>(stored));
  std::vector<int64_t> next = out.indptr;
  size_t column = 0;
  parts([&](int64_t first, const std::vector<int64_t>& rows) {
    const std::vector<float> values =
        file.reals(place + "/data", first, static_cast<int64_t>(rows.size()));
    for (size_t e = 0; e < rows.size(); ++e) {
      while (begin[column + 1] <= first + static_cast<int64_t>(e)) ++column;
      const auto to = static_cast<size_t>(next[static_cast<size_t>(rows[e])]++);
      out.indices[to] = static_cast<int32_t>(column);
      out.values[to] = values[e];
    }
  });
  tidy(out, tidied);
  give(out);
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
      const Shape shape = shape_of(file, place);
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
    const Shape shape = shape_of(file, place);
    if (shape[0] != static_cast<int64_t>(out.obs.names.size()))
      h5ad_fault(place, std::to_string(shape[0]) + " rows",
                 std::to_string(out.obs.names.size()) + " cells");
    out.obsm[escape_control(name)] = {shape[0], shape[1], file.reals(place)};
  }
  if (file.has("obsm") && !file.is_group("obsm"))
    out.notes.push_back("obsm is left out: it is of anndata before 0.7");
}

}  // namespace

void give_compressed(const Hdf5Reader& file, const std::string& place, int64_t rows,
                     int64_t columns, const GiveRows& give, Tidied& tidied) {
  const std::vector<int64_t> begin = read_begins(file, place, rows);
  for (int64_t first = 0; first < rows;) {
    const int64_t count = rows_within(begin, first, block_values);
    const int64_t from = begin[static_cast<size_t>(first)],
                  values = begin[static_cast<size_t>(first + count)] - from;
    const std::vector<int64_t> inner = read_inner(file, place, from, values, columns);
    CsrMatrix out = empty_rows(count, columns);
    out.values = file.reals(place + "/data", from, values);
    out.indices.assign(inner.begin(), inner.end());
    for (int64_t i = 1; i <= count; ++i)
      out.indptr.push_back(begin[static_cast<size_t>(first + i)] - from);
    tidy(out, tidied);
    give(out);
    first += count;
  }
}

CellFile open_h5ad(std::shared_ptr<const Hdf5Reader> open, const std::string& matrix) {
  const Hdf5Reader& file = *open;
  CellFile out;
  SingleCells& head = out.head;
  head.stored = stored_matrices(file);
  head.matrix = !matrix.empty() ? matrix : file.has("X") ? "X" : "";
  const bool raw = head.matrix == "raw/X";
  head.obs = read_table(file, "obs", head.notes);
  head.var = read_table(file, raw ? with_dot(file, "raw/var") : "var", head.notes);
  if (!head.matrix.empty()) {
    const std::string place = with_dot(file, head.matrix);
    if (!file.has(place)) h5ad_fault(place, "nothing of this name", "a matrix", "see --matrix");
    const std::string kind = kind_of(file, place);
    if (kind.empty() && file.is_group(place))
      h5ad_fault(place, encoding_of(file, place), "array, csr_matrix or csc_matrix");
    const Shape shape = shape_of(file, place);
    head.x.rows = shape[0];
    head.x.columns = shape[1];
    out.rows = [open, place, kind, shape](const GiveRows& give, std::vector<std::string>& notes) {
      Tidied tidied;
      if (kind == "array")
        give_dense(*open, place, shape, give);
      else if (kind == "csr_matrix")
        give_compressed(*open, place, shape[0], shape[1], give, tidied);
      else
        give_columns(*open, place, shape, give, tidied);
      tidied.add_to(notes);
    };
  }
  read_obsm(file, head);
  finish(head, raw);
  return out;
}

}  // namespace cytograd::io
