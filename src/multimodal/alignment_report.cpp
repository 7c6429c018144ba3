#include "cytograd/multimodal/alignment_report.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/core/random.h"
#include "cytograd/umap/neighbors.h"

namespace cytograd::multimodal {
namespace {

constexpr const char* op = "report_alignment";
constexpr double none = std::numeric_limits<double>::quiet_NaN();

// Rows of latents, float64.
struct Rows {
  int64_t count = 0, width = 0;
  std::vector<double> values;
  const double* row(int64_t i) const { return values.data() + i * width; }
  void add(const Rows& other) {
    values.insert(values.end(), other.values.begin(), other.values.end());
    count += other.count;
  }
};

Rows rows_of(const Tensor& t) { return {t.size(0), t.size(1), t.to_vector<double>()}; }

Rows take(const Rows& all, const std::vector<int64_t>& rows) {
  Rows out{static_cast<int64_t>(rows.size()), all.width, {}};
  for (const int64_t i : rows)
    out.values.insert(out.values.end(), all.row(i), all.row(i) + all.width);
  return out;
}

double squared_distance(const double* a, const double* b, int64_t width) {
  double sum = 0;
  for (int64_t k = 0; k < width; ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
  return sum;
}

std::vector<double> mean_of(const Rows& x) {
  std::vector<double> out(static_cast<size_t>(x.width));
  for (int64_t i = 0; i < x.count; ++i)
    for (int64_t k = 0; k < x.width; ++k) out[static_cast<size_t>(k)] += x.row(i)[k];
  for (double& v : out) v /= static_cast<double>(x.count);
  return out;
}

std::vector<double> covariance_of(const Rows& x, const std::vector<double>& mean) {
  const auto d = static_cast<size_t>(x.width);
  std::vector<double> out(d * d);
  for (int64_t i = 0; i < x.count; ++i)
    for (size_t a = 0; a < d; ++a)
      for (size_t b = 0; b < d; ++b)
        out[a * d + b] += (x.row(i)[a] - mean[a]) * (x.row(i)[b] - mean[b]);
  for (double& v : out) v /= static_cast<double>(x.count - 1);
  return out;
}

// Five kernels whose widths double: the widest alone needs an exponential.
double kernels(double squared, double bandwidth) {
  const double a = std::exp(-squared / std::max(4 * bandwidth, 1e-30)), b = a * a, c = b * b,
               d = c * c;
  return a + b + c + d + d * d;
}

double mmd_of(const Rows& x, const Rows& y) {
  if (x.count < 2 || y.count < 2) return none;
  Rows pooled = x;
  pooled.add(y);
  // The mean squared distance of different points, by way of their mean.
  const std::vector<double> mean = mean_of(pooled);
  double around = 0;
  for (int64_t i = 0; i < pooled.count; ++i)
    around += squared_distance(pooled.row(i), mean.data(), pooled.width);
  const double bandwidth = 2 * around / static_cast<double>(pooled.count - 1);
  struct Sums {
    double xx = 0, yy = 0, xy = 0;
  };
  std::vector<Sums> rows(static_cast<size_t>(pooled.count));
  parallel_for(pooled.count, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Sums& s = rows[static_cast<size_t>(i)];
      for (int64_t j = i + 1; j < pooled.count; ++j) {
        const double k =
            kernels(squared_distance(pooled.row(i), pooled.row(j), pooled.width), bandwidth);
        (j < x.count ? s.xx : i < x.count ? s.xy : s.yy) += k;
      }
    }
  });
  Sums all;
  for (const Sums& s : rows) all.xx += s.xx, all.yy += s.yy, all.xy += s.xy;
  const auto n = static_cast<double>(x.count), m = static_cast<double>(y.count);
  return 2 * all.xx / (n * (n - 1)) + 2 * all.yy / (m * (m - 1)) - 2 * all.xy / (n * m);
}

// Latents come as float32, so that nothing is lost on the way to the search.
std::vector<float> narrow(const Rows& x) { return {x.values.begin(), x.values.end()}; }

double mixing_of(const Rows& x, const Rows& y, int64_t neighbors) {
  if (x.count < 2 || y.count < 2) return none;
  Rows pooled = x;
  pooled.add(y);
  const std::vector<float> data = narrow(pooled);
  const int64_t k = std::min(neighbors, pooled.count - 1);
  const umap::Neighbors found =
      umap::exact_neighbors({data.data(), pooled.count, pooled.width}, k + 1);
  double sum = 0;
  for (int64_t i = 0; i < pooled.count; ++i) {
    const bool first = i < x.count;
    double other = 0;
    for (int64_t j = 1; j <= k; ++j)  // 0 is the cell itself
      other += (found.index[static_cast<size_t>(i * (k + 1) + j)] < x.count) != first;
    const auto others = static_cast<double>(first ? y.count : x.count);
    sum += other / static_cast<double>(k) / (others / static_cast<double>(pooled.count - 1));
  }
  return sum / static_cast<double>(pooled.count);
}

std::vector<int64_t> cells_of(const LatentCells& cells, const std::vector<std::string>& classes) {
  std::vector<int64_t> out;
  for (size_t i = 0; i < cells.labels.size(); ++i) {
    const int64_t l = cells.labels[i];
    if (l >= 0 && std::find(classes.begin(), classes.end(),
                            cells.classes[static_cast<size_t>(l)]) != classes.end())
      out.push_back(static_cast<int64_t>(i));
  }
  return out;
}

// One aligned class: all cells of either side, and those drawn for the costly measures.
struct Pair {
  Rows image, rna, few_image, few_rna;
};

Rows drawn(const Rows& all, const std::string& side, const std::string& name,
           const AlignmentReportOptions& options, std::vector<std::string>& notes) {
  if (all.count <= options.most_cells) return all;
  std::vector<int64_t> rows(static_cast<size_t>(all.count));
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(i);
  Rng rng(options.seed, "alignment_report/" + side + "/" + name);
  rng.shuffle(rows);
  rows.resize(static_cast<size_t>(options.most_cells));
  std::sort(rows.begin(), rows.end());
  notes.push_back(name + ": neighbours and MMD are measured on " +
                  std::to_string(options.most_cells) + " of " + std::to_string(all.count) + " " +
                  side + " cells, seed " + std::to_string(options.seed));
  return take(all, rows);
}

void measure(const Pair& pair, int64_t neighbors, ClassAlignmentRow& row) {
  row.mean_distance = row.covariance_distance = row.spread = row.mmd = row.mixing = none;
  if (row.image < 2 || row.rna < 2) return;
  const std::vector<double> a = mean_of(pair.image), b = mean_of(pair.rna);
  row.mean_distance = std::sqrt(squared_distance(a.data(), b.data(), pair.image.width));
  const std::vector<double> p = covariance_of(pair.image, a), q = covariance_of(pair.rna, b);
  row.covariance_distance =
      std::sqrt(squared_distance(p.data(), q.data(), static_cast<int64_t>(p.size())));
  const auto d = static_cast<size_t>(pair.rna.width);
  double trace = 0;
  for (size_t k = 0; k < d; ++k) trace += q[k * d + k];
  row.spread = std::sqrt(trace);
  row.mmd = mmd_of(pair.few_image, pair.few_rna);
  row.mixing = mixing_of(pair.few_image, pair.few_rna, neighbors);
}

// The most frequent class among labels that come nearest first; in a tie that of the nearest.
size_t majority(const std::vector<size_t>& labels, size_t classes) {
  std::vector<int64_t> counts(classes);
  for (const size_t l : labels) ++counts[l];
  const int64_t most = *std::max_element(counts.begin(), counts.end());
  for (const size_t l : labels)
    if (counts[l] == most) return l;
  return classes;
}

void transfer(const std::vector<Pair>& pairs, int64_t neighbors, AlignmentReport& out) {
  Rows reference, queries;
  std::vector<size_t> known, wanted;
  for (size_t c = 0; c < pairs.size(); ++c) {
    if (c == 0) reference.width = queries.width = pairs[c].rna.width;
    reference.add(pairs[c].few_rna);
    queries.add(pairs[c].few_image);
    known.insert(known.end(), static_cast<size_t>(pairs[c].few_rna.count), c);
    wanted.insert(wanted.end(), static_cast<size_t>(pairs[c].few_image.count), c);
  }
  out.transfer = out.chance = none;
  for (ClassAlignmentRow& row : out.classes) row.transfer = row.chance = none;
  if (reference.count == 0 || queries.count == 0) return;
  const std::vector<float> a = narrow(reference), b = narrow(queries);
  const int64_t k = std::min(neighbors, reference.count);
  const umap::Neighbors found = umap::exact_neighbors({a.data(), reference.count, reference.width},
                                                      {b.data(), queries.count, queries.width}, k);
  std::vector<double> right(pairs.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    std::vector<size_t> labels;
    for (size_t j = 0; j < static_cast<size_t>(k); ++j)
      labels.push_back(known[static_cast<size_t>(found.index[i * static_cast<size_t>(k) + j])]);
    right[wanted[i]] += majority(labels, pairs.size()) == wanted[i];
  }
  double all = 0, chance = 0;
  for (size_t c = 0; c < pairs.size(); ++c) {
    const auto n = static_cast<double>(pairs[c].few_image.count);
    ClassAlignmentRow& row = out.classes[c];
    row.chance = static_cast<double>(pairs[c].few_rna.count) / static_cast<double>(reference.count);
    if (n > 0) row.transfer = right[c] / n;
    all += right[c];
    chance += n * row.chance;
  }
  out.transfer = all / static_cast<double>(queries.count);
  out.chance = chance / static_cast<double>(queries.count);
}

Rows checked(const LatentCells& cells, const char* side) {
  check<ShapeError>(cells.mu.defined() && cells.mu.ndim() == 2 &&
                        cells.mu.size(0) == static_cast<int64_t>(cells.labels.size()),
                    op, "expects latents [cells, D] and a label per cell of the ", side, " side");
  for (const int64_t l : cells.labels)
    check<ShapeError>(l >= -1 && l < static_cast<int64_t>(cells.classes.size()), op, "expects ",
                      side, " labels of ", cells.classes.size(), " classes, got ", l);
  Rows out = rows_of(cells.mu);
  for (size_t i = 0; i < out.values.size(); ++i)
    if (!std::isfinite(out.values[i]))
      throw DataError(Fault{"nan", "",
                            "latents of the " + std::string(side) + " side, cell " +
                                std::to_string(i / static_cast<size_t>(out.width)),
                            "a value that is not finite", "finite latents", ""});
  return out;
}

}  // namespace

