#include "cytograd/io/h5ad_table.h"

#include "cytograd/core/error.h"
#include "io/h5ad_child.h"
#include "io/h5ad_columns.h"
#include "io/hdf5_reader.h"

namespace cytograd {
namespace {

using namespace io;

DenseMatrix dense(const Hdf5Reader& file, const std::string& place) {
  std::vector<hsize_t> shape = file.shape(place);
  if (shape.size() != 2) h5ad_fault(place, "one axis", "[cells, columns]");
  return {static_cast<int64_t>(shape[0]), static_cast<int64_t>(shape[1]), file.reals(place)};
}

DenseMatrix sparse(const Hdf5Reader& file, const std::string& place) {
  std::string kind = file.attribute(place, "encoding-type");
  if (kind.empty()) kind = file.attribute(place, "h5sparse_format") + "_matrix";
  const bool rows_first = kind == "csr_matrix";
  if (!rows_first && kind != "csc_matrix")
    h5ad_fault(place, "encoding \"" + kind + "\"", "array, csr_matrix or csc_matrix");
  auto shape = file.integer_attribute(place, "shape");
  if (shape.empty()) shape = file.integer_attribute(place, "h5sparse_shape");
  if (shape.size() != 2 || shape[0] < 0 || shape[1] < 0 ||
      (shape[1] > 0 && shape[0] > (int64_t{1} << 32) / shape[1]))
    h5ad_fault(place, "a wrong shape", "two sizes, at most 2^32 values when filled in");
  const std::vector<float> values = file.reals(place + "/data");
  const std::vector<int64_t> inner = file.integers(place + "/indices");
  const std::vector<int64_t> begin = file.integers(place + "/indptr");
  const int64_t outer = rows_first ? shape[0] : shape[1], width = rows_first ? shape[1] : shape[0];
  if (inner.size() != values.size() || static_cast<int64_t>(begin.size()) != outer + 1 ||
      begin.front() != 0 || begin.back() != static_cast<int64_t>(values.size()))
    h5ad_fault(place + "/indptr", "sizes that do not fit",
               "0 up to " + std::to_string(values.size()));
  DenseMatrix out{shape[0], shape[1], {}};
  out.values.assign(static_cast<size_t>(shape[0] * shape[1]), 0.0f);
  for (int64_t i = 0; i < outer; ++i) {
    if (begin[i] > begin[i + 1])
      h5ad_fault(place + "/indptr", "a fall at position " + std::to_string(i + 1), "rising values");
    for (int64_t e = begin[i]; e < begin[i + 1]; ++e) {
      if (inner[e] < 0 || inner[e] >= width)
        h5ad_fault(place + "/indices",
                   "value " + std::to_string(inner[e]) + " at position " + std::to_string(e),
                   "0 to " + std::to_string(width - 1));
      out.values[rows_first ? i * shape[1] + inner[e] : inner[e] * shape[1] + i] += values[e];
    }
  }
  return out;
}

Categorical column(const Hdf5Reader& file, const std::string& name) {
  const std::string place = "obs/" + name, legacy = "obs/__categories/" + name;
  if (!file.has(place)) h5ad_fault(place, "no such column", "a column of obs");
  if (file.is_group(place)) return with_codes(file, place + "/codes", place + "/categories");
  if (file.has(legacy)) return with_codes(file, place, legacy);
  if (file.holds_strings(place)) return from_texts(file.strings(place));
  std::vector<std::string> texts;
  for (const int64_t v : file.integers(place)) texts.push_back(std::to_string(v));
  return from_texts(texts);
}

CellTable read_here(const std::string& path, const std::string& matrix, const std::string& labels) {
  const Hdf5Reader file(path);
  CellTable out;
  if (!file.has(matrix)) h5ad_fault(matrix, "nothing of this name", "a matrix", "see --matrix");
  out.values = file.is_group(matrix) ? sparse(file, matrix) : dense(file, matrix);
  if (!file.is_group("obs"))
    h5ad_fault("obs", "a table of anndata before 0.7", "a group",
               "read and write the file once with a newer anndata");
  std::string index = file.attribute("obs", "_index");
  if (index.empty()) index = "index";
  out.names = file.strings("obs/" + index);
  if (!labels.empty()) out.labels = column(file, labels);
  const auto rows = static_cast<size_t>(out.values.rows);
  if (out.names.size() != rows || (out.labels && out.labels->codes.size() != rows))
    h5ad_fault("obs", std::to_string(out.names.size()) + " cells", std::to_string(rows));
  for (std::string& name : out.names) name = escape_control(name);
  if (out.labels)
    for (std::string& name : out.labels->categories) name = escape_control(name);
  return out;
}

void send(Sender& out, const CellTable& table) {
  out.part();
  out.number(static_cast<uint64_t>(table.values.rows));
  out.number(static_cast<uint64_t>(table.values.columns));
  out.array(table.values.values);
  out.texts(table.names);
  out.number(table.labels.has_value());
  if (table.labels) {
    out.array(table.labels->codes);
    out.texts(table.labels->categories);
  }
}

CellTable receive(Receiver& in) {
  in.part();
  CellTable out;
  out.values.rows = static_cast<int64_t>(in.number());
  out.values.columns = static_cast<int64_t>(in.number());
  out.values.values = in.array<float>();
  out.names = in.texts();
  if (in.number() == 1) {
    Categorical labels;
    labels.codes = in.array<int32_t>();
    labels.categories = in.texts();
    out.labels = labels;
  }
  if (out.values.values.size() != static_cast<uint64_t>(out.values.rows * out.values.columns) ||
      out.names.size() != static_cast<uint64_t>(out.values.rows))
    throw ChildDied();
  return out;
}

}  // namespace

CellTable read_h5ad_table(const std::string& path, const std::string& matrix,
                          const std::string& labels) {
  CellTable out;
  read_in_child(
      path, [&](Sender& to) { send(to, read_here(path, matrix, labels)); },
      [&](Receiver& from) { out = receive(from); });
  return out;
}

}  // namespace cytograd
