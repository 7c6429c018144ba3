#include "cuda/emulation/tensor_map.h"

#include <cstring>

#include "cytograd/core/error.h"

// The rules are those of cuTensorMapEncodeTiled and cuTensorMapEncodeIm2col.

namespace cytograd::simt {
namespace {

constexpr const char* op = "tensor_map";

void check_common(const void* base, int element_bytes, int swizzle, uint32_t row_bytes) {
  check<ValueError>(base && reinterpret_cast<uintptr_t>(base) % 16 == 0, op,
                    "expected a base address that is a multiple of 16, got ", base);
  check<ValueError>(element_bytes == 2 || element_bytes == 4, op,
                    "expected elements of 2 or 4 bytes, got ", element_bytes);
  check<ValueError>(swizzle == 0 || swizzle == 32 || swizzle == 64 || swizzle == 128, op,
                    "expected a swizzle of 0, 32, 64 or 128 bytes, got ", swizzle);
  check<ValueError>(row_bytes % 16 == 0 && row_bytes > 0, op,
                    "expected tile rows that are a multiple of 16 bytes, got ", row_bytes);
  check<ValueError>(swizzle == 0 || row_bytes <= static_cast<uint32_t>(swizzle), op,
                    "expected tile rows of at most ", swizzle, " bytes with that swizzle, got ",
                    row_bytes);
}

void check_size(uint64_t size) {
  check<ValueError>(size > 0 && size <= (uint64_t{1} << 32), op,
                    "expected sizes from 1 to 2^32, got ", size);
}

void check_pitch(uint64_t pitch) {
  check<ValueError>(pitch % 16 == 0 && pitch > 0 && pitch < (uint64_t{1} << 40), op,
                    "expected pitches that are multiples of 16 bytes below 2^40, got ", pitch);
}

cuda::TensorMap packed(const MapContents& contents) {
  cuda::TensorMap map;
  std::memcpy(map.words, &contents, sizeof contents);
  return map;
}

}  // namespace

cuda::TensorMap tensor_map(const void* base, const cuda::TiledMap& t) {
  check<ValueError>(t.rank >= 2 && t.rank <= 5, op, "expected 2 to 5 dimensions, got ", t.rank);
  check_common(base, t.element_bytes, t.swizzle, t.box[0] * static_cast<uint32_t>(t.element_bytes));
  MapContents m{};
  m.base = reinterpret_cast<uintptr_t>(base);
  m.rank = static_cast<uint8_t>(t.rank);
  m.element_bytes = static_cast<uint8_t>(t.element_bytes);
  m.swizzle = static_cast<uint8_t>(t.swizzle);
  for (int i = 0; i < t.rank; ++i) {
    check_size(t.size[i]);
    check<ValueError>(t.box[i] > 0 && t.box[i] <= 256, op,
                      "expected tile sizes from 1 to 256, got ", t.box[i]);
    m.size[i] = t.size[i];
    m.box[i] = static_cast<uint16_t>(t.box[i]);
    if (i == 0) continue;
    check_pitch(t.pitch[i]);
    m.pitch[i - 1] = t.pitch[i];
  }
  return packed(m);
}

cuda::TensorMap tensor_map(const void* base, const cuda::Im2colMap& c) {
  check_common(base, c.element_bytes, c.swizzle,
               c.channels * static_cast<uint32_t>(c.element_bytes));
  check<ValueError>(c.channels <= 256 && c.pixels > 0 && c.pixels <= 1024, op,
                    "expected tiles of at most 1024 pixels by 256 channels, got ", c.pixels, " by ",
                    c.channels);
  for (const int corner : {c.lower_w, c.lower_h, c.upper_w, c.upper_h})
    check<ValueError>(corner >= -128 && corner <= 127, op,
                      "expected corners from -128 to 127, got ", corner);
  for (const uint32_t stride : {c.stride_w, c.stride_h})
    check<ValueError>(stride >= 1 && stride <= 8, op, "expected strides from 1 to 8, got ", stride);
  MapContents m{};
  m.base = reinterpret_cast<uintptr_t>(base);
  m.rank = 4;
  m.im2col = 1;
  m.element_bytes = static_cast<uint8_t>(c.element_bytes);
  m.swizzle = static_cast<uint8_t>(c.swizzle);
  const uint64_t sizes[4] = {c.channels_size, c.width, c.height, c.batch};
  uint64_t pitch = static_cast<uint64_t>(c.element_bytes);
  for (int i = 0; i < 4; ++i) {
    check_size(sizes[i]);
    m.size[i] = sizes[i];
    pitch *= sizes[i];
    if (i == 3) break;
    check_pitch(pitch);
    m.pitch[i] = pitch;
  }
  m.box[0] = static_cast<uint16_t>(c.channels);
  m.box[1] = static_cast<uint16_t>(c.pixels);
  m.lower[0] = static_cast<int8_t>(c.lower_w);
  m.lower[1] = static_cast<int8_t>(c.lower_h);
  m.upper[0] = static_cast<int8_t>(c.upper_w);
  m.upper[1] = static_cast<int8_t>(c.upper_h);
  m.stride[0] = static_cast<uint8_t>(c.stride_w);
  m.stride[1] = static_cast<uint8_t>(c.stride_h);
  return packed(m);
}

}  // namespace cytograd::simt
