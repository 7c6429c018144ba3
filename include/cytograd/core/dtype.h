#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>

namespace cytograd {

/// Element types. float32 and float64 compute; bfloat16 is storage on the CPU; indices are int64,
/// images uint8.
enum class Dtype : uint8_t { float32, float64, bfloat16, int64, uint8 };

/// Storage-only 16-bit float: the upper half of a float32.
struct bfloat16 {
  uint16_t bits;
};
float to_float(bfloat16 x);
/// Rounds to nearest even; NaN stays NaN.
bfloat16 to_bfloat16(float x);

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
