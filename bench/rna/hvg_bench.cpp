// Highly variable genes of a matrix that is read in blocks: time and memory.
//   bench_hvg FILE                          preprocesses an .h5ad (or any file of cells), 2,432
//   genes bench_hvg FILE CELLS GENES PER_CELL     makes FILE first, with about PER_CELL genes in a
//   cell
// Prints one JSON object. Memory is the largest resident set of this process and of the largest of
// the processes that read for it; both exist at the same time.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/io/text.h"
#include "cytograd/rna/cell_source.h"
#include "io/hdf5_writer.h"

namespace {

using namespace cytograd;
using namespace cytograd::io;

void require(herr_t status) {
  if (status < 0) throw InternalError("bench_hvg: hdf5 failed");
}

// A list in chunks, compressed as `anndata.write_h5ad(compression="gzip")` does, that grows.
class GrowingList {
 public:
  GrowingList(hid_t parent, const char* name, hid_t type)
      : type_(type), set_(create(parent, name, type)) {}

  template <class T>
  void append(const std::vector<T>& values) {
    const hsize_t from[1] = {size_}, count[1] = {values.size()};
    size_ += values.size();
    const hsize_t all[1] = {size_};
    require(H5Dset_extent(set_, all));
    const H5Id space(H5Dget_space(set_), H5Sclose, "space");
    const H5Id memory(H5Screate_simple(1, count, nullptr), H5Sclose, "space");
    require(H5Sselect_hyperslab(space, H5S_SELECT_SET, from, nullptr, count, nullptr));
    require(H5Dwrite(set_, type_, memory, space, H5P_DEFAULT, values.data()));
  }

 private:
  static H5Id create(hid_t parent, const char* name, hid_t type) {
    const hsize_t none[1] = {0}, most[1] = {H5S_UNLIMITED}, chunk[1] = {1 << 16};
    const H5Id space(H5Screate_simple(1, none, most), H5Sclose, "space");
    const H5Id options(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "options");
    require(H5Pset_chunk(options, 1, chunk));
    require(H5Pset_shuffle(options));
    require(H5Pset_deflate(options, 1));
    return {H5Dcreate2(parent, name, type, space, H5P_DEFAULT, options, H5P_DEFAULT), H5Dclose,
            "array"};
  }

  hid_t type_;
  H5Id set_;
  hsize_t size_ = 0;
};

void write_names(hid_t root, const char* table, const char* start, int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back(start + std::to_string(i));
  const H5Id group = create_group(root, table);
  write_attribute(group, "_index", std::string("_index"));
  write_strings(group, "_index", names);
}

// Genes differ in how often and how strongly they are expressed; one in 20 also between two types.
void make(const std::string& path, int64_t cells, int64_t genes, double per_cell) {
  const H5Id file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose,
                  "file");
  write_names(file, "obs", "cell", cells);
  write_names(file, "var", "gene", genes);
  const H5Id x = create_group(file, "X");
  write_attribute(x, "encoding-type", std::string("csr_matrix"));
  write_attribute(x, "encoding-version", std::string("0.1.0"));
  const std::array<int64_t, 2> shape{cells, genes};
  write_attribute(x, "shape", std::span<const int64_t>(shape));
  GrowingList data(x, "data", H5T_NATIVE_FLOAT), indices(x, "indices", H5T_NATIVE_INT32);
  std::vector<float> values;
  std::vector<int32_t> columns;
  std::vector<int64_t> begin{0};
  int64_t written = 0;
  const int64_t furthest = static_cast<int64_t>(static_cast<double>(genes) / per_cell);
  for (int64_t i = 0; i < cells; ++i) {
    Rng rng(1, "cell", static_cast<uint64_t>(i));
    // Steps of half the mean distance; half of the genes that are met are expressed.
    for (int64_t g = rng.below(furthest); g < genes;
         g += 1 + rng.below(std::max<int64_t>(1, furthest - 1))) {
      const auto mixed = static_cast<uint64_t>(g) * 0x9E3779B97F4A7C15u >> 40;
      const double level = static_cast<double>(mixed % 1000) / 1000;
      const bool marker = mixed % 20 == 0 && i % 2 == 1;
      if (!rng.chance(marker ? 1 : level)) continue;
      columns.push_back(static_cast<int32_t>(g));
      values.push_back(
          static_cast<float>(1 + rng.below(marker ? 16 : 2 + static_cast<int64_t>(3 * level))));
    }
    begin.push_back(written + static_cast<int64_t>(values.size()));
    if (values.size() > (size_t{1} << 22) || i + 1 == cells) {
      data.append(values);
      indices.append(columns);
      written = begin.back();
      values.clear();
      columns.clear();
    }
  }
  const std::array<hsize_t, 1> rows{begin.size()};
  write_array(x, "indptr", rows, H5T_NATIVE_INT64, H5T_STD_I64LE, begin.data());
}

// In a process of its own, so that its memory is not counted.
void make_apart(const std::string& path, int64_t cells, int64_t genes, double per_cell) {
  const pid_t pid = fork();
  if (pid == 0) {
    make(path, cells, genes, per_cell);
    _exit(0);
  }
  int status = 1;
  if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
    throw InternalError("bench_hvg: cannot make " + path);
}

double megabytes(int who) {
  rusage usage{};
  getrusage(who, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024 / 1e6;
}

double seconds(int who) {
  rusage usage{};
  getrusage(who, &usage);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

double wall() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

int64_t argument(const char* text) {
  const auto n = parse_int(text);
  if (!n || *n < 1) throw ValueError(std::string("bench_hvg: expected a number, got ") + text);
  return *n;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2 && argc != 5) {
    std::fprintf(stderr, "usage: bench_hvg FILE [CELLS GENES PER_CELL]\n");
    return 2;
  }
  if (argc == 5)
    make_apart(argv[1], argument(argv[2]), argument(argv[3]),
               static_cast<double>(argument(argv[4])));
  const double makers = seconds(RUSAGE_CHILDREN), begin = wall();
  const rna::FileCells cells(argv[1]);
  const double read = wall();
  const rna::Preprocessed p = rna::preprocess(cells);
  std::printf(
      "{\"cells\": %lld, \"genes\": %lld, \"values\": %lld, \"kept_genes\": %zu, \"kept_values\": "
      "%zu, \"in_memory\": %s, \"first_pass_s\": %.2f, \"wall_s\": %.2f, \"processor_s\": %.2f, "
      "\"own_peak_mb\": %.0f, \"reader_peak_mb\": %.0f}\n",
      static_cast<long long>(cells.cells()), static_cast<long long>(cells.genes()),
      static_cast<long long>(cells.summary().stored), p.genes.size(), p.x.values.size(),
      cells.kept() ? "true" : "false", read - begin, wall() - begin,
      seconds(RUSAGE_SELF) + seconds(RUSAGE_CHILDREN) - makers, megabytes(RUSAGE_SELF),
      megabytes(RUSAGE_CHILDREN));
  return 0;
} catch (const cytograd::Error& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return static_cast<int>(e.exit_code());
}
