#include "bench/support/peak.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "bench/support/clock.h"
#include "cytograd/core/cpu.h"
#include "cytograd/core/parallel.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace cytograd::bench {
namespace {

constexpr int chains = 12;

// Independent chains of multiply-adds that never leave the registers.
#define CYTOGRAD_PEAK_LOOP(name, target_isa, V, set, fma)                  \
  target_isa float name(int64_t steps) {                                   \
    V sums[chains];                                                        \
    const V x = set(0.999999f), y = set(1e-7f);                            \
    for (int i = 0; i < chains; ++i) sums[i] = set(static_cast<float>(i)); \
    for (int64_t s = 0; s < steps; ++s)                                    \
      for (int i = 0; i < chains; ++i) sums[i] = fma(sums[i], x, y);       \
    for (int i = 1; i < chains; ++i) sums[0] = fma(sums[i], x, sums[0]);   \
    return sums[0][0];                                                     \
  }
using Vec4 = float __attribute__((vector_size(16)));
inline Vec4 set4(float x) { return Vec4{x, x, x, x}; }
inline Vec4 multiply_add4(Vec4 a, Vec4 b, Vec4 c) { return a * b + c; }
CYTOGRAD_PEAK_LOOP(peak_portable, , Vec4, set4, multiply_add4)
#if defined(__x86_64__)
#define CYTOGRAD_TARGET(isa) __attribute__((target(isa)))
CYTOGRAD_PEAK_LOOP(peak_avx2, CYTOGRAD_TARGET("avx2,fma"), __m256, _mm256_set1_ps, _mm256_fmadd_ps)
CYTOGRAD_PEAK_LOOP(peak_avx512, CYTOGRAD_TARGET("avx512f"), __m512, _mm512_set1_ps, _mm512_fmadd_ps)
#endif

volatile float sink;

}  // namespace

double peak_gflops() {
  const std::string isa = isa_name();
  float (*loop)(int64_t) = peak_portable;
  int lanes = 4;
#if defined(__x86_64__)
  if (isa == "avx2") loop = peak_avx2, lanes = 8;
  if (isa == "avx512") loop = peak_avx512, lanes = 16;
#endif
  constexpr int64_t steps = 800'000;
  const int threads = num_threads();
  const Work work{[&] {
    parallel_for(threads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) sink = loop(steps);
    });
  }};
  return 2e-9 * lanes * chains * steps * threads / measure(work, 3, 0, 0, kernel_seconds).best();
}

double copy_gigabytes() {
  constexpr int64_t bytes = 64'000'000, chunk = 1'000'000;
  static std::vector<char> source(bytes, 1), target(bytes);
  const Work work{[] {
    parallel_for(bytes, chunk, [](int64_t begin, int64_t end) {
      std::memcpy(target.data() + begin, source.data() + begin, static_cast<size_t>(end - begin));
    });
  }};
  return 2e-9 * bytes / measure(work, 3, 0, 0, kernel_seconds).best();
}

}  // namespace cytograd::bench
