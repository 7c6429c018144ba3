#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "cytograd/core/tensor.h"

namespace cytograd::io {

/// Element types of weight files. Those that no Tensor has are converted on reading: f16 to
/// float32; i32, i16 and i8 to int64; booleans to uint8. Each conversion is exact.
enum class ElementType : uint8_t { f32, f64, bf16, f16, i64, i32, i16, i8, u8, boolean };

size_t size_of(ElementType type);
Dtype dtype_for(ElementType type);
/// True where dtype_for is another type than the one in the file.
bool is_converted(ElementType type);
/// The names of safetensors: "F32", "BOOL".
const char* name_of(ElementType type);
std::optional<ElementType> element_type_named(std::string_view safetensors_name);
ElementType element_type_of(Dtype dtype);

/// Converts `count` packed little-endian elements into `out`, of type dtype_for(type).
void convert_elements(ElementType type, const void* in, void* out, size_t count);

}  // namespace cytograd::io
