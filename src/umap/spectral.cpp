#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "cytograd/core/parallel.h"
#include "cytograd/umap/init.h"
#include "umap/subspace.h"

namespace cytograd::umap {
namespace {

// y = D^-1/2 P D^-1/2 x less its part along the trivial eigenvector D^1/2 1.
class Normalised {
 public:
  explicit Normalised(const Graph& g) : weight_(g.weight), graph_(g), trivial_(g.rows) {
    double sum = 0;
    for (int64_t i = 0; i < g.rows; ++i) {
      const auto row =
          std::accumulate(g.weight.begin() + g.begin[i], g.weight.begin() + g.begin[i + 1], 0.0);
      trivial_[static_cast<size_t>(i)] = std::sqrt(row);
      sum += row;
    }
    for (int64_t i = 0; i < g.rows; ++i)
      for (int64_t e = g.begin[i]; e < g.begin[i + 1]; ++e)
        weight_[e] = static_cast<float>(weight_[e] / (trivial_[static_cast<size_t>(i)] *
                                                      trivial_[static_cast<size_t>(g.column[e])]));
    for (double& t : trivial_) t /= std::sqrt(sum);
  }

  // y = 2 scale (A x - centre x) / half - before, the step of Chebyshev's recurrence; `before` may
  // be null.
  void step(const Block& x, Block& y, double centre, double factor, const Block* before) const {
    const int64_t m = x.count;
    parallel_for(graph_.rows, 512, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        float sum[max_block] = {};
        for (int64_t e = graph_.begin[i]; e < graph_.begin[i + 1]; ++e) {
          const float* other = x.row(graph_.column[e]);
          for (int64_t k = 0; k < m; ++k) sum[k] += weight_[e] * other[k];
        }
        const float* own = x.row(i);
        for (int64_t k = 0; k < m; ++k) {
          const double value = factor * (sum[k] - centre * own[k]);
          y.row(i)[k] = static_cast<float>(before ? value - before->row(i)[k] : value);
        }
      }
    });
  }

  void remove_trivial(Block& x) const {
    for (int64_t k = 0; k < x.count; ++k) {
      double along = 0;
      for (int64_t i = 0; i < x.rows; ++i) along += trivial_[static_cast<size_t>(i)] * x.row(i)[k];
      for (int64_t i = 0; i < x.rows; ++i)
        x.row(i)[k] -= static_cast<float>(along * trivial_[static_cast<size_t>(i)]);
    }
  }

  static constexpr int64_t max_block = 80;

 private:
  std::vector<float> weight_;
  const Graph& graph_;
  std::vector<double> trivial_;
};

// x becomes T(A) x, T Chebyshev's polynomial that stays small on [-1, cut] and grows beyond.
void filter(const Normalised& a, Block& x, double cut, int degree) {
  const double centre = (cut - 1) / 2, half = (cut + 1) / 2;
  Block before = x, now = x;
  a.step(before, now, centre, 1 / half, nullptr);
  for (int d = 2; d <= degree; ++d) {
    Block next = now;
    a.step(now, next, centre, 2 / half, &before);
    before = std::move(now);
    now = std::move(next);
  }
  x = std::move(now);
}

Block leading_vectors(const Graph& graph, int64_t dims, uint64_t seed) {
  const Normalised a(graph);
  const Operator apply = [&](const Block& x, Block& y) { a.step(x, y, 0, 1, nullptr); };
  const int64_t count = std::min(dims + 6, graph.rows - 1);
  Block x = random_block(graph.rows, count, seed);
  double cut = 0;
  std::vector<double> last;
  for (int round = 0; round < 40; ++round) {
    filter(a, x, cut, 16);
    a.remove_trivial(x);
    orthonormalise(x);
    const std::vector<double> values = rotate_to_eigenvectors(apply, x);
    cut = std::clamp(values.back(), 0.0, 0.9999);
    // A start for the layout needs no more than the first digits.
    double change = std::numeric_limits<double>::infinity();
    if (!last.empty()) {
      change = 0;
      for (int64_t d = 0; d < std::min(dims, count); ++d)
        change = std::max(change, std::abs(values[d] - last[d]) / (1.0001 - values[d]));
    }
    last = values;
    if (change < 1e-3) break;
  }
  fix_signs(x);
  return x;
}

