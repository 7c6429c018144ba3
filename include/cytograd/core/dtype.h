#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iosfwd>

/// On functions that kernels on both devices call.
#ifndef CYTOGRAD_HD
#ifdef __CUDACC__
#define CYTOGRAD_HD __host__ __device__
#else
#define CYTOGRAD_HD
#endif
#endif

namespace cytograd {

/// Element types. float32 and float64 compute; bfloat16 computes on CUDA, and on the CPU is
/// storage; indices are int64, images uint8.
enum class Dtype : uint8_t { float32, float64, bfloat16, int64, uint8 };

/// 16-bit float: the upper half of a float32.
struct bfloat16 {
  uint16_t bits;
};
CYTOGRAD_HD inline float to_float(bfloat16 x) {
  const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
  float out;
  std::memcpy(&out, &bits, sizeof out);
  return out;
}
/// Rounds to nearest even; NaN stays NaN.
CYTOGRAD_HD inline bfloat16 to_bfloat16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>((bits >> 16) | 0x40u)};
  return {static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

size_t size_of(Dtype dtype);
bool is_floating(Dtype dtype);
const char* name_of(Dtype dtype);
std::ostream& operator<<(std::ostream& out, Dtype dtype);

template <class T>
struct DtypeOf;
template <>
struct DtypeOf<float> {
  static constexpr Dtype value = Dtype::float32;
};
template <>
struct DtypeOf<double> {
  static constexpr Dtype value = Dtype::float64;
};
template <>
struct DtypeOf<bfloat16> {
  static constexpr Dtype value = Dtype::bfloat16;
};
template <>
struct DtypeOf<int64_t> {
  static constexpr Dtype value = Dtype::int64;
};
template <>
struct DtypeOf<uint8_t> {
  static constexpr Dtype value = Dtype::uint8;
};
template <class T>
inline constexpr Dtype dtype_of = DtypeOf<T>::value;

}  // namespace cytograd
