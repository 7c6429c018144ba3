#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace cytograd {

/// Counter-based random numbers: Philox 4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy
/// as 1, 2, 3", SC 2011). A stream is named by (seed, purpose, a, b), for instance (seed,
/// "augment", epoch, sample), and has no other state, so that neither thread order nor a restart
/// changes what is drawn.
class Rng {
 public:
  explicit Rng(uint64_t seed, std::string_view purpose = {}, uint64_t a = 0, uint64_t b = 0);

  /// Next 32 random bits.
  uint32_t next_u32();
  uint64_t next_u64();
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Standard normal by Box-Muller.
  double normal();
  /// Uniform in 0..n-1 without bias. @throws ValueError if n < 1
  int64_t below(int64_t n);
  /// True with probability p.
  bool chance(double p) { return uniform() < p; }
  /// Gamma(shape, 1) (Marsaglia and Tsang 2000). @throws ValueError if shape <= 0
  double gamma(double shape);
  /// Poisson(mean). @throws ValueError if mean < 0
  int64_t poisson(double mean);
  /// Fisher-Yates.
  template <class T>
  void shuffle(std::vector<T>& items) {
    for (size_t i = items.size(); i > 1; --i)
      std::swap(items[i - 1], items[static_cast<size_t>(below(static_cast<int64_t>(i)))]);
  }

 private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_{};
  std::array<uint32_t, 4> block_{};
  int used_ = 4;
};

/// One Philox 4x32-10 block: what `Rng` steps through; for kernels that draw by index.
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);
/// Mixes a name and numbers into a 64-bit key (splitmix64 finaliser over FNV-1a).
uint64_t stream_key(uint64_t seed, std::string_view purpose, uint64_t a = 0, uint64_t b = 0);

}  // namespace cytograd
