#include <algorithm>
#include <utility>

#include "cytograd/core/error.h"
#include "io/cell_file.h"
#include "io/h5ad_columns.h"

namespace cytograd::io {
namespace {

constexpr const char* new_group = "matrix";

// Groups of files before version 3: one per genome.
std::vector<std::string> genomes(const Hdf5Reader& file) {
  std::vector<std::string> out;
  for (const std::string& name : file.children("/"))
    if (file.is_group(name) && file.has(name + "/barcodes") && file.has(name + "/genes"))
      out.push_back(name);
  return out;
}

// An optional list of kinds.
void add_kinds(const Hdf5Reader& file, const std::string& place, const char* name,
               AnnTable& table) {
  if (file.has(place)) table.columns.emplace_back(name, from_texts(file.strings(place)));
}

AnnTable new_genes(const Hdf5Reader& file, const std::string& group) {
  const std::string features = group + "/features/";
  AnnTable out{file.strings(features + "name"), {}};
  out.columns.emplace_back("gene_ids", file.strings(features + "id"));
  add_kinds(file, features + "feature_type", "feature_types", out);
  add_kinds(file, features + "genome", "genome", out);
  return out;
}

AnnTable old_genes(const Hdf5Reader& file, const std::string& group) {
  AnnTable out{file.strings(group + "/gene_names"), {}};
  out.columns.emplace_back("gene_ids", file.strings(group + "/genes"));
  return out;
}

}  // namespace

bool is_tenx(const Hdf5Reader& file) {
  if (file.has("obs") || file.has("var")) return false;
  return file.has(std::string(new_group) + "/barcodes") || !genomes(file).empty();
}

CellFile open_tenx(std::shared_ptr<const Hdf5Reader> open) {
  const Hdf5Reader& file = *open;
  std::string group = new_group;
  const bool old = !file.has(group + "/features");
  if (old) {
    const std::vector<std::string> found = genomes(file);
    if (found.empty()) h5ad_fault(group + "/features", "nothing of this name", "lists of genes");
    if (found.size() > 1)
      h5ad_fault("/", std::to_string(found.size()) + " genomes: " + found[0] + ", " + found[1],
                 "one", "write the cells of one genome to a file of their own");
    group = found[0];
  }
  CellFile out;
  SingleCells& head = out.head;
  head.obs.names = file.strings(group + "/barcodes");
  AnnTable genes = old ? old_genes(file, group) : new_genes(file, group);
  const std::vector<int64_t> shape = file.integers(group + "/shape");
  // Genes come first, and their positions are those of the inner index.
  if (shape.size() != 2 || shape[0] < 0 || shape[1] < 0 || shape[0] > most_entries ||
      shape[1] > most_entries)
    h5ad_fault(group + "/shape", "a wrong shape", "[genes, cells], each below 2^31");
  head.matrix = "X";
  head.stored.push_back({"X", "csr_matrix", shape[1], shape[0]});
  head.x.rows = shape[1];
  head.x.columns = shape[0];
  head.var = std::move(genes);
  finish(head);
  out.rows = [open, group, shape](const GiveRows& give, std::vector<std::string>& notes) {
    Tidied tidied;
    give_compressed(*open, group, shape[1], shape[0], give, tidied);
    tidied.add_to(notes);
  };
  return keep_gene_expression(std::move(out));
}

}  // namespace cytograd::io
