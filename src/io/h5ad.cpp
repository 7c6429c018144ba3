#include "cytograd/io/h5ad.h"

#include <algorithm>
#include <array>
#include <limits>
#include <mutex>
#include <optional>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "io/cell_file.h"
#include "io/h5ad_entries.h"
#include "io/hdf5_writer.h"

namespace cytograd {
namespace {

using namespace io;

const char* const op = "write_h5ad";

void encoding(hid_t object, const char* type, const char* version) {
  write_attribute(object, "encoding-type", std::string(type));
  write_attribute(object, "encoding-version", std::string(version));
}

void check_text(const std::string& text, const char* what) {
  check<ValueError>(is_valid_utf8(text) && text.find('\0') == std::string::npos, op, what,
                    " expects UTF-8 without zero bytes, got \"", escape_control(text), "\"");
}

void check_name(const std::string& name, const char* what) {
  check_text(name, what);
  check<ValueError>(!name.empty() && name != "." && name.find('/') == std::string::npos, op, what,
                    " expects a name without '/', got \"", name, "\"");
}

template <class T>
H5Id plain_array(hid_t parent, const std::string& name, const std::vector<T>& values, hid_t memory,
                 hid_t file) {
  const std::array<hsize_t, 1> shape{values.size()};
  H5Id dataset = write_array(parent, name, shape, memory, file, values.data());
  encoding(dataset, "array", "0.2.0");
  return dataset;
}

void write(hid_t parent, const std::string& name, const DenseMatrix& m) {
  const std::array<hsize_t, 2> shape{static_cast<hsize_t>(m.rows), static_cast<hsize_t>(m.columns)};
  const H5Id dataset =
      write_array(parent, name, shape, H5T_NATIVE_FLOAT, H5T_IEEE_F32LE, m.values.data());
  encoding(dataset, "array", "0.2.0");
}

void write(hid_t parent, const std::string& name, const CsrMatrix& m) {
  const H5Id group = create_group(parent, name);
  encoding(group, "csr_matrix", "0.1.0");
  const std::array<int64_t, 2> shape{m.rows, m.columns};
  write_attribute(group, "shape", std::span<const int64_t>(shape));
  plain_array(group, "data", m.values, H5T_NATIVE_FLOAT, H5T_IEEE_F32LE);
  plain_array(group, "indices", m.indices, H5T_NATIVE_INT32, H5T_STD_I32LE);
  // scipy wants one type for both index arrays; 32 bits as long as they are enough.
  const bool small = m.values.size() <= static_cast<size_t>(std::numeric_limits<int32_t>::max());
  plain_array(group, "indptr", m.indptr, H5T_NATIVE_INT64, small ? H5T_STD_I32LE : H5T_STD_I64LE);
}

void write(hid_t parent, const std::string& name, const Categorical& c) {
  const H5Id group = create_group(parent, name);
  encoding(group, "categorical", "0.2.0");
  write_attribute(group, "ordered", c.ordered);
  write_strings(group, "categories", c.categories);
  const bool small = c.categories.size() <= 127;  // the type pandas takes
  plain_array(group, "codes", c.codes, H5T_NATIVE_INT32, small ? H5T_STD_I8LE : H5T_STD_I32LE);
}

void write(hid_t parent, const std::string& name, const std::vector<double>& values) {
  plain_array(parent, name, values, H5T_NATIVE_DOUBLE, H5T_IEEE_F64LE);
}
void write(hid_t parent, const std::string& name, const std::vector<int64_t>& values) {
  plain_array(parent, name, values, H5T_NATIVE_INT64, H5T_STD_I64LE);
}
void write(hid_t parent, const std::string& name, const std::vector<bool>& values) {
  const std::vector<int8_t> bytes(values.begin(), values.end());
  const H5Id type = bool_type();
  plain_array(parent, name, bytes, type, type);
}
void write(hid_t parent, const std::string& name, const std::vector<std::string>& values) {
  write_strings(parent, name, values);
}
void write(hid_t parent, const std::string& name, const std::string& value) {
  write_scalar(parent, name, value);
}
void write(hid_t parent, const std::string& name, double value) {
  write_scalar(parent, name, value);
}

template <class... T>
void write(hid_t parent, const std::string& name, const std::variant<T...>& value) {
  std::visit([&](const auto& v) { write(parent, name, v); }, value);
}

void write(hid_t parent, const std::string& name, const AnnTable& table) {
  const H5Id group = create_group(parent, name);
  encoding(group, "dataframe", "0.2.0");
  write_attribute(group, "_index", std::string("_index"));
  std::vector<std::string> order;
  for (const auto& [column, values] : table.columns) order.push_back(column);
  write_attribute(group, "column-order", std::span<const std::string>(order));
  write_strings(group, "_index", table.names);
  for (const auto& [column, values] : table.columns) write(group, column, values);
}

template <class Map>
void write_entries(hid_t parent, const std::string& name, const Map& entries) {
  const H5Id group = create_group(parent, name);
  encoding(group, "dict", "0.1.0");
  for (const auto& [key, value] : entries) write(group, key, value);
}

void check_matrix(const DenseMatrix& m, const std::string& name) {
  check<ValueError>(
      m.rows >= 0 && m.columns >= 0 && m.values.size() == static_cast<size_t>(m.rows * m.columns),
      op, name, " expects ", m.rows, " x ", m.columns, " values, got ", m.values.size());
}

void check_matrix(const CsrMatrix& m, const std::string& name) {
  const auto nnz = static_cast<int64_t>(m.values.size());
  check<ValueError>(m.indices.size() == m.values.size() &&
                        m.indptr.size() == static_cast<size_t>(m.rows) + 1 &&
                        m.indptr.front() == 0 && m.indptr.back() == nnz &&
                        std::is_sorted(m.indptr.begin(), m.indptr.end()),
                    op, name, " expects indptr rising from 0 to ", nnz, " over ", m.rows, " rows");
  for (int64_t row = 0; row < m.rows; ++row)
    for (int64_t k = m.indptr[row]; k < m.indptr[row + 1]; ++k)
      check<ValueError>(m.indices[k] >= 0 && m.indices[k] < m.columns &&
                            (k == m.indptr[row] || m.indices[k] > m.indices[k - 1]),
                        op, name, " expects rising indices below ", m.columns, " in row ", row);
}

void check_column(const Column& column, const std::string& name, int64_t rows) {
  size_t size = 0;
  if (const auto* c = std::get_if<Categorical>(&column)) {
    size = c->codes.size();
    const auto n = static_cast<int32_t>(c->categories.size());
    for (const std::string& s : c->categories) check_text(s, "category");
    for (const int32_t code : c->codes)
      check<ValueError>(code >= -1 && code < n, op, name, " expects codes from -1 to ", n - 1,
                        ", got ", code);
  } else if (const auto* strings = std::get_if<std::vector<std::string>>(&column)) {
    size = strings->size();
    for (const std::string& s : *strings) check_text(s, "value");
  } else if (const auto* reals = std::get_if<std::vector<double>>(&column)) {
    size = reals->size();
  } else if (const auto* flags = std::get_if<std::vector<bool>>(&column)) {
    size = flags->size();
  } else {
    size = std::get<std::vector<int64_t>>(column).size();
  }
  check<ValueError>(size == static_cast<size_t>(rows), op, name, " expects ", rows, " values, got ",
                    size);
}

void check_table(const AnnTable& table, int64_t rows, const std::string& name) {
  check<ValueError>(table.names.size() == static_cast<size_t>(rows), op, name, " expects ", rows,
                    " names, got ", table.names.size());
  for (const std::string& n : table.names) check_text(n, "name");
  std::vector<std::string> seen{"_index"};
  for (const auto& [key, column] : table.columns) {
    check_name(key, "column");
    check<ValueError>(std::find(seen.begin(), seen.end(), key) == seen.end(), op, name,
                      " expects different columns, got \"", key, "\" twice");
    seen.push_back(key);
    check_column(column, name + "." + key, rows);
  }
}

void check_uns(const UnsEntries& uns) {
  for (const auto& [name, value] : uns) {
    check_name(name, "uns");
    if (const auto* text = std::get_if<std::string>(&value)) check_text(*text, "value");
    if (const auto* list = std::get_if<std::vector<std::string>>(&value))
      for (const std::string& s : *list) check_text(s, "value");
  }
}

void check_all(const AnnData& d) {
  std::visit([](const auto& m) { check_matrix(m, "X"); }, d.X);
  const auto [cells, genes] =
      std::visit([](const auto& m) { return std::pair(m.rows, m.columns); }, d.X);
  check_table(d.obs, cells, "obs");
  check_table(d.var, genes, "var");
  for (const auto& [name, m] : d.obsm) {
    check_name(name, "obsm");
    check_matrix(m, name);
    check<ValueError>(m.rows == cells, op, "obsm.", name, " expects ", cells, " rows, got ",
                      m.rows);
  }
  for (const auto& [name, m] : d.layers) {
    check_name(name, "layer");
    check_matrix(m, name);
    check<ValueError>(m.rows == cells && m.columns == genes, op, "layer ", name,
                      " expects the size of X");
  }
  check_uns(d.uns);
}

}  // namespace

namespace io {

void write_entry(hid_t parent, const std::string& name, const DenseMatrix& m) {
  write(parent, name, m);
}
void write_entry(hid_t parent, const std::string& name, const Column& column) {
  write(parent, name, column);
}
void write_entry(hid_t parent, const std::string& name, const UnsEntries::mapped_type& value) {
  write(parent, name, value);
}
H5Id create_dict(hid_t parent, const std::string& name) {
  H5Id group = create_group(parent, name);
  encoding(group, "dict", "0.1.0");
  return group;
}

int64_t check_additions(const AnnAdditions& more) {
  std::optional<int64_t> rows;
  const auto of_rows = [&rows](int64_t n) { return rows ? *rows : (rows = n, n); };
  std::vector<std::string> seen{"_index"};
  for (const auto& [name, column] : more.obs) {
    check_name(name, "column");
    check<ValueError>(std::find(seen.begin(), seen.end(), name) == seen.end(), op,
                      "obs expects different columns, got \"", name, "\" twice");
    seen.push_back(name);
    check_column(column, "obs." + name, of_rows(static_cast<int64_t>(rows_in(column))));
  }
  for (const auto& [name, m] : more.obsm) {
    check_name(name, "obsm");
    check_matrix(m, name);
    check<ValueError>(m.rows == of_rows(m.rows), op, "obsm.", name, " expects ", *rows,
                      " rows, got ", m.rows);
  }
  check_uns(more.uns);
  return rows.value_or(-1);
}

}  // namespace io

void write_h5ad(const std::string& path, const AnnData& data) {
  check_all(data);
  static std::mutex one_at_a_time;  // Debian's HDF5 is built without thread safety
  const std::lock_guard lock(one_at_a_time);
  const Hdf5Image image;
  const hid_t root = image.root();
  encoding(root, "anndata", "0.1.0");
  write(root, "X", data.X);
  write(root, "obs", data.obs);
  write(root, "var", data.var);
  write_entries(root, "obsm", data.obsm);
  write_entries(root, "layers", data.layers);
  write_entries(root, "uns", data.uns);
  for (const char* empty : {"varm", "obsp", "varp"})
    write_entries(root, empty, std::map<std::string, DenseMatrix>());
  write_file_atomically(path, image.bytes());
}

}  // namespace cytograd
