#include "cytograd/core/random.h"

#include <cmath>
#include <numbers>

#include "cytograd/core/error.h"
#include "kernels/random.h"

namespace cytograd {
namespace {

uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

}  // namespace

uint64_t stream_key(uint64_t seed, std::string_view purpose, uint64_t a, uint64_t b) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (const char c : purpose) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  constexpr uint64_t golden = 0x9E3779B97F4A7C15ull;
  uint64_t key = mix(seed + golden);
  for (const uint64_t part : {hash, a, b}) key = mix(key ^ (part + golden));
  return key;
}

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> c, std::array<uint32_t, 2> k) {
  const random::Words out = random::philox({{c[0], c[1], c[2], c[3]}}, k[0], k[1]);
  return {out.w[0], out.w[1], out.w[2], out.w[3]};
}

Rng::Rng(uint64_t seed, std::string_view purpose, uint64_t a, uint64_t b) {
  const uint64_t key = stream_key(seed, purpose, a, b);
  key_ = {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)};
}

uint32_t Rng::next_u32() {
  if (used_ == 4) {
    block_ = philox(counter_, key_);
    for (auto& word : counter_)
      if (++word != 0) break;
    used_ = 0;
  }
  return block_[static_cast<size_t>(used_++)];
}

uint64_t Rng::next_u64() {
  const uint64_t low = next_u32();
  return low | static_cast<uint64_t>(next_u32()) << 32;
}

double Rng::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1p-53; }

double Rng::normal() {
  const double u = 1.0 - uniform(), v = uniform();
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

int64_t Rng::below(int64_t n) {
  check<ValueError>(n >= 1, "rng.below", "n must be >= 1, got ", n);
  const auto range = static_cast<uint64_t>(n);
  const uint64_t limit = UINT64_MAX - UINT64_MAX % range;
  uint64_t value = next_u64();
  while (value >= limit) value = next_u64();
  return static_cast<int64_t>(value % range);
}

double Rng::gamma(double shape) {
  check<ValueError>(shape > 0, "rng.gamma", "shape must be > 0, got ", shape);
  if (shape < 1) {
    const double boosted = gamma(shape + 1), u = 1.0 - uniform();
    return boosted * std::pow(u, 1.0 / shape);
  }
  const double d = shape - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
  while (true) {
    const double x = normal(), t = 1.0 + c * x;
    if (t <= 0) continue;
    const double v = t * t * t, u = 1.0 - uniform();
    if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

int64_t Rng::poisson(double mean) {
  check<ValueError>(mean >= 0, "rng.poisson", "mean must be >= 0, got ", mean);
  // Poisson(a + b) = Poisson(a) + Poisson(b): large means are split so that exp(-mean) stays in
  // range.
  int64_t count = 0;
  while (mean > 30) {
    // The sum of k unit exponentials is gamma(k): jump to the k-th event at once (Ahrens and Dieter
    // 1974).
    const double k = std::floor(mean * 0.875), at = gamma(k);
    if (at > mean) {
      const double p = mean / at;
      for (int64_t i = 1; i < static_cast<int64_t>(k); ++i) count += chance(p);
      return count;
    }
    count += static_cast<int64_t>(k);
    mean -= at;
  }
  const double stop = std::exp(-mean);
  for (double product = 1.0 - uniform(); product > stop; product *= 1.0 - uniform()) ++count;
  return count;
}

}  // namespace cytograd
