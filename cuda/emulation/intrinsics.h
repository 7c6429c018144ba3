#pragma once

#include <bit>
#include <functional>

#include "cuda/emulation/simt.h"

/// @file
/// CUDA's barriers, warp functions and arithmetic intrinsics.

// Barriers of the block.
CYTOGRAD_UNCHECKED inline void __syncthreads(CYTOGRAD_SITE) { cytograd::simt::barrier(0, 0, site); }
CYTOGRAD_UNCHECKED inline int __syncthreads_count(int vote, CYTOGRAD_SITE) {
  cytograd::simt::barrier(0, 0, site, true, vote != 0);
  return cytograd::simt::self->votes;
}
CYTOGRAD_UNCHECKED inline int __syncthreads_or(int vote, CYTOGRAD_SITE) {
  return __syncthreads_count(vote, site) > 0;
}
CYTOGRAD_UNCHECKED inline int __syncthreads_and(int vote, CYTOGRAD_SITE) {
  return __syncthreads_count(vote, site) == cytograd::simt::self->arrivals;
}
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __nanosleep(unsigned, CYTOGRAD_SITE) { cytograd::simt::yield("__nanosleep", site); }

// Warp functions.
CYTOGRAD_UNCHECKED inline void __syncwarp(uint32_t mask = ~0u, CYTOGRAD_SITE) {
  cytograd::simt::warp_collective(mask, "__syncwarp", nullptr, nullptr, true, site);
}
CYTOGRAD_UNCHECKED inline uint32_t __ballot_sync(uint32_t mask, int vote, CYTOGRAD_SITE) {
  return cytograd::simt::ballot(mask, vote != 0, "__ballot_sync", site);
}
CYTOGRAD_UNCHECKED inline int __any_sync(uint32_t mask, int vote, CYTOGRAD_SITE) {
  return cytograd::simt::ballot(mask, vote != 0, "__any_sync", site) != 0;
}
CYTOGRAD_UNCHECKED inline int __all_sync(uint32_t mask, int vote, CYTOGRAD_SITE) {
  return cytograd::simt::ballot(mask, vote == 0, "__all_sync", site) == 0;
}
template <class T>
CYTOGRAD_UNCHECKED T __shfl_sync(uint32_t mask, T value, int from, int width = 32, CYTOGRAD_SITE) {
  const auto lane = [from](int own, int w) { return (own & ~(w - 1)) | (from & (w - 1)); };
  return cytograd::simt::shuffle(mask, value, width, "__shfl_sync", lane, site);
}
template <class T>
CYTOGRAD_UNCHECKED T __shfl_xor_sync(uint32_t mask, T value, int bits, int width = 32,
                                     CYTOGRAD_SITE) {
  const auto lane = [bits](int own, int w) {
    const int from = own ^ bits;
    return from >= (own & ~(w - 1)) + w ? own : from;
  };
  return cytograd::simt::shuffle(mask, value, width, "__shfl_xor_sync", lane, site);
}
template <class T>
CYTOGRAD_UNCHECKED T __shfl_down_sync(uint32_t mask, T value, unsigned delta, int width = 32,
                                      CYTOGRAD_SITE) {
  const int d = static_cast<int>(delta);
  const auto lane = [d](int own, int w) { return (own & (w - 1)) + d < w ? own + d : own; };
  return cytograd::simt::shuffle(mask, value, width, "__shfl_down_sync", lane, site);
}
template <class T>
CYTOGRAD_UNCHECKED T __shfl_up_sync(uint32_t mask, T value, unsigned delta, int width = 32,
                                    CYTOGRAD_SITE) {
  const int d = static_cast<int>(delta);
  const auto lane = [d](int own, int w) { return (own & (w - 1)) >= d ? own - d : own; };
  return cytograd::simt::shuffle(mask, value, width, "__shfl_up_sync", lane, site);
}
template <class T>
requires std::is_same_v<T, int> || std::is_same_v<T, unsigned> CYTOGRAD_UNCHECKED T
__reduce_add_sync(uint32_t mask, T value, CYTOGRAD_SITE) {
  const auto fold = [](T a, T b) { return static_cast<T>(a + b); };
  return cytograd::simt::reduce(mask, value, "__reduce_add_sync", fold, site);
}
template <class T>
requires std::is_same_v<T, int> || std::is_same_v<T, unsigned> CYTOGRAD_UNCHECKED T
__reduce_min_sync(uint32_t mask, T value, CYTOGRAD_SITE) {
  const auto fold = [](T a, T b) { return b < a ? b : a; };
  return cytograd::simt::reduce(mask, value, "__reduce_min_sync", fold, site);
}
template <class T>
requires std::is_same_v<T, int> || std::is_same_v<T, unsigned> CYTOGRAD_UNCHECKED T
__reduce_max_sync(uint32_t mask, T value, CYTOGRAD_SITE) {
  const auto fold = [](T a, T b) { return a < b ? b : a; };
  return cytograd::simt::reduce(mask, value, "__reduce_max_sync", fold, site);
}
CYTOGRAD_UNCHECKED inline uint32_t __reduce_or_sync(uint32_t mask, uint32_t value, CYTOGRAD_SITE) {
  const auto fold = [](uint32_t a, uint32_t b) { return a | b; };
  return cytograd::simt::reduce(mask, value, "__reduce_or_sync", fold, site);
}
CYTOGRAD_UNCHECKED inline uint32_t __reduce_and_sync(uint32_t mask, uint32_t value, CYTOGRAD_SITE) {
  const auto fold = [](uint32_t a, uint32_t b) { return a & b; };
  return cytograd::simt::reduce(mask, value, "__reduce_and_sync", fold, site);
}

// Memory.
template <class T>
inline T __ldg(const T* p) {
  return *p;
}

// Arithmetic. The fast functions of the GPU have larger errors; tests compare within those.
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline float __fmaf_rn(float x, float y, float z) { return std::fma(x, y, z); }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1.0f) : 0.0f; }
inline int __popc(uint32_t x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return std::countl_zero(static_cast<unsigned long long>(x)); }
inline uint32_t __umulhi(uint32_t a, uint32_t b) {
  return static_cast<uint32_t>(static_cast<uint64_t>(a) * b >> 32);
}
inline uint32_t __brev(uint32_t x) {
  x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
  x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
  x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
  return __builtin_bswap32(x);
}
inline uint32_t __byte_perm(uint32_t low, uint32_t high, uint32_t selector) {
  const uint64_t bytes = static_cast<uint64_t>(high) << 32 | low;
  uint32_t out = 0;
  for (int i = 0; i < 4; ++i)
    out |= static_cast<uint32_t>(bytes >> (selector >> (4 * i) & 7) * 8 & 0xff) << (8 * i);
  return out;
}
inline float __uint_as_float(uint32_t x) { return std::bit_cast<float>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline uint32_t __float_as_uint(float x) { return std::bit_cast<uint32_t>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
