#include "cytograd/umap/graph.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"

namespace cytograd::umap {
namespace {

constexpr int64_t grain = 256;

double connected_distance(const float* distances, int64_t k, double connectivity) {
  std::vector<double> nonzero;
  for (int64_t j = 0; j < k; ++j)
    if (distances[j] > 0) nonzero.push_back(distances[j]);
  if (static_cast<double>(nonzero.size()) < connectivity)
    return nonzero.empty() ? 0 : *std::max_element(nonzero.begin(), nonzero.end());
  const auto whole = static_cast<size_t>(connectivity);
  const double part = connectivity - std::floor(connectivity);
  if (whole == 0) return nonzero.empty() ? 0 : part * nonzero[0];
  double rho = nonzero[whole - 1];
  if (part > 1e-5 && whole < nonzero.size()) rho += part * (nonzero[whole] - nonzero[whole - 1]);
  return rho;
}

double bisect_sigma(const float* distances, int64_t k, double rho) {
  constexpr double largest = std::numeric_limits<float>::max();
  const double target = std::log2(static_cast<double>(k));
  double low = 0, high = largest, middle = 1;
  for (int step = 0; step < 64; ++step) {
    double sum = 0;
    for (int64_t j = 1; j < k; ++j) {
      const double beyond = distances[j] - rho;
      sum += beyond > 0 ? std::exp(-beyond / middle) : 1;
    }
    if (std::abs(sum - target) < 1e-5) break;
    if (sum > target) {
      high = middle;
      middle = (low + high) / 2;
    } else {
      low = middle;
      middle = high == largest ? 2 * middle : (low + high) / 2;
    }
  }
  return middle;
}

double mean_distance(const float* distances, int64_t count) {
  return std::accumulate(distances, distances + count, 0.0) / static_cast<double>(count);
}

Graph empty_graph(int64_t rows, int64_t columns) {
  Graph g{rows, columns, {}, {}, {}};
  g.begin.assign(static_cast<size_t>(rows) + 1, 0);
  return g;
}

Graph transpose(const Graph& g) {
  Graph t = empty_graph(g.columns, g.rows);
  for (const int32_t c : g.column) ++t.begin[static_cast<size_t>(c) + 1];
  std::partial_sum(t.begin.begin(), t.begin.end(), t.begin.begin());
  t.column.resize(g.column.size());
  t.weight.resize(g.weight.size());
  std::vector<int64_t> next(t.begin.begin(), t.begin.end() - 1);
  for (int64_t i = 0; i < g.rows; ++i)
    for (int64_t e = g.begin[i]; e < g.begin[i + 1]; ++e) {
      const int64_t at = next[static_cast<size_t>(g.column[e])]++;
      t.column[at] = static_cast<int32_t>(i);
      t.weight[at] = g.weight[e];
    }
  return t;
}

void drop_zeros(Graph& g) {
  int64_t kept = 0, from = 0;
  for (int64_t i = 0; i < g.rows; ++i) {
    const int64_t end = g.begin[i + 1];
    for (; from < end; ++from)
      if (g.weight[from] > 0) {
        g.column[kept] = g.column[from];
        g.weight[kept++] = g.weight[from];
      }
    g.begin[i + 1] = kept;
  }
  g.column.resize(static_cast<size_t>(kept));
  g.weight.resize(static_cast<size_t>(kept));
}

}  // namespace

Scales smooth_scales(const Neighbors& n, double local_connectivity) {
  Scales out;
  out.rho.resize(static_cast<size_t>(n.rows));
  out.sigma.resize(static_cast<size_t>(n.rows));
  const double mean = n.rows == 0 ? 0 : mean_distance(n.distance.data(), n.rows * n.k);
  parallel_for(n.rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* distances = n.distance.data() + i * n.k;
      const double rho = connected_distance(distances, n.k, local_connectivity);
      const double floor = 1e-3 * (rho > 0 ? mean_distance(distances, n.k) : mean);
      out.rho[static_cast<size_t>(i)] = static_cast<float>(rho);
      out.sigma[static_cast<size_t>(i)] =
          static_cast<float>(std::max(bisect_sigma(distances, n.k, rho), floor));
    }
  });
  return out;
}

float Graph::at(int64_t i, int64_t j) const {
  const auto first = column.begin() + begin[i], last = column.begin() + begin[i + 1];
  const auto found = std::lower_bound(first, last, static_cast<int32_t>(j));
  return found == last || *found != j ? 0.0f : weight[static_cast<size_t>(found - column.begin())];
}

