#pragma once

#include <cstdint>
#include <type_traits>

#include "cytograd/core/dtype.h"

/// @file
/// The only header a kernel includes. One source, two compilers: nvcc makes code for the GPU, any
/// C++20 compiler makes code for the emulated device (cuda/emulation). Rules in docs/cuda.md.
///
///     namespace cytograd::cuda::inline CYTOGRAD_NS {
///     template <int tile>
///     __global__ void __launch_bounds__(256) scale(int64_t n, float a, const float* x, float* y) {
///       CYTOGRAD_SHARED(float, part, [tile][tile + 1]);     // static shared memory
///       CYTOGRAD_DYNAMIC_SHARED(float, rows);               // as many bytes as the launch gave
///       for (int64_t i : grid_stride(n)) y[i] = a * x[i];
///     }
///     }

#if defined(__CUDACC__)
#define CYTOGRAD_NS gpu
#define CYTOGRAD_UNROLL _Pragma("unroll")  // before a loop of fixed length
#define CYTOGRAD_DEVICE __device__ __forceinline__
#define CYTOGRAD_INSTRUCTION __device__ __forceinline__  // one PTX instruction
#define CYTOGRAD_LINE                                    // last parameter of those
#define CYTOGRAD_ONLY_LINE                               // the same where there is no other
#define CYTOGRAD_SHARED(T, name, ...) __shared__ __align__(16) T name __VA_ARGS__
#define CYTOGRAD_DYNAMIC_SHARED(T, name)                                     \
  extern __shared__ __align__(1024) unsigned char cytograd_dynamic_shared[]; \
  T* const name = reinterpret_cast<T*>(cytograd_dynamic_shared)
#else
#include "cuda/emulation/simt.h"
#define CYTOGRAD_UNROLL
// Inline functions differ between files that report their accesses and files that do not.
#ifdef CYTOGRAD_TSAN
#define CYTOGRAD_NS emulated_checked
#else
#define CYTOGRAD_NS emulated
#endif
#define CYTOGRAD_DEVICE inline
#define CYTOGRAD_INSTRUCTION CYTOGRAD_REPORTS inline
#define CYTOGRAD_LINE , CYTOGRAD_SITE
#define CYTOGRAD_ONLY_LINE CYTOGRAD_SITE
#define CYTOGRAD_SHARED(T, name, ...)               \
  typedef T name##_array __VA_ARGS__;               \
  static char name##_key;                           \
  name##_array& name = *static_cast<name##_array*>( \
      ::cytograd::simt::shared_array(&name##_key, sizeof(name##_array), 16, #name))
#define CYTOGRAD_DYNAMIC_SHARED(T, name) \
  T* const name = reinterpret_cast<T*>(::cytograd::simt::dynamic_shared())
#endif

// The same symbol must not name the host's side of a GPU kernel and its emulation: both may be
// linked into one program.
namespace cytograd::cuda::inline CYTOGRAD_NS {

template <class T>
CYTOGRAD_DEVICE constexpr T min(T a, std::type_identity_t<T> b) {
  return b < a ? b : a;
}
template <class T>
CYTOGRAD_DEVICE constexpr T max(T a, std::type_identity_t<T> b) {
  return a < b ? b : a;
}
/// Smallest number of `b`s that hold `a`.
template <class T>
CYTOGRAD_HD constexpr T ceil_div(T a, std::type_identity_t<T> b) {
  return (a + b - 1) / b;
}

// Elementary functions of the GPU's special function unit (about 2 units in the last place of the
// result or of the argument); the emulation is exact.
CYTOGRAD_DEVICE float fast_exp(float x) {
#if defined(__CUDACC__)
  return __expf(x);
#else
  return std::exp(x);
#endif
}
CYTOGRAD_DEVICE float fast_log(float x) {
#if defined(__CUDACC__)
  return __logf(x);
#else
  return std::log(x);
#endif
}

/// n elements that are moved by one access.
template <class T, int n>
struct alignas(sizeof(T) * n) Pack {
  T v[n];
};

#if defined(__CUDACC__)
#define CYTOGRAD_VECTOR_ACCESS CYTOGRAD_DEVICE
#elif defined(CYTOGRAD_TSAN)
#define CYTOGRAD_VECTOR_ACCESS CYTOGRAD_REPORTS inline
#else
#define CYTOGRAD_VECTOR_ACCESS CYTOGRAD_UNCHECKED inline
#endif

/// The T at `p` by one access of its whole size (16 bytes, or 8 or 4), which the address is a
/// multiple of (the emulation checks).
template <class T>
CYTOGRAD_VECTOR_ACCESS T ld16(const void* p) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8 || sizeof(T) == 16);
  T value;
#if defined(__CUDACC__)
  using Word = std::conditional_t<sizeof(T) == 16, uint4,
                                  std::conditional_t<sizeof(T) == 8, uint2, uint32_t>>;
  const Word word = *static_cast<const Word*>(p);
  memcpy(&value, &word, sizeof(T));
#else
  if (reinterpret_cast<uintptr_t>(p) % sizeof(T)) ::cytograd::simt::fail("misaligned vector load");
  ::cytograd::simt::note(p, sizeof(T), ::cytograd::simt::reads, CYTOGRAD_CALLER);
  std::memcpy(&value, p, sizeof(T));
#endif
  return value;
}
/// Writes `value` to `p` by one access.
template <class T>
CYTOGRAD_VECTOR_ACCESS void st16(void* p, const T& value) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8 || sizeof(T) == 16);
#if defined(__CUDACC__)
  // As floats: sums that wgmma writes must not be seen as integers anywhere (the compiler would
  // copy them between registers while the products are under way).
  if constexpr (std::is_same_v<T, float2>) {
    *static_cast<float2*>(p) = value;
    return;
  }
  using Word = std::conditional_t<sizeof(T) == 16, uint4,
                                  std::conditional_t<sizeof(T) == 8, uint2, uint32_t>>;
  Word word;
  memcpy(&word, &value, sizeof(T));
  *static_cast<Word*>(p) = word;
#else
  if (reinterpret_cast<uintptr_t>(p) % sizeof(T)) ::cytograd::simt::fail("misaligned vector store");
  ::cytograd::simt::note(p, sizeof(T), ::cytograd::simt::writes, CYTOGRAD_CALLER);
  std::memcpy(p, &value, sizeof(T));
#endif
}
/// The elements of [0, n) that the calling thread handles, for any one-dimensional grid:
/// `for (int64_t i : grid_stride(n))`.
class GridStride {
 public:
  struct Iterator {
    int64_t i, step;
    CYTOGRAD_DEVICE int64_t operator*() const { return i; }
    CYTOGRAD_DEVICE void operator++() { i += step; }
    CYTOGRAD_DEVICE bool operator!=(const Iterator& end) const { return i < end.i; }
  };
  CYTOGRAD_DEVICE explicit GridStride(int64_t n) : n_(n) {}
  CYTOGRAD_DEVICE Iterator begin() const {
    return {static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x,
            static_cast<int64_t>(gridDim.x) * blockDim.x};
  }
  CYTOGRAD_DEVICE Iterator end() const { return {n_, 0}; }

 private:
  int64_t n_;
};
CYTOGRAD_DEVICE GridStride grid_stride(int64_t n) { return GridStride(n); }

/// Says that this kernel orders accesses of different blocks itself (counters and fences), which
/// the race checker then does not report. Call it once per thread, before those accesses.
CYTOGRAD_DEVICE void blocks_are_ordered() {
#if !defined(__CUDACC__)
  ::cytograd::simt::order_blocks();
#endif
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
