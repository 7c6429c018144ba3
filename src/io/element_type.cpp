#include "io/element_type.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace cytograd::io {
namespace {

static_assert(std::endian::native == std::endian::little, "weight files are little-endian");

struct Row {
  ElementType type;
  const char* name;
  size_t bytes;
  Dtype dtype;
};
constexpr Row rows[] = {
    {ElementType::f32, "F32", 4, Dtype::float32},
    {ElementType::f64, "F64", 8, Dtype::float64},
    {ElementType::bf16, "BF16", 2, Dtype::bfloat16},
    {ElementType::f16, "F16", 2, Dtype::float32},
    {ElementType::i64, "I64", 8, Dtype::int64},
    {ElementType::i32, "I32", 4, Dtype::int64},
    {ElementType::i16, "I16", 2, Dtype::int64},
    {ElementType::i8, "I8", 1, Dtype::int64},
    {ElementType::u8, "U8", 1, Dtype::uint8},
    {ElementType::boolean, "BOOL", 1, Dtype::uint8},
};
const Row& row_of(ElementType type) { return rows[static_cast<size_t>(type)]; }

float half_to_float(uint16_t h) {
  const int exponent = h >> 10 & 31, fraction = h & 1023;
  const float sign = h & 0x8000 ? -1.0f : 1.0f;
  if (exponent == 31)
    return fraction ? std::numeric_limits<float>::quiet_NaN()
                    : sign * std::numeric_limits<float>::infinity();
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
}

template <class From, class To, class F>
void each(const void* in, void* out, size_t count, F&& convert) {
  const char* from = static_cast<const char*>(in);
  char* to = static_cast<char*>(out);
  for (size_t i = 0; i < count; ++i) {
    From a;
    std::memcpy(&a, from + i * sizeof a, sizeof a);
    const To b = convert(a);
    std::memcpy(to + i * sizeof b, &b, sizeof b);
  }
}

}  // namespace

size_t size_of(ElementType type) { return row_of(type).bytes; }
Dtype dtype_for(ElementType type) { return row_of(type).dtype; }
const char* name_of(ElementType type) { return row_of(type).name; }
bool is_converted(ElementType type) {
  return type == ElementType::boolean || cytograd::size_of(dtype_for(type)) != size_of(type);
}

std::optional<ElementType> element_type_named(std::string_view name) {
  for (const Row& row : rows)
    if (name == row.name) return row.type;
  return std::nullopt;
}

ElementType element_type_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::float32:
      return ElementType::f32;
    case Dtype::float64:
      return ElementType::f64;
    case Dtype::bfloat16:
      return ElementType::bf16;
    case Dtype::int64:
      return ElementType::i64;
    case Dtype::uint8:
      return ElementType::u8;
  }
  return ElementType::u8;
}

void convert_elements(ElementType type, const void* in, void* out, size_t count) {
  switch (type) {
    case ElementType::f16:
      return each<uint16_t, float>(in, out, count, half_to_float);
    case ElementType::i32:
      return each<int32_t, int64_t>(in, out, count, [](int32_t v) { return v; });
    case ElementType::i16:
      return each<int16_t, int64_t>(in, out, count, [](int16_t v) { return v; });
    case ElementType::i8:
      return each<int8_t, int64_t>(in, out, count, [](int8_t v) { return v; });
    case ElementType::boolean:
      return each<uint8_t, uint8_t>(in, out, count, [](uint8_t v) -> uint8_t { return v != 0; });
    default:
      if (count > 0) std::memcpy(out, in, count * size_of(type));
  }
}

}  // namespace cytograd::io
