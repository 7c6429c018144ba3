#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "cuda/device_buffer.h"
#include "cuda/planted_faults.cuh"

// How each planted fault is run, and where it is caught. Compiled twice: as the race build compiles
// kernels, and as the others do.

namespace cytograd::cuda::inline CYTOGRAD_NS {

struct PlantedFault {
  const char* name;
  bool (*run)(bool broken);  ///< whether the values are right
  bool values;  ///< caught without the race checker: an error or wrong values in any order
  bool address_sanitizer;  ///< otherwise caught by AddressSanitizer
};

inline float input(size_t i) { return static_cast<float>(i * 7 % 23 + 1); }
inline std::vector<float> inputs(size_t n) {
  std::vector<float> x(n);
  for (size_t i = 0; i < n; ++i) x[i] = input(i);
  return x;
}

// Runs broken or correct on inputs(n) and compares the outputs with expected(i).
template <class... P, class Expected, class... A>
bool right(void (*broken_kernel)(P...), void (*kernel)(P...), bool broken, dim3 grid, dim3 block,
           size_t n, size_t outputs, Expected expected, const A&... more) {
  test::DeviceBuffer<float> x(inputs(n), "x"), y(std::vector<float>(outputs), "y");
  simt::launch(simt::Launch{grid, block, 8192, "planted fault"}, broken ? broken_kernel : kernel,
               static_cast<const float*>(x), static_cast<float*>(y), more...);
  for (size_t i = 0; i < outputs; ++i)
    if (!(y[i] == expected(i))) return false;
  return true;
}

constexpr int tile_count = 5;
inline float sum_of_tiles(size_t i, size_t tile) {
  float sum = 0;
  for (size_t k = 0; k < tile_count; ++k) sum += input(k * tile + tile - 1 - i);
  return sum;
}

inline bool run_full_ignored(bool broken) {
  test::DeviceBuffer<float> x(inputs(128), "x"), y(std::vector<float>(128), "y");
  TiledMap t;
  t.element_bytes = 4;
  t.swizzle = 0;
  t.size[0] = t.box[0] = 16;
  t.size[1] = t.box[1] = 8;
  t.pitch[1] = 64;
  simt::launch(simt::Launch{1, 128, 8192, "planted fault"},
               broken ? full_ignored<true> : full_ignored<false>, tensor_map(x, t),
               static_cast<float*>(y));
  return y.values() == inputs(128);
}

inline bool run_host_pointer(bool broken) {
  const std::vector<float> host = inputs(32);
  test::DeviceBuffer<float> x(host, "x"), y(32);
  simt::launch(simt::Launch{1, 32, 0, "planted fault"}, double_all,
               broken ? host.data() : static_cast<const float*>(x), static_cast<float*>(y));
  return y[31] == 2 * host[31];
}

inline std::vector<PlantedFault> planted_faults() {
  const auto sum = [](size_t from, size_t to) {
    float s = 0;
    for (size_t i = from; i < to; ++i) s += input(i);
    return s;
  };
  static const float sum_32 = sum(0, 32), sum_100 = sum(0, 100);
  static float bins[4];
  for (size_t b = 0; b < 4; ++b) {
    bins[b] = 0;
    for (size_t i = 0; i < 256; ++i)
      bins[b] += static_cast<int>(input(i)) % 4 == static_cast<int>(b);
  }
#define CYTOGRAD_FAULT(kernel, grid, block, n, outputs, expected, ...) \
#kernel, [](bool broken) {                                                                       \
    return right(kernel<true>, kernel<false>, broken, grid, block, n, outputs,                     \
                 [](size_t i) -> float { return expected; } __VA_OPT__(, ) __VA_ARGS__);           \
  }
  return {
      {CYTOGRAD_FAULT(missing_barrier, 1, 128, 128, 128, input(i ^ 33)), true, true},
      {CYTOGRAD_FAULT(missing_barrier_before_refill, 1, 128, 128 * tile_count, 128,
                      sum_of_tiles(i, 128), tile_count),
       true, true},
      {CYTOGRAD_FAULT(wrong_index, 1, dim3(16, 8), 128, 128, input(i % 8 * 16 + i / 8)), true,
       true},
      {CYTOGRAD_FAULT(off_by_one_tail, 1, 128, 101, 101, 2 * input(i), 101), false, true},
      {CYTOGRAD_FAULT(uninitialised_shared, 1, 128, 100, 1, (static_cast<void>(i), sum_100), 100u),
       true, true},
      {CYTOGRAD_FAULT(wrong_shuffle_mask, 1, 32, 32, 32, (static_cast<void>(i), sum_32)), true,
       true},
      {CYTOGRAD_FAULT(plain_addition, 2, 128, 256, 4, bins[i]), false, false},
      {CYTOGRAD_FAULT(copy_not_awaited, 1, 32, 128 * tile_count, 32, sum_of_tiles(i, 128),
                      tile_count),
       true, true},
      {CYTOGRAD_FAULT(double_buffer, 1, 128, 128 * tile_count, 128, sum_of_tiles(i, 128),
                      tile_count),
       true, true},
      {"full_ignored", run_full_ignored, true, true},
      {CYTOGRAD_FAULT(empty_ignored, 1, 128, 64 * tile_count, 64, sum_of_tiles(i, 64), tile_count),
       true, true},
      {CYTOGRAD_FAULT(missing_proxy_fence, 1, 128, 64, 128,
                      64 * input(i / 32 * 16 + i % 32 / 4) * input(i % 4 * 2)),
       false, false},
      {CYTOGRAD_FAULT(early_return, 1, 128, 100, 100, input(99 - i), 100), true, true},
      {CYTOGRAD_FAULT(blocks_not_ordered, 2, 32, 64, 64, 2 * input(i)), true, true},
      {"host_pointer", run_host_pointer, false, false},
  };
#undef CYTOGRAD_FAULT
}

/// "right", "wrong" or the error.
inline std::string outcome(const PlantedFault& fault, bool broken) {
  try {
    return fault.run(broken) ? "right" : "wrong";
  } catch (const simt::LaunchError& e) {
    return e.what();
  }
}

/// Calls f() in three orders, the random one with several seeds.
template <class F>
void in_orders(F f) {
  for (const auto order : {simt::Order::ascending, simt::Order::descending}) {
    simt::config().order = order;
    f();
  }
  simt::config().order = simt::Order::random;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    simt::config().seed = seed;
    f();
  }
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
