#include "umap/inverse.h"

#include <algorithm>
#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/core/random.h"
#include "umap/sequential.h"

namespace cytograd::umap {
namespace {

constexpr double epsilon = 1e-6;

// Sixteen sums, for the sake of speed; their order is fixed.
double length(const float* a, const float* b, int64_t columns) {
  constexpr int64_t lanes = 16;
  float sum[lanes] = {};
  int64_t c = 0;
  for (; c + lanes <= columns; c += lanes)
    for (int64_t l = 0; l < lanes; ++l) {
      const float difference = a[c + l] - b[c + l];
      sum[l] += difference * difference;
    }
  for (; c < columns; ++c) sum[0] += (a[c] - b[c]) * (a[c] - b[c]);
  double total = 0;
  for (const float s : sum) total += s;
  return std::sqrt(total);
}

// r += rate clip(factor (r - row)), per coordinate.
void step(float* r, const float* row, int64_t columns, double factor, double rate) {
  const auto f = static_cast<float>(factor), a = static_cast<float>(rate);
  for (int64_t c = 0; c < columns; ++c) {
    float s = f * (r[c] - row[c]);
    s = s < -4.0f ? -4.0f : s;
    s = s > 4.0f ? 4.0f : s;
    r[c] += a * s;
  }
}

// The nearest training rows on the map, and the curve's weight of each.
struct Near {
  std::vector<int32_t> index;
  std::vector<float> weight;
};

Near nearest(const Points& map, const std::vector<int32_t>& placed, const float* query,
             int64_t count, const Curve& curve) {
  std::vector<std::pair<float, int32_t>> all;
  all.reserve(placed.size());
  for (const int32_t i : placed) {
    float sum = 0;
    for (int64_t d = 0; d < map.columns; ++d) {
      const float difference = query[d] - map.row(i)[d];
      sum += difference * difference;
    }
    all.emplace_back(sum, i);
  }
  std::partial_sort(all.begin(), all.begin() + count, all.end());
  Near out;
  for (int64_t j = 0; j < count; ++j) {
    const double squared = all[static_cast<size_t>(j)].first;
    out.index.push_back(all[static_cast<size_t>(j)].second);
    out.weight.push_back(static_cast<float>(1 / (1 + curve.a * std::pow(squared, curve.b))));
  }
  return out;
}

void weighted_mean(const Points& data, const Near& near, float* out) {
  std::vector<double> sum(static_cast<size_t>(data.columns), 0.0);
  double total = 0;
  for (size_t j = 0; j < near.index.size(); ++j) {
    const float* row = data.row(near.index[j]);
    total += near.weight[j];
    for (int64_t c = 0; c < data.columns; ++c)
      sum[c] += static_cast<double>(near.weight[j]) * row[c];
  }
  for (int64_t c = 0; c < data.columns; ++c) out[c] = static_cast<float>(sum[c] / total);
}

}  // namespace

void inverse_attract(float* r, const float* row, int64_t columns, double weight, double sigma,
                     double rate) {
  const double d = length(r, row, columns);
  step(r, row, columns, -1 / (weight * sigma + epsilon) / (d + epsilon), rate);
}

void inverse_repel(float* r, const float* row, int64_t columns, double rho, double sigma,
                   double repulsion, double rate) {
  const double d = length(r, row, columns);
  const double h = std::exp(-std::max(d - rho, epsilon) / (sigma + epsilon));
  step(r, row, columns, repulsion * h / ((1 - h) * sigma + epsilon) / (d + epsilon), rate);
}

std::vector<float> invert(const Points& data, const Points& map, const Scales& scales,
                          const Points& queries, const InverseOptions& o) {
  std::vector<int32_t> placed;
  for (int64_t i = 0; i < map.rows; ++i)
    if (std::isfinite(map.row(i)[0])) placed.push_back(static_cast<int32_t>(i));
  check<StateError>(!placed.empty(), "umap", "inverse_transform expects a map with places");
  const int64_t count = std::min(o.neighbors, static_cast<int64_t>(placed.size()));
  std::vector<Near> near(static_cast<size_t>(queries.rows));
  parallel_for(queries.rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t q = begin; q < end; ++q)
      near[static_cast<size_t>(q)] = nearest(map, placed, queries.row(q), count, o.curve);
  });
  float largest = 0;
  for (const Near& n : near)
    for (const float w : n.weight) largest = std::max(largest, w);
  std::vector<float> out(static_cast<size_t>(queries.rows * data.columns));
  LayoutOptions rates;
  rates.epochs = o.epochs;
  rates.learning_rate = o.learning_rate;
  parallel_for(queries.rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t q = begin; q < end; ++q) {
      const Near& own = near[static_cast<size_t>(q)];
      float* r = out.data() + q * data.columns;
      weighted_mean(data, own, r);
      Schedule schedule(own.weight, largest, o.epochs, o.negative_rate);
      Rng rng(o.seed, "umap inverse", static_cast<uint64_t>(q));
      for (int64_t epoch = 0; epoch < o.epochs; ++epoch) {
        const double rate = epoch_rate(rates, epoch);
        for (int64_t e = 0; e < count; ++e) {
          if (!schedule.due(e, epoch)) continue;
          const int32_t j = own.index[static_cast<size_t>(e)];
          inverse_attract(r, data.row(j), data.columns, own.weight[static_cast<size_t>(e)],
                          scales.sigma[static_cast<size_t>(j)], rate);
          for (int64_t draws = schedule.visit(e, epoch); draws > 0; --draws) {
            const auto other = static_cast<size_t>(rng.next_u32() * uint64_t(data.rows) >> 32);
            inverse_repel(r, data.row(static_cast<int64_t>(other)), data.columns, scales.rho[other],
                          scales.sigma[other], o.repulsion, rate);
          }
        }
      }
    }
  });
  return out;
}

}  // namespace cytograd::umap
