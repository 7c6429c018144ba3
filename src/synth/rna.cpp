#include "cytograd/synth/rna.h"

#include <algorithm>
#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"

namespace cytograd::synth {
namespace {

// A stretch of pseudotime with one name.
struct Segment {
  double begin;
  const char* cell_type;
  Branch branch;
};

// A way from the stem cell to one kind of mature cell.
struct Lineage {
  Branch branch;
  double percent;  // of the cells
  std::vector<Segment> segments;
};

const std::vector<Lineage>& lineages() {
  using enum Branch;
  static const std::vector<Lineage> all = {
      {neutrophil,
       32,
       {{0, "HSC", stem},
        {0.15, "MPP", stem},
        {0.30, "GMP", myeloid},
        {0.45, "promyelocyte", neutrophil},
        {0.55, "myelocyte", neutrophil},
        {0.67, "metamyelocyte", neutrophil},
        {0.78, "band", neutrophil},
        {0.88, "segmented", neutrophil}}},
      {monocyte,
       18,
       {{0, "HSC", stem},
        {0.15, "MPP", stem},
        {0.30, "GMP", myeloid},
        {0.45, "promonocyte", monocyte},
        {0.70, "monocyte", monocyte}}},
      {eosinophil,
       7,
       {{0, "HSC", stem},
        {0.15, "MPP", stem},
        {0.30, "GMP", myeloid},
        {0.45, "eosinophil", eosinophil}}},
      {basophil,
       7,
       {{0, "HSC", stem},
        {0.15, "MPP", stem},
        {0.30, "GMP", myeloid},
        {0.45, "basophil", basophil}}},
      {erythroid,
       24,
       {{0, "HSC", stem},
        {0.15, "MPP", stem},
        {0.30, "MEP", erythroid},
        {0.48, "proerythroblast", erythroid},
        {0.60, "baso_erythroblast", erythroid},
        {0.74, "poly_erythroblast", erythroid},
        {0.87, "ortho_erythroblast", erythroid}}},
      {lymphoid,
       12,
       {{0, "HSC", stem},
        {0.15, "MPP", stem},
        {0.30, "CLP", lymphoid},
        {0.55, "lymphocyte", lymphoid}}},
  };
  return all;
}

// Where along pseudotime the genes of a branch change.
struct Window {
  double begin, end;
};
Window window(Branch branch) {
  switch (branch) {
    case Branch::stem:
      return {0.0, 0.5};
    case Branch::myeloid:
      return {0.28, 0.6};
    case Branch::erythroid:
    case Branch::lymphoid:
      return {0.30, 1.0};
    default:
      return {0.45, 1.0};
  }
}

// Whether a cell has entered a branch; every cell starts as a stem cell, and all granulocytes and
// monocytes pass through the myeloid progenitor.
bool passes(Branch branch, Branch cell) {
  if (branch == Branch::stem || branch == cell) return true;
  return branch == Branch::myeloid && cell != Branch::stem && cell != Branch::erythroid &&
         cell != Branch::lymphoid;
}

// Well-known markers lend their names to the first drivers; the numbers are invented all the same.
std::vector<std::string> marker_names(Branch branch, int direction) {
  if (branch == Branch::stem && direction < 0)
    return {"CD34", "KIT", "SPINK2", "MEIS1", "HOXA9", "CRHBP", "AVP", "FLT3"};
  if (direction < 0) return {};
  switch (branch) {
    case Branch::myeloid:
      return {"CEBPA", "SPI1", "CSF3R", "MPO", "CD33", "IRF8", "ANXA1", "TYROBP"};
    case Branch::neutrophil:
      return {"LTF", "CAMP", "MMP8", "S100A12", "FCGR3B", "CXCR2", "MMP9", "LCN2"};
    case Branch::monocyte:
      return {"CD14", "LYZ", "FCN1", "CSF1R", "CTSS", "VCAN", "MS4A6A", "CD163"};
    case Branch::eosinophil:
      return {"EPX", "PRG2", "CLC", "CCR3", "SIGLEC8", "IL5RA", "RNASE2", "PRG3"};
    case Branch::basophil:
      return {"HDC", "CPA3", "MS4A2", "FCER1A", "CCR2", "TPSB2", "GATA2", "IL3RA"};
    case Branch::erythroid:
      return {"HBB", "HBA1", "GYPA", "KLF1", "ALAS2", "SLC4A1", "AHSP", "HBD"};
    case Branch::lymphoid:
      return {"CD79A", "CD79B", "MS4A1", "CD74", "IL7R", "CD3E", "CD3D", "TRAC"};
    default:
      return {};
  }
}

std::vector<RnaGene> make_genes(const RnaOptions& o) {
  Rng rng(o.seed, "synth rna genes");
  std::vector<RnaGene> genes;
  for (int b = 0; b < branch_count; ++b)
    for (const int direction : {1, -1}) {
      const auto branch = static_cast<Branch>(b);
      const std::vector<std::string> markers = marker_names(branch, direction);
      for (int64_t i = 0; i < o.drivers; ++i) {
        RnaGene gene;
        gene.name = i < static_cast<int64_t>(markers.size())
                        ? markers[static_cast<size_t>(i)]
                        : std::string(name(branch)) + (direction > 0 ? "-UP" : "-DOWN") +
                              std::to_string(i + 1);
        gene.driver = true, gene.direction = direction, gene.branch = branch;
        // What rises starts low, what falls starts high.
        gene.base = std::exp((direction > 0 ? -0.7 : 1.2) + 0.4 * rng.normal());
        genes.push_back(gene);
      }
    }
  for (int64_t i = static_cast<int64_t>(genes.size()); i < o.genes; ++i) {
    RnaGene gene;
    gene.name = "GENE" + std::to_string(i + 1);
    gene.base = std::exp(0.3 + 1.3 * rng.normal());
    genes.push_back(gene);
  }
  double sum = 0;
  for (RnaGene& gene : genes) {
    gene.dispersion = o.dispersion * std::exp(0.4 * rng.normal());
    sum += gene.base;
  }
  for (RnaGene& gene : genes) gene.base *= o.depth / sum;
  // Column order says nothing.
  rng.shuffle(genes);
  return genes;
}

std::vector<Lineage> chosen_lineages(const RnaOptions& o) {
  std::vector<Lineage> chosen;
  for (const Lineage& l : lineages())
    if (o.lineages.empty() ||
        std::find(o.lineages.begin(), o.lineages.end(), l.branch) != o.lineages.end())
      chosen.push_back(l);
  return chosen;
}

RnaCell make_cell(const RnaOptions& o, const std::vector<Lineage>& ways, int64_t index, Rng& rng) {
  RnaCell cell;
  const std::string digits = std::to_string(index + 1);
  cell.id = "cell_" + std::string(digits.size() < 6 ? 6 - digits.size() : 0, '0') + digits;
  double percent = 0;
  for (const Lineage& l : ways) percent += l.percent;
  double at = rng.uniform(0, percent);
  const Lineage* lineage = &ways.front();
  for (const Lineage& l : ways) {
    lineage = &l;
    if ((at -= l.percent) < 0) break;
  }
  cell.pseudotime = o.from + (1 - o.from) * rng.uniform();
  for (const Segment& segment : lineage->segments)
    if (cell.pseudotime >= segment.begin)
      cell.cell_type = segment.cell_type, cell.branch = segment.branch;
  cell.batch = static_cast<int>(rng.below(o.batches));
  cell.size_factor =
      std::exp(o.depth_spread * rng.normal() - 0.5 * o.depth_spread * o.depth_spread);
  return cell;
}

void validate(const RnaOptions& o) {
  const auto require = [](bool good, const char* what) {
    if (!good) throw ConfigError(what);
  };
  require(o.cells >= 1 && o.cells <= 10'000'000, "--cells must be 1 to 10000000");
  require(o.drivers >= 1 && o.drivers <= 1000, "--drivers must be 1 to 1000");
  require(o.genes >= 2 * branch_count * o.drivers && o.genes <= 1'000'000,
          "--genes must be 16 times --drivers to 1000000");
  require(o.depth > 0 && o.depth <= 1e8, "--depth must be above 0, at most 1e8");
  require(o.depth_spread >= 0 && o.depth_spread <= 3, "the spread of the depth must be 0 to 3");
  require(o.dispersion >= 0 && o.dispersion <= 100, "--dispersion must be 0 to 100");
  require(o.effect >= 0 && o.effect <= 10, "--effect must be 0 to 10");
  require(o.batches >= 1 && o.batches <= 1000, "--batches must be 1 to 1000");
  require(o.batch_effect >= 0 && o.batch_effect <= 5, "the batch effect must be 0 to 5");
  require(o.from >= 0 && o.from < 1, "the least pseudotime must be 0 to below 1");
  for (const Branch b : o.lineages)
    require(b != Branch::stem && b != Branch::myeloid, "stem and myeloid are no lineages");
}

}  // namespace

std::string_view name(Branch branch) {
  constexpr std::array<std::string_view, branch_count> names = {
      "stem",       "myeloid",  "neutrophil", "monocyte",
      "eosinophil", "basophil", "erythroid",  "lymphoid"};
  return names[static_cast<size_t>(branch)];
}

std::vector<float> RnaSet::column(int64_t gene) const {
  std::vector<float> values(cells.size(), 0);
  for (size_t cell = 0; cell < cells.size(); ++cell) {
    const auto begin = gene_index.begin() + row_begin[cell],
               end = gene_index.begin() + row_begin[cell + 1];
    const auto at = std::lower_bound(begin, end, gene);
    if (at != end && *at == gene)
      values[cell] = counts[static_cast<size_t>(at - gene_index.begin())];
  }
  return values;
}

double expected_count(const RnaGene& gene, const RnaCell& cell, double effect) {
  double log_fold = 0;
  if (gene.driver && passes(gene.branch, cell.branch)) {
    const Window w = window(gene.branch);
    const double t = std::clamp((cell.pseudotime - w.begin) / (w.end - w.begin), 0.0, 1.0);
    log_fold = gene.direction * effect * t * t * (3 - 2 * t);
  }
  return cell.size_factor * gene.base * std::exp(log_fold);
}

int64_t negative_binomial(Rng& rng, double mean, double dispersion) {
  check<ValueError>(mean >= 0 && dispersion >= 0, "negative_binomial",
                    "mean and dispersion must be >= 0, got ", mean, " and ", dispersion);
  if (mean == 0) return 0;
  // Below this the gamma rate is the mean to rounding.
  if (dispersion < 1e-9) return rng.poisson(mean);
  return rng.poisson(mean * dispersion * rng.gamma(1 / dispersion));
}

RnaSet make_rna(const RnaOptions& options) {
  validate(options);
  RnaSet set;
  set.genes = make_genes(options);
  std::vector<std::vector<double>> batch_factor;
  for (int b = 0; b < options.batches; ++b) {
    Rng rng(options.seed, "synth rna batch", static_cast<uint64_t>(b));
    std::vector<double>& factors = batch_factor.emplace_back();
    for (int64_t g = 0; g < options.genes; ++g)
      factors.push_back(std::exp(options.batch_effect * rng.normal()));
  }
  const std::vector<Lineage> ways = chosen_lineages(options);
  set.cells.resize(static_cast<size_t>(options.cells));
  std::vector<std::vector<std::pair<int32_t, float>>> rows(set.cells.size());
  parallel_for(options.cells, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Rng rng(options.seed, "synth rna cell", static_cast<uint64_t>(i));
      const RnaCell cell = make_cell(options, ways, i, rng);
      const std::vector<double>& factors = batch_factor[static_cast<size_t>(cell.batch)];
      auto& row = rows[static_cast<size_t>(i)];
      for (size_t g = 0; g < set.genes.size(); ++g) {
        const double mean = expected_count(set.genes[g], cell, options.effect) * factors[g];
        const int64_t count = negative_binomial(rng, mean, set.genes[g].dispersion);
        if (count > 0) row.emplace_back(static_cast<int32_t>(g), static_cast<float>(count));
      }
      set.cells[static_cast<size_t>(i)] = cell;
    }
  });
  set.row_begin.push_back(0);
  for (const auto& row : rows) {
    for (const auto& [gene, count] : row)
      set.gene_index.push_back(gene), set.counts.push_back(count);
    set.row_begin.push_back(static_cast<int64_t>(set.counts.size()));
  }
  return set;
}

}  // namespace cytograd::synth
