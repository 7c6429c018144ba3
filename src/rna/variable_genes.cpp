#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "cytograd/core/error.h"
#include "cytograd/rna/expression.h"
#include "rna/matrix.h"

namespace cytograd::rna {
namespace {

constexpr double nothing = std::numeric_limits<double>::quiet_NaN();
constexpr double infinite = std::numeric_limits<double>::infinity();

// Genes by interval: right-closed, between edges that rise; -1 for a value outside.
std::vector<int64_t> bins_of(const std::vector<double>& values, const std::vector<double>& edges) {
  std::vector<int64_t> out;
  for (const double v : values) {
    const auto above = std::lower_bound(edges.begin(), edges.end(), v);
    const bool inside = above != edges.begin() && above != edges.end();
    out.push_back(inside ? above - edges.begin() - 1 : -1);
  }
  return out;
}

// `bins` intervals of equal width over the values; the lowest edge a little below them.
std::vector<double> equal_edges(const std::vector<double>& values, int64_t bins) {
  const auto [least, largest] = std::minmax_element(values.begin(), values.end());
  double low = *least, high = *largest;
  const bool one_value = low == high;
  if (one_value) {
    const double margin = low != 0 ? 0.001 * std::abs(low) : 0.001;
    low -= margin;
    high += margin;
  }
  const double step = (high - low) / static_cast<double>(bins);
  std::vector<double> out;
  for (int64_t i = 0; i < bins; ++i) out.push_back(static_cast<double>(i) * step + low);
  out.push_back(high);
  if (!one_value) out.front() -= (high - low) * 0.001;
  return out;
}

double percentile(const std::vector<double>& sorted, double percent) {
  const double at = static_cast<double>(sorted.size() - 1) * (percent / 100);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  const double share = at - static_cast<double>(below), step = sorted[above] - sorted[below];
  return share >= 0.5 ? sorted[above] - step * (1 - share) : sorted[below] + step * share;
}

// Around the 10th, 15th, ... 100th percentile; equal edges are one.
std::vector<double> percentile_edges(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  std::vector<double> out{-infinite};
  for (int percent = 10; percent <= 100; percent += 5) out.push_back(percentile(values, percent));
  out.push_back(infinite);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// What a dispersion is compared with.
struct Level {
  double centre = nothing, spread = nothing;
};

Level mean_and_deviation(const std::vector<double>& d) {
  if (d.empty()) return {};
  double mean = 0, squares = 0;
  for (const double v : d) mean += v / static_cast<double>(d.size());
  if (d.size() == 1) return {0, mean};  // the gene gets 1
  for (const double v : d) squares += (v - mean) * (v - mean);
  return {mean, std::sqrt(squares / static_cast<double>(d.size() - 1))};
}

Level median_and_mad(const std::vector<double>& d) {
  if (d.empty()) return {};
  const double centre = median(d);
  std::vector<double> off;
  for (const double v : d) off.push_back(std::abs(v - centre));
  // The third quartile of the standard normal distribution.
  return {centre, median(std::move(off)) / 0.6744897501960817};
}

void normalise(VariableGenes& genes, const std::vector<int64_t>& bin, HvgFlavour flavour) {
  const int64_t bins = 1 + *std::max_element(bin.begin(), bin.end());
  std::vector<std::vector<double>> inside(static_cast<size_t>(std::max<int64_t>(0, bins)));
  for (size_t g = 0; g < bin.size(); ++g)
    if (bin[g] >= 0 && !std::isnan(genes.dispersion[g]))
      inside[static_cast<size_t>(bin[g])].push_back(genes.dispersion[g]);
  std::vector<Level> levels;
  for (const std::vector<double>& d : inside)
    levels.push_back(flavour == HvgFlavour::seurat ? mean_and_deviation(d) : median_and_mad(d));
  for (size_t g = 0; g < bin.size(); ++g) {
    const Level level = bin[g] >= 0 ? levels[static_cast<size_t>(bin[g])] : Level{};
    genes.normalised.push_back((genes.dispersion[g] - level.centre) / level.spread);
  }
}

// The genes whose normalised dispersion reaches the n-th largest one.
void choose_top(VariableGenes& out, int64_t n, bool exact) {
  std::vector<double> known;
  for (const double d : out.normalised)
    if (!std::isnan(d)) known.push_back(d);
  std::sort(known.begin(), known.end(), std::greater<>());
  if (static_cast<int64_t>(known.size()) < n)
    out.notes.push_back("only " + std::to_string(known.size()) +
                        " genes have a dispersion, fewer " + "than the " + std::to_string(n) +
                        " asked for");
  if (known.empty()) return;
  const double threshold =
      known[static_cast<size_t>(std::min<int64_t>(n, static_cast<int64_t>(known.size())) - 1)];
  int64_t above = 0;
  for (const double d : known) above += d > threshold;
  int64_t ties_left = exact ? n - above : std::numeric_limits<int64_t>::max();
  for (size_t g = 0; g < out.normalised.size(); ++g) {
    const double d = out.normalised[g];
    if (d > threshold || (d == threshold && ties_left-- > 0))
      out.genes.push_back(static_cast<int64_t>(g));
  }
  if (static_cast<int64_t>(out.genes.size()) > n)
    out.notes.push_back(std::to_string(out.genes.size()) + " genes were kept for " +
                        std::to_string(n) + ": some tie");
}

}  // namespace

HvgFlavour hvg_flavour(const std::string& name) {
  if (name == "seurat") return HvgFlavour::seurat;
  if (name == "cell_ranger") return HvgFlavour::cell_ranger;
  throw ValueError("hvg flavour: expected seurat or cell_ranger, got " + name);
}

void check_options(const HvgOptions& options) {
  constexpr const char* op = "highly_variable_genes";
  check<ValueError>(!options.n_top || *options.n_top >= 1, op, "n_top expects >= 1, got ",
                    options.n_top.value_or(0));
  check<ValueError>(options.bins >= 1, op, "bins expects >= 1, got ", options.bins);
}

VariableGenes highly_variable_genes(const CsrMatrix& x, const HvgOptions& options) {
  check_options(options);
  return highly_variable_genes(gene_moments(x, options.flavour == HvgFlavour::seurat), options);
}

VariableGenes highly_variable_genes(GeneMoments moments, const HvgOptions& options) {
  check_options(options);
  const bool seurat = options.flavour == HvgFlavour::seurat;
  VariableGenes out;
  if (moments.mean.empty()) return out;
  out.mean = std::move(moments.mean);
  for (size_t g = 0; g < out.mean.size(); ++g) {
    double& mean = out.mean[g];
    if (mean == 0) mean = 1e-12;
    const double dispersion = moments.variance[g] / mean;
    if (seurat) {
      mean = std::log1p(mean);
      out.dispersion.push_back(dispersion == 0 ? nothing : std::log(dispersion));
    } else {
      out.dispersion.push_back(dispersion);
    }
  }
  normalise(
      out,
      bins_of(out.mean, seurat ? equal_edges(out.mean, options.bins) : percentile_edges(out.mean)),
      options.flavour);
  if (options.n_top) {
    choose_top(out, *options.n_top, options.exact);
    return out;
  }
  for (size_t g = 0; g < out.mean.size(); ++g) {
    const double d = std::isnan(out.normalised[g]) ? 0 : out.normalised[g];
    if (out.mean[g] > options.min_mean && out.mean[g] < options.max_mean &&
        d > options.min_dispersion)
      out.genes.push_back(static_cast<int64_t>(g));
  }
  return out;
}

}  // namespace cytograd::rna
