#pragma once

#include "cuda/gemm/math_fma.cuh"
#include "cuda/gemm/math_mma.cuh"
#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"

/// @file
/// Which arithmetic and which tiles an element type gets. Names by columns: `Wide` for more than
/// 64, `Narrow` for 33 to 64, `Slim` for up to 32 (the growth convolutions of DenseNet), `Small`
/// for products of few tiles; `Elements` for operands that are copied one element at a time;
/// `Mapped` for inputs that pass through registers.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// float32 on the CUDA cores.
struct ExactFloat {
  using Element = float;
  using Wide = FmaMath<float, 2, 2, 4, 2>;    // 128 x 128 x 32
  using Narrow = FmaMath<float, 2, 1, 4, 2>;  // 128 x 64 x 32
  using Slim = FmaMath<float, 2, 1, 4, 1>;    // 128 x 32 x 32
  using Small = FmaMath<float, 1, 1, 4, 2>;   // 64 x 64 x 32
  using Elements = Small;
  using MappedWide = Wide;
  using MappedNarrow = Wide;  // the narrow one would spill
};

/// float64 serves checks more than speed: one tile, one way to load it.
struct ExactDouble {
  using Element = double;
  using Elements = FmaMath<double, 1, 1, 4, 2>;  // 64 x 64 x 16
};

/// bfloat16, or float32 rounded to TF32, on the tensor cores.
template <class T>
struct TensorCore {
  using Element = T;
  // 128 x 128 x 128 bytes, in warps of 64 x 64; TF32 needs the registers for its fragments: 64
  // x 32.
  using Wide =
      std::conditional_t<sizeof(T) == 2, MmaMath<T, 2, 2, 4, 8, 2>, MmaMath<T, 2, 4, 4, 4, 1>>;
  using Narrow = MmaMath<T, 2, 2, 4, 4, 3>;        // 128 x 64, warps of 64 x 32
  using Slim = MmaMath<T, 4, 1, 2, 4, 3>;          // 128 x 32, warps of 32 x 32
  using Small = MmaMath<T, 2, 2, 2, 4, 3>;         // 64 x 64, warps of 32 x 32
  using Elements = MmaMath<T, 4, 2, 1, 4, 2>;      // 64 x 64, warps of 16 x 32
  using MappedWide = MmaMath<T, 2, 4, 4, 4, 1>;    // 128 x 128, warps of 64 x 32
  using MappedNarrow = MmaMath<T, 4, 2, 2, 4, 1>;  // 128 x 64, warps of 32 x 32
};

template <class Set>
inline constexpr bool elements_only = std::is_same_v<Set, ExactDouble>;

/// Calls `f.operator()<Set>()` for the tile set of an element type. @throws DtypeError naming `op`
template <class F>
void dispatch_tiles(Dtype dtype, const char* op, const F& f) {
  if (dtype == Dtype::float32)
    return tf32() ? f.template operator()<TensorCore<float>>()
                  : f.template operator()<ExactFloat>();
  if (dtype == Dtype::bfloat16) return f.template operator()<TensorCore<bfloat16>>();
  check<DtypeError>(dtype == Dtype::float64, op, "expects float32, float64 or bfloat16, got ",
                    dtype);
  f.template operator()<ExactDouble>();
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