double unbiased_mmd(const Tensor& x, const Tensor& y) {
  check<ShapeError>(x.ndim() == 2 && y.ndim() == 2 && x.size(1) == y.size(1), "unbiased_mmd",
                    "expects [n, D] and [m, D], got ", x.shape(), " and ", y.shape());
  return mmd_of(rows_of(x), rows_of(y));
}

AlignmentReport report_alignment(const LatentCells& image, const LatentCells& rna,
                                 const ClassMap& map, const AlignmentReportOptions& options) {
  check<ValueError>(options.neighbors >= 1 && options.most_cells >= 2, op,
                    "expects neighbors >= 1 and most_cells >= 2, got ", options.neighbors, " and ",
                    options.most_cells);
  const Rows x = checked(image, "image"), y = checked(rna, "RNA");
  check<ShapeError>(x.width == y.width, op, "expects latents of one width, got ", x.width, " and ",
                    y.width);
  AlignmentReport out;
  std::vector<Pair> pairs;
  for (const ClassPair& c : map.pairs) {
    Pair pair{take(x, cells_of(image, c.image)), take(y, cells_of(rna, c.rna)), {}, {}};
    pair.few_image = drawn(pair.image, "image", c.name, options, out.notes);
    pair.few_rna = drawn(pair.rna, "RNA", c.name, options, out.notes);
    ClassAlignmentRow row;
    row.name = c.name;
    row.image = pair.image.count;
    row.rna = pair.rna.count;
    if (row.image < 2 || row.rna < 2)
      out.notes.push_back(c.name +
                          ": fewer than two cells on a side, only the transfer is measured");
    measure(pair, options.neighbors, row);
    out.classes.push_back(row);
    pairs.push_back(std::move(pair));
  }
  transfer(pairs, options.neighbors, out);
  return out;
}

}  // namespace cytograd::multimodal
