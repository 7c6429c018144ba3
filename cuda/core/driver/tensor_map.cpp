#include "cuda/core/tensor_map.h"

#include <cuda.h>
#include <cuda_runtime.h>

#include <cstring>

#include "cytograd/core/error.h"

// Tensor maps of the GPU: the driver writes them.

namespace cytograd::cuda {
namespace {

static_assert(sizeof(TensorMap) == sizeof(CUtensorMap));

// A function of the driver, found at run time so that programs start without one.
template <class F>
F driver_function(const char* name) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
  const cudaError_t error =
      cudaGetDriverEntryPointByVersion(name, &function, 12000, cudaEnableDefault, &found);
  check<DeviceError>(error == cudaSuccess && found == cudaDriverEntryPointSuccess, "tensor_map",
                     "expected a driver with ", name, " (CUDA 12.0 or newer)");
  return reinterpret_cast<F>(function);
}

CUtensorMapDataType type_of(int element_bytes) {
  return element_bytes == 2 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 : CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
}

CUtensorMapSwizzle swizzle_of(int bytes) {
  switch (bytes) {
    case 32:
      return CU_TENSOR_MAP_SWIZZLE_32B;
    case 64:
      return CU_TENSOR_MAP_SWIZZLE_64B;
    case 128:
      return CU_TENSOR_MAP_SWIZZLE_128B;
    default:
      return CU_TENSOR_MAP_SWIZZLE_NONE;
  }
}

TensorMap checked(CUresult result, const CUtensorMap& map) {
  check<ValueError>(result == CUDA_SUCCESS, "tensor_map",
                    "the driver refuses this tensor or tile, error ", static_cast<int>(result));
  TensorMap out;
  std::memcpy(out.words, &map, sizeof map);
  return out;
}

}  // namespace

TensorMap tensor_map(const void* base, const TiledMap& t) {
  static const auto encode =
      driver_function<decltype(&cuTensorMapEncodeTiled)>("cuTensorMapEncodeTiled");
  const cuuint32_t ones[5] = {1, 1, 1, 1, 1};
  cuuint64_t size[5], pitch[5];
  for (int i = 0; i < 5; ++i) {
    size[i] = t.size[i];
    pitch[i] = t.pitch[i];
  }
  CUtensorMap map;
  const CUresult result = encode(
      &map, type_of(t.element_bytes), static_cast<cuuint32_t>(t.rank), const_cast<void*>(base),
      size, pitch + 1, t.box, ones, CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle_of(t.swizzle),
      CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return checked(result, map);
}

TensorMap tensor_map(const void* base, const Im2colMap& c) {
  static const auto encode =
      driver_function<decltype(&cuTensorMapEncodeIm2col)>("cuTensorMapEncodeIm2col");
  const cuuint64_t size[4] = {c.channels_size, c.width, c.height, c.batch};
  const auto element = static_cast<cuuint64_t>(c.element_bytes);
  const cuuint64_t pitch[3] = {size[0] * element, size[0] * size[1] * element,
                               size[0] * size[1] * size[2] * element};
  const cuuint32_t strides[4] = {1, c.stride_w, c.stride_h, 1};
  const int lower[2] = {c.lower_w, c.lower_h}, upper[2] = {c.upper_w, c.upper_h};
  CUtensorMap map;
  const CUresult result =
      encode(&map, type_of(c.element_bytes), 4, const_cast<void*>(base), size, pitch, lower, upper,
             c.channels, c.pixels, strides, CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle_of(c.swizzle),
             CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return checked(result, map);
}

}  // namespace cytograd::cuda
