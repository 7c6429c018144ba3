#include "umap/sequential.h"

#include <utility>

#include "cytograd/core/random.h"

namespace cytograd::simd {
namespace {
constexpr int kLaneBytes = 4;
}
}  // namespace cytograd::simd

#include "cpu/simd/umap_steps.inl"

namespace cytograd::umap {
namespace {

using simd::UmapF;
using simd::UmapU;

float squared(const float* x, const float* y, int64_t dims) {
  float sum = 0;
  for (int64_t d = 0; d < dims; ++d) sum += (x[d] - y[d]) * (x[d] - y[d]);
  return sum;
}

float clip(float x) { return x < -4.0f ? -4.0f : x > 4.0f ? 4.0f : x; }

}  // namespace

void attract_step(const Curve& curve, double rate, int64_t dims, float* j, float* k,
                  const float* k_place) {
  const auto a = static_cast<float>(curve.a), b = static_cast<float>(curve.b);
  const auto r = static_cast<float>(rate);
  const float c = simd::umap_attraction(UmapF{squared(j, k_place, dims)}, a, b)[0];
  for (int64_t d = 0; d < dims; ++d) {
    const float step = r * clip(c * (j[d] - k_place[d]));
    j[d] += step;
    if (k) k[d] -= step;
  }
}

void repel_step(const Curve& curve, double rate, double repulsion, int64_t dims, float* j,
                const float* k) {
  const auto a = static_cast<float>(curve.a), b = static_cast<float>(curve.b);
  const auto r = static_cast<float>(rate), strength = static_cast<float>(repulsion);
  const float c = simd::umap_repulsion(UmapF{squared(j, k, dims)}, a, b, strength)[0];
  for (int64_t d = 0; d < dims; ++d) j[d] += r * clip(c * (j[d] - k[d]));
}

uint64_t epoch_key(const LayoutOptions& o, int64_t epoch) {
  return stream_key(o.seed, "umap layout", static_cast<uint64_t>(epoch));
}

void shuffle_visits(uint32_t* edges, size_t count, uint64_t key, int64_t row) {
  uint64_t bits = key ^ (static_cast<uint64_t>(row) + 1) * 0x9E3779B97F4A7C15u;
  for (size_t left = count; left > 1; --left) {
    bits = bits * 6364136223846793005u + 1442695040888963407u;
    std::swap(edges[left - 1], edges[(bits >> 32) * left >> 32]);
  }
}

int64_t drawn_partner(uint64_t key, uint32_t edge, uint32_t number, int64_t count) {
  const UmapU base =
      simd::umap_mix(UmapU{edge} ^ static_cast<uint32_t>(key)) + static_cast<uint32_t>(key >> 32);
  const uint64_t bits = simd::umap_draw(base, number)[0];
  return static_cast<int64_t>((bits * static_cast<uint64_t>(count)) >> 32);
}

void layout_sequential(std::vector<float>& positions, int64_t dims, const Graph& g,
                       const LayoutOptions& o, Schedule& schedule) {
  for (int64_t epoch = 0; epoch < o.epochs; ++epoch) {
    const uint64_t key = epoch_key(o, epoch);
    const double rate = epoch_rate(o, epoch);
    for (int64_t i = 0; i < g.rows; ++i)
      for (int64_t e = g.begin[i]; e < g.begin[i + 1]; ++e) {
        if (!schedule.due(e, epoch)) continue;
        float* j = positions.data() + i * dims;
        float* k = positions.data() + g.column[e] * dims;
        attract_step(o.curve, rate, dims, j, k, k);
        const auto draws = static_cast<uint32_t>(schedule.visit(e, epoch));
        for (uint32_t draw = 0; draw < draws; ++draw)
          repel_step(
              o.curve, rate, o.repulsion, dims, j,
              positions.data() + drawn_partner(key, static_cast<uint32_t>(e), draw, g.rows) * dims);
      }
  }
}

}  // namespace cytograd::umap
