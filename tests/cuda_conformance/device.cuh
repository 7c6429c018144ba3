#pragma once

#include <vector>

#include "cuda/core/ptx.cuh"

#if !defined(__CUDACC__)
#include "cuda/emulation/memory.h"
#include "cuda/emulation/tensor_map.h"
#else
#include <stdexcept>
#include <string>
#endif

// Memory and launches of the conformance cases, without the backend, which is tested elsewhere.

namespace cytograd::conformance::inline CYTOGRAD_NS {

#if defined(__CUDACC__)
inline void check_cuda(cudaError_t e) {
  if (e != cudaSuccess) throw std::runtime_error(cudaGetErrorString(e));
}
#endif

template <class T>
class Buffer {
 public:
  explicit Buffer(const std::vector<T>& values) : size_(values.size()) {
#if defined(__CUDACC__)
    check_cuda(cudaMalloc(&data_, size_ * sizeof(T)));
    check_cuda(cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice));
#else
    data_ = static_cast<T*>(simt::device_allocate(size_ * sizeof(T)));
    for (size_t i = 0; i < size_; ++i) data_[i] = values[i];
#endif
  }
  ~Buffer() {
#if defined(__CUDACC__)
    cudaFree(data_);
#else
    simt::device_free(data_);
#endif
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  T* data() const { return data_; }
  std::vector<T> values() const {
    std::vector<T> out(size_);
#if defined(__CUDACC__)
    check_cuda(cudaDeviceSynchronize());
    check_cuda(cudaMemcpy(out.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost));
#else
    out.assign(data_, data_ + size_);
#endif
    return out;
  }

 private:
  T* data_ = nullptr;
  size_t size_;
};

// The tensor map of the device that this file is compiled for; both kinds are in one program.
template <class Map>
cuda::TensorMap map_of(const void* base, const Map& map) {
#if defined(__CUDACC__)
  return cuda::tensor_map(base, map);
#else
  return simt::tensor_map(base, map);
#endif
}

// One block of `threads` with `bytes` of dynamic shared memory.
template <class... P, class... A>
void launch(void (*kernel)(P...), dim3 threads, size_t bytes, const A&... arguments) {
#if defined(__CUDACC__)
  if (bytes > 48 << 10)
    check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    static_cast<int>(bytes)));
  kernel<<<1, threads, bytes>>>(static_cast<P>(arguments)...);
  check_cuda(cudaGetLastError());
#else
  simt::launch(simt::Launch{1, threads, bytes, "conformance"}, kernel, arguments...);
#endif
}

// Element (i, j) of test operand `which`: an integer from -4 to 4.
CYTOGRAD_HD inline float element(int which, int i, int j) {
  const uint32_t h = (static_cast<uint32_t>(i) * 37u + static_cast<uint32_t>(j) * 101u +
                      static_cast<uint32_t>(which) * 7919u + 13u) *
                     2654435761u;
  return static_cast<float>(h >> 16 & 0xff) * (9.0f / 256.0f) - 4.5f > 0
             ? static_cast<float>(static_cast<int>((h >> 16 & 0xff) % 5u))
             : -static_cast<float>(static_cast<int>((h >> 20 & 0xff) % 5u));
}
CYTOGRAD_HD inline uint32_t pair(float low, float high) {
  return to_bfloat16(low).bits | static_cast<uint32_t>(to_bfloat16(high).bits) << 16;
}
CYTOGRAD_HD inline uint32_t bits_of(float x) {
  uint32_t out;
  std::memcpy(&out, &x, sizeof out);
  return out;
}

}  // namespace cytograd::conformance::inline CYTOGRAD_NS
