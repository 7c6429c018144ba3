// GFLOP/s of the convolution kernels on the layers of conv2d_shapes.txt, beside the peak of a loop
// of register-only multiply-adds measured between the layers.
//   bench_conv2d SHAPES [--threads N] [--only NAME] [--repeats N]
// One line per layer and pass: name, pass, best ms, median ms, GFLOP/s of the best, share of peak.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "cytograd/core/cpu.h"
#include "cytograd/core/parallel.h"
#include "cytograd/core/random.h"
#include "kernels/conv2d.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

using namespace cytograd;

namespace {

// With one thread the processor time of this process, which other programs disturb less.
double now() {
  if (num_threads() == 1) return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double seconds_since(double start) { return now() - start; }

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

double peak_gflops() {
  const std::string isa = isa_name();
  float (*loop)(int64_t) = peak_portable;
  int lanes = 4;
#if defined(__x86_64__)
  if (isa == "avx2") loop = peak_avx2, lanes = 8;
  if (isa == "avx512") loop = peak_avx512, lanes = 16;
#endif
  constexpr int64_t steps = 800'000;
  double best = 0;
  for (int repeat = 0; repeat < 3; ++repeat) {
    const auto start = now();
    parallel_for(num_threads(), 1, [&](int64_t, int64_t) { sink = loop(steps); });
    best = std::max(best, 2.0 * lanes * chains * steps * num_threads() / seconds_since(start));
  }
  return best * 1e-9;
}

std::vector<float> random_values(int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  Rng rng(1, "bench");
  for (float& v : values) v = static_cast<float>(rng.uniform(-1, 1));
  return values;
}

template <class F>
void report(const std::string& name, const char* pass, double flops, double peak, int repeats,
            const F& f) {
  f();
  std::vector<double> times;
  const auto start = now();
  while (static_cast<int>(times.size()) < repeats || seconds_since(start) < 0.15) {
    const auto t = now();
    f();
    times.push_back(seconds_since(t));
  }
  std::sort(times.begin(), times.end());
  const double gflops = flops / times.front() * 1e-9;
  std::printf("%-13s %-15s %8.3f %8.3f %7.1f %5.2f\n", name.c_str(), pass, times.front() * 1e3,
              times[times.size() / 2] * 1e3, gflops, gflops / peak);
  std::fflush(stdout);
}

void run(const std::string& name, const kernels::Conv2dShape& s, int repeats) {
  const auto x = random_values(s.n * s.h * s.w * s.c_in);
  const auto weight = random_values(s.c_out * s.kh * s.kw * s.c_in);
  const auto dy = random_values(s.n * s.out_h() * s.out_w() * s.c_out);
  auto y = dy, dx = x, dw = weight;
  const double flops = 2.0 * static_cast<double>(s.n * s.out_h() * s.out_w() * s.c_out) *
                       static_cast<double>(s.kh * s.kw * s.c_in);
  const double peak = peak_gflops();
  report(name, "forward", flops, peak, repeats,
         [&] { kernels::conv2d_forward(s, x.data(), weight.data(), y.data()); });
  report(name, "backward_data", flops, peak, repeats,
         [&] { kernels::conv2d_backward_data(s, dy.data(), weight.data(), dx.data()); });
  report(name, "backward_weight", flops, peak, repeats,
         [&] { kernels::conv2d_backward_weight(s, x.data(), dy.data(), dw.data()); });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: bench_conv2d SHAPES [--threads N] [--only NAME] [--repeats N]\n");
    return 2;
  }
  std::string only;
  int repeats = 5;
  for (int i = 2; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--threads") == 0) set_num_threads(std::stoi(argv[i + 1]));
    if (std::strcmp(argv[i], "--only") == 0) only = argv[i + 1];
    if (std::strcmp(argv[i], "--repeats") == 0) repeats = std::stoi(argv[i + 1]);
  }
  std::printf("# %s, %d threads, peak %.0f GFLOP/s\n", isa_name(), num_threads(), peak_gflops());
  std::ifstream file(argv[1]);
  for (std::string line; std::getline(file, line);) {
    std::istringstream in(line);
    std::string name;
    kernels::Conv2dShape s{};
    if (!(in >> name) || name[0] == '#' || (!only.empty() && name != only)) continue;
    in >> s.n >> s.h >> s.w >> s.c_in >> s.c_out >> s.kh >> s.stride_h >> s.pad_h;
    s.kw = s.kh;
    s.stride_w = s.stride_h;
    s.pad_w = s.pad_h;
    run(name, s, repeats);
  }
}
