#pragma once

#include <cstdint>

/// @file
/// Description of a tensor in device memory for the copy engine (TMA), made on the host and passed
/// to kernels as `const __grid_constant__ TensorMap`. sm_90.

namespace cytograd::cuda {

/// 128 bytes whose meaning is the driver's (GPU) or the emulation's.
struct alignas(64) TensorMap {
  uint64_t words[16] = {};
};

/// Tiles of a tensor with 2 to 5 dimensions, the fastest first: box[i] elements of dimension i;
/// elements outside the tensor read as zero.
struct TiledMap {
  int rank = 2;
  int element_bytes = 2;  ///< 2 (bfloat16) or 4 (float)
  uint64_t size[5] = {};  ///< elements
  uint64_t pitch[5] =
      {};  ///< bytes from one element of dimension i to the next, i >= 1; multiples of 16
  uint32_t box[5] = {};  ///< at most 256 each
  int swizzle = 128;     ///< bytes: 0, 32, 64, 128; box[0] * element_bytes must fit if not 0
};

/// Columns of a convolution over an NHWC tensor: a tile is `pixels` output positions in (w, h, n)
/// order times `channels`.
struct Im2colMap {
  int element_bytes = 2;
  uint64_t channels_size = 0, width = 0, height = 0, batch = 0;
  uint32_t channels = 0;         ///< of a tile
  uint32_t pixels = 0;           ///< of a tile, at most 1024
  int lower_w = 0, lower_h = 0;  ///< first window position: -padding
  int upper_w = 0,
      upper_h = 0;  ///< padding - (k - 1) * dilation: positions go up to width - 1 + upper_w
  uint32_t stride_w = 1, stride_h = 1;
  int swizzle = 128;
};

/// @param base multiple of 16 bytes
/// @throws ValueError if the hardware cannot describe it; DeviceError on the GPU without such
/// hardware
TensorMap tensor_map(const void* base, const TiledMap& tiles);
TensorMap tensor_map(const void* base, const Im2colMap& columns);

}  // namespace cytograd::cuda
