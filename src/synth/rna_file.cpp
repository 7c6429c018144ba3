#include <algorithm>
#include <set>

#include "cytograd/io/h5ad.h"
#include "cytograd/synth/rna.h"

namespace cytograd::synth {
namespace {

template <class Items, class F>
auto map(const Items& items, F f) {
  std::vector<decltype(f(items[0]))> out;
  out.reserve(items.size());
  for (const auto& item : items) out.push_back(f(item));
  return out;
}

Categorical categorical(const std::vector<std::string>& values) {
  const std::set<std::string> distinct(values.begin(), values.end());
  Categorical column;
  column.categories.assign(distinct.begin(), distinct.end());
  for (const std::string& value : values) {
    const auto at = std::lower_bound(column.categories.begin(), column.categories.end(), value);
    column.codes.push_back(static_cast<int32_t>(at - column.categories.begin()));
  }
  return column;
}

AnnTable cell_table(const std::vector<RnaCell>& cells) {
  AnnTable obs;
  obs.names = map(cells, [](const RnaCell& c) { return c.id; });
  obs.columns = {
      {"celltype", categorical(map(cells, [](const RnaCell& c) { return c.cell_type; }))},
      {"branch",
       categorical(map(cells, [](const RnaCell& c) { return std::string(name(c.branch)); }))},
      {"batch",
       categorical(
           map(cells, [](const RnaCell& c) { return "batch" + std::to_string(c.batch + 1); }))},
      {"pseudotime", map(cells, [](const RnaCell& c) { return c.pseudotime; })},
      {"size_factor", map(cells, [](const RnaCell& c) { return c.size_factor; })}};
  return obs;
}

AnnTable gene_table(const std::vector<RnaGene>& genes) {
  AnnTable var;
  var.names = map(genes, [](const RnaGene& g) { return g.name; });
  const auto branch = [](const RnaGene& g) {
    return std::string(g.driver ? name(g.branch) : "none");
  };
  var.columns = {
      {"driver", map(genes, [](const RnaGene& g) { return static_cast<int64_t>(g.driver); })},
      {"direction", map(genes, [](const RnaGene& g) { return static_cast<int64_t>(g.direction); })},
      {"driver_branch", categorical(map(genes, branch))},
      {"base", map(genes, [](const RnaGene& g) { return g.base; })},
      {"dispersion", map(genes, [](const RnaGene& g) { return g.dispersion; })}};
  return var;
}

}  // namespace

void write_rna(const RnaSet& set, const std::string& path) {
  AnnData data;
  CsrMatrix counts;
  counts.rows = static_cast<int64_t>(set.cells.size());
  counts.columns = static_cast<int64_t>(set.genes.size());
  counts.values = set.counts, counts.indices = set.gene_index, counts.indptr = set.row_begin;
  data.X = std::move(counts);
  data.obs = cell_table(set.cells);
  data.var = gene_table(set.genes);
  write_h5ad(path, data);
}

}  // namespace cytograd::synth
