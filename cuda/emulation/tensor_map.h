#pragma once

#include "cuda/core/tensor_map.h"

namespace cytograd::simt {

/// What the emulation keeps in a TensorMap.
struct MapContents {
  uint64_t base;
  uint64_t size[5];   ///< elements
  uint64_t pitch[4];  ///< bytes, of dimensions 1 to 4
  uint16_t box[5];    ///< tiled; im2col: channels, pixels
  int8_t lower[2], upper[2];
  uint8_t stride[2];
  uint8_t rank, element_bytes, swizzle, im2col;
};
cuda::TensorMap tensor_map(const void* base, const cuda::TiledMap& tiles);
cuda::TensorMap tensor_map(const void* base, const cuda::Im2colMap& columns);

static_assert(sizeof(MapContents) <= sizeof(cuda::TensorMap));

}  // namespace cytograd::simt