struct Part {
  std::vector<int64_t> rows;
};

Graph part_of(const Graph& g, const std::vector<int64_t>& rows,
              const std::vector<int32_t>& position) {
  Graph out{static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows.size()), {0}, {}, {}};
  for (const int64_t i : rows) {
    for (int64_t e = g.begin[i]; e < g.begin[i + 1]; ++e) {
      out.column.push_back(position[static_cast<size_t>(g.column[e])]);
      out.weight.push_back(g.weight[e]);
    }
    out.begin.push_back(out.edges());
  }
  return out;
}

// Coordinates in [-1, 1] of one connected part.
std::vector<float> place_part(const Graph& graph, int64_t dims, uint64_t seed) {
  const int64_t n = graph.rows;
  std::vector<float> out(static_cast<size_t>(n * dims));
  if (n <= 2 * dims + 2) {
    out = random_positions(n, dims, seed);
    for (float& v : out) v /= 10;
    return out;
  }
  const Block x = leading_vectors(graph, dims, seed);
  float largest = 1e-30f;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t d = 0; d < dims; ++d) largest = std::max(largest, std::abs(x.row(i)[d]));
  for (int64_t i = 0; i < n; ++i)
    for (int64_t d = 0; d < dims; ++d) out[i * dims + d] = x.row(i)[d] / largest;
  return out;
}

// Where each part goes, in [0, 10], and how much room it has.
struct Plan {
  std::vector<float> centre, room;
};

Plan plan_parts(const std::vector<Part>& parts, const Points& points, int64_t dims, uint64_t seed) {
  const auto count = static_cast<int64_t>(parts.size());
  std::vector<float> means(static_cast<size_t>(count * points.columns));
  for (int64_t p = 0; p < count; ++p)
    for (int64_t c = 0; c < points.columns; ++c) {
      double sum = 0;
      for (const int64_t i : parts[p].rows) sum += points.row(i)[c];
      means[p * points.columns + c] =
          static_cast<float>(sum / static_cast<double>(parts[p].rows.size()));
    }
  Plan plan;
  plan.centre = principal_positions({means.data(), count, points.columns}, dims, seed);
  float largest = 1e-30f;
  for (const float v : plan.centre) largest = std::max(largest, std::abs(v));
  for (float& v : plan.centre) v *= 10 / largest;
  const Neighbors near = exact_neighbors({plan.centre.data(), count, dims}, 2);
  for (int64_t p = 0; p < count; ++p)
    plan.room.push_back(std::max(0.05f, near.distance[static_cast<size_t>(2 * p + 1)] / 2));
  return plan;
}

}  // namespace

std::vector<float> spectral_positions(const Graph& graph, const Points& points, int64_t dims,
                                      uint64_t seed) {
  const std::vector<int32_t> component = connected_components(graph);
  const int32_t count =
      component.empty() ? 0 : *std::max_element(component.begin(), component.end()) + 1;
  if (count <= 1) return place_part(graph, dims, seed);
  std::vector<Part> parts(static_cast<size_t>(count));
  std::vector<int32_t> position(component.size());
  for (size_t i = 0; i < component.size(); ++i) {
    auto& rows = parts[static_cast<size_t>(component[i])].rows;
    position[i] = static_cast<int32_t>(rows.size());
    rows.push_back(static_cast<int64_t>(i));
  }
  const Plan plan = plan_parts(parts, points, dims, seed);
  std::vector<float> out(static_cast<size_t>(graph.rows * dims));
  for (size_t p = 0; p < parts.size(); ++p) {
    const std::vector<float> local =
        place_part(part_of(graph, parts[p].rows, position), dims, seed + p);
    for (size_t r = 0; r < parts[p].rows.size(); ++r)
      for (int64_t d = 0; d < dims; ++d)
        out[parts[p].rows[r] * dims + d] =
            plan.centre[p * dims + d] + plan.room[p] * local[r * dims + d];
  }
  return out;
}

}  // namespace cytograd::umap