Graph membership(const Neighbors& n, const Scales& s, int64_t columns, bool points_are_others) {
  Graph g = empty_graph(n.rows, columns);
  std::vector<std::pair<int32_t, float>> row;
  for (int64_t i = 0; i < n.rows; ++i) {
    const float rho = s.rho[static_cast<size_t>(i)], sigma = s.sigma[static_cast<size_t>(i)];
    row.clear();
    for (int64_t j = 0; j < n.k; ++j) {
      const int32_t other = n.index[static_cast<size_t>(i * n.k + j)];
      if (!points_are_others && other == i) continue;
      const float beyond = n.distance[static_cast<size_t>(i * n.k + j)] - rho;
      const float weight = beyond <= 0 || sigma == 0 ? 1.0f : std::exp(-beyond / sigma);
      if (weight > 0) row.emplace_back(other, weight);
    }
    std::sort(row.begin(), row.end());
    for (const auto& [other, weight] : row) {
      g.column.push_back(other);
      g.weight.push_back(weight);
    }
    g.begin[static_cast<size_t>(i) + 1] = g.edges();
  }
  return g;
}

Graph fuzzy_union(const Graph& a, double mix) {
  check<ShapeError>(a.rows == a.columns, "fuzzy_union", "expected a square graph, got [", a.rows,
                    ", ", a.columns, "]");
  check<ValueError>(mix >= 0 && mix <= 1, "fuzzy_union", "mix expects 0 to 1, got ", mix);
  const Graph t = transpose(a);
  Graph out = empty_graph(a.rows, a.columns);
  out.column.reserve(a.column.size() * 2);
  out.weight.reserve(a.column.size() * 2);
  const auto combine = [mix = static_cast<float>(mix)](float x, float y) {
    const float product = x * y;
    return mix * (x + y - product) + (1 - mix) * product;
  };
  const auto add = [&](int32_t column, float weight) {
    if (!(weight > 0)) return;
    out.column.push_back(column);
    out.weight.push_back(weight);
  };
  for (int64_t i = 0; i < a.rows; ++i) {
    int64_t p = a.begin[i], q = t.begin[i];
    const int64_t p_end = a.begin[i + 1], q_end = t.begin[i + 1];
    while (p < p_end || q < q_end) {
      const int32_t pc = p < p_end ? a.column[p] : std::numeric_limits<int32_t>::max();
      const int32_t qc = q < q_end ? t.column[q] : std::numeric_limits<int32_t>::max();
      if (pc == qc) {
        add(pc, combine(a.weight[p++], t.weight[q++]));
      } else if (pc < qc) {
        add(pc, combine(a.weight[p++], 0));
      } else {
        add(qc, combine(0, t.weight[q++]));
      }
    }
    out.begin[static_cast<size_t>(i) + 1] = out.edges();
  }
  return out;
}

Graph intersect_labels(const Graph& graph, std::span<const int64_t> labels, double target_weight) {
  check<ShapeError>(static_cast<int64_t>(labels.size()) == graph.rows, "intersect_labels",
                    "expected ", graph.rows, " labels, got ", labels.size());
  check<ValueError>(target_weight >= 0 && target_weight <= 1, "intersect_labels",
                    "target_weight expects 0 to 1, got ", target_weight);
  const double far = target_weight < 1 ? 2.5 / (1 - target_weight) : 1e12;
  const auto different = static_cast<float>(std::exp(-far));
  const auto unknown = static_cast<float>(std::exp(-1.0));
  Graph g = graph;
  for (int64_t i = 0; i < g.rows; ++i)
    for (int64_t e = g.begin[i]; e < g.begin[i + 1]; ++e) {
      const int64_t own = labels[static_cast<size_t>(i)];
      const int64_t other = labels[static_cast<size_t>(g.column[e])];
      if (own == -1 || other == -1) {
        g.weight[e] *= unknown;
      } else if (own != other) {
        g.weight[e] *= different;
      }
    }
  drop_zeros(g);
  for (int64_t i = 0; i < g.rows; ++i) {
    const auto first = g.weight.begin() + g.begin[i], last = g.weight.begin() + g.begin[i + 1];
    if (first == last) continue;
    const float largest = *std::max_element(first, last);
    for (auto w = first; w != last; ++w) *w /= largest;
  }
  return fuzzy_union(g);
}

std::vector<int32_t> connected_components(const Graph& graph) {
  std::vector<int32_t> component(static_cast<size_t>(graph.rows), -1);
  std::vector<int64_t> open;
  int32_t count = 0;
  for (int64_t start = 0; start < graph.rows; ++start) {
    if (component[static_cast<size_t>(start)] >= 0) continue;
    open.push_back(start);
    component[static_cast<size_t>(start)] = count;
    while (!open.empty()) {
      const int64_t i = open.back();
      open.pop_back();
      for (int64_t e = graph.begin[i]; e < graph.begin[i + 1]; ++e) {
        int32_t& other = component[static_cast<size_t>(graph.column[e])];
        if (other >= 0) continue;
        other = count;
        open.push_back(graph.column[e]);
      }
    }
    ++count;
  }
  return component;
}

}  // namespace cytograd::umap
