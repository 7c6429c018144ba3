#include <hdf5.h>

#include <cstring>
#include <map>
#include <set>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/synth/rna.h"

namespace cytograd::synth {
namespace {

// An HDF5 identifier that closes itself.
class Id {
 public:
  Id(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {
    if (id < 0)
      throw InternalError("synth rna: an HDF5 call failed while the file was made in memory");
  }
  ~Id() { close_(id_); }
  Id(const Id&) = delete;
  Id& operator=(const Id&) = delete;
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

void require(herr_t status) {
  if (status < 0)
    throw InternalError("synth rna: an HDF5 call failed while the file was made in memory");
}

struct TextType : Id {
  TextType() : Id(H5Tcopy(H5T_C_S1), H5Tclose) {
    require(H5Tset_size(*this, H5T_VARIABLE));
    require(H5Tset_cset(*this, H5T_CSET_UTF8));
  }
};

void attribute(hid_t object, const char* key, const std::string& value) {
  const TextType type;
  const Id space(H5Screate(H5S_SCALAR), H5Sclose);
  const Id a(H5Acreate2(object, key, type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  const char* text = value.c_str();
  require(H5Awrite(a, type, &text));
}

void encoding(hid_t object, const char* type, const char* version) {
  attribute(object, "encoding-type", type);
  attribute(object, "encoding-version", version);
}

// One-dimensional data, compressed when long.
void dataset(hid_t group, const char* key, hid_t type, hsize_t count, const void* data,
             const char* kind) {
  const Id space(H5Screate_simple(1, &count, nullptr), H5Sclose);
  const Id create(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  require(H5Pset_obj_track_times(create, false));  // the same bytes at any hour
  if (count > 1024) {
    const hsize_t chunk = std::min<hsize_t>(count, 1 << 16);
    require(H5Pset_chunk(create, 1, &chunk));
    require(H5Pset_shuffle(create));
    require(H5Pset_deflate(create, 4));
  }
  const Id d(H5Dcreate2(group, key, type, space, H5P_DEFAULT, create, H5P_DEFAULT), H5Dclose);
  if (count > 0) require(H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data));
  if (kind) encoding(d, kind, "0.2.0");
}

void numbers(hid_t group, const char* key, const std::vector<double>& v) {
  dataset(group, key, H5T_NATIVE_DOUBLE, v.size(), v.data(), "array");
}
void numbers(hid_t group, const char* key, const std::vector<int64_t>& v) {
  dataset(group, key, H5T_NATIVE_INT64, v.size(), v.data(), "array");
}
void texts(hid_t group, const char* key, const std::vector<std::string>& v) {
  std::vector<const char*> pointers;
  for (const std::string& s : v) pointers.push_back(s.c_str());
  const TextType type;
  dataset(group, key, type, v.size(), pointers.data(), "string-array");
}

// As h5py stores booleans: an enumeration of bytes.
void flags(hid_t group, const char* key, const std::vector<int8_t>& v) {
  const Id type(H5Tenum_create(H5T_NATIVE_INT8), H5Tclose);
  const int8_t no = 0, yes = 1;
  require(H5Tenum_insert(type, "FALSE", &no));
  require(H5Tenum_insert(type, "TRUE", &yes));
  dataset(group, key, type, v.size(), v.data(), "array");
}

void categorical(hid_t group, const char* key, const std::vector<std::string>& values) {
  const std::set<std::string> distinct(values.begin(), values.end());
  std::map<std::string, int16_t> code;
  for (const std::string& value : distinct) code.emplace(value, static_cast<int16_t>(code.size()));
  std::vector<int16_t> codes;
  for (const std::string& value : values) codes.push_back(code.at(value));
  const Id g(H5Gcreate2(group, key, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
  encoding(g, "categorical", "0.2.0");
  const Id type(H5Tenum_create(H5T_NATIVE_INT8), H5Tclose);
  const int8_t no = 0, yes = 1;
  require(H5Tenum_insert(type, "FALSE", &no));
  require(H5Tenum_insert(type, "TRUE", &yes));
  const Id space(H5Screate(H5S_SCALAR), H5Sclose);
  const Id ordered(H5Acreate2(g, "ordered", type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  require(H5Awrite(ordered, type, &no));
  texts(g, "categories", {distinct.begin(), distinct.end()});
  dataset(g, "codes", H5T_NATIVE_INT16, codes.size(), codes.data(), "array");
}

// A table with the index column `_index`.
struct Frame : Id {
  Frame(hid_t file, const char* key, const std::vector<std::string>& index,
        const std::vector<const char*>& columns)
      : Id(H5Gcreate2(file, key, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose) {
    encoding(*this, "dataframe", "0.2.0");
    attribute(*this, "_index", "_index");
    texts(*this, "_index", index);
    const TextType type;
    const hsize_t count = columns.size();
    const Id space(H5Screate_simple(1, &count, nullptr), H5Sclose);
    const Id a(H5Acreate2(*this, "column-order", type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    require(H5Awrite(a, type, columns.data()));
  }
};

template <class Items, class F>
auto map(const Items& items, F f) {
  std::vector<decltype(f(items[0]))> out;
  for (const auto& item : items) out.push_back(f(item));
  return out;
}

void write_matrix(hid_t file, const RnaSet& set) {
  const Id x(H5Gcreate2(file, "X", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
  encoding(x, "csr_matrix", "0.1.0");
  const int64_t shape[2] = {static_cast<int64_t>(set.cells.size()),
                            static_cast<int64_t>(set.genes.size())};
  const hsize_t two = 2;
  const Id space(H5Screate_simple(1, &two, nullptr), H5Sclose);
  const Id a(H5Acreate2(x, "shape", H5T_NATIVE_INT64, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  require(H5Awrite(a, H5T_NATIVE_INT64, shape));
  dataset(x, "data", H5T_NATIVE_FLOAT, set.counts.size(), set.counts.data(), nullptr);
  dataset(x, "indices", H5T_NATIVE_INT32, set.gene_index.size(), set.gene_index.data(), nullptr);
  dataset(x, "indptr", H5T_NATIVE_INT64, set.row_begin.size(), set.row_begin.data(), nullptr);
}

void write_cells(hid_t file, const RnaSet& set) {
  const Frame obs(file, "obs", map(set.cells, [](const RnaCell& c) { return c.id; }),
                  {"celltype", "branch", "batch", "pseudotime", "size_factor"});
  categorical(obs, "celltype", map(set.cells, [](const RnaCell& c) { return c.cell_type; }));
  categorical(obs, "branch",
              map(set.cells, [](const RnaCell& c) { return std::string(name(c.branch)); }));
  categorical(obs, "batch", map(set.cells, [](const RnaCell& c) {
                return "batch" + std::to_string(c.batch + 1);
              }));
  numbers(obs, "pseudotime", map(set.cells, [](const RnaCell& c) { return c.pseudotime; }));
  numbers(obs, "size_factor", map(set.cells, [](const RnaCell& c) { return c.size_factor; }));
}

void write_genes(hid_t file, const RnaSet& set) {
  const Frame var(file, "var", map(set.genes, [](const RnaGene& g) { return g.name; }),
                  {"driver", "direction", "driver_branch", "base", "dispersion"});
  flags(var, "driver",
        map(set.genes, [](const RnaGene& g) { return static_cast<int8_t>(g.driver); }));
  numbers(var, "direction",
          map(set.genes, [](const RnaGene& g) { return static_cast<int64_t>(g.direction); }));
  categorical(var, "driver_branch", map(set.genes, [](const RnaGene& g) {
                return g.driver ? std::string(name(g.branch)) : std::string("none");
              }));
  numbers(var, "base", map(set.genes, [](const RnaGene& g) { return g.base; }));
  numbers(var, "dispersion", map(set.genes, [](const RnaGene& g) { return g.dispersion; }));
}

}  // namespace

void write_rna(const RnaSet& set, const std::string& path) {
  // The file is made in memory and appears on disk complete.
  const Id access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  require(H5Pset_fapl_core(access, size_t{1} << 22, false));
  const Id file(H5Fcreate("cells.h5ad", H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose);
  encoding(file, "anndata", "0.1.0");
  write_matrix(file, set);
  write_cells(file, set);
  write_genes(file, set);
  for (const char* key : {"layers", "obsm", "obsp", "varm", "varp", "uns"}) {
    const Id group(H5Gcreate2(file, key, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
    encoding(group, "dict", "0.1.0");
  }
  require(H5Fflush(file, H5F_SCOPE_LOCAL));
  const ssize_t size = H5Fget_file_image(file, nullptr, 0);
  if (size <= 0) throw InternalError("synth rna: the file made in memory is empty");
  std::string bytes(static_cast<size_t>(size), '\0');
  if (H5Fget_file_image(file, bytes.data(), bytes.size()) != size)
    throw InternalError("synth rna: the file made in memory changed its size");
  write_file_atomically(path, bytes);
}

}  // namespace cytograd::synth
