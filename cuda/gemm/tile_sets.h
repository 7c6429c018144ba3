#pragma once

#include "cuda/gemm/math_fma.cuh"
#include "cuda/gemm/math_mma.cuh"
#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"

/// @file
/// Which arithmetic and which tiles an element type gets. Names by columns: `Wide` for more than
/// 64, `Narrow` for 33 to 64, `Slim` for up to 32 (the growth convolutions of DenseNet), `Small`
/// for products of few tiles.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// float32 on the CUDA cores.
struct ExactFloat {
  using Element = float;
  using Wide = FmaMath<float, 2, 2, 4, 2>;    // 128 x 128 x 32
  using Narrow = FmaMath<float, 2, 1, 4, 2>;  // 128 x 64 x 32
  using Slim = FmaMath<float, 2, 1, 4, 1>;    // 128 x 32 x 32
  using Small = FmaMath<float, 1, 1, 4, 2>;   // 64 x 64 x 32
};

/// float64 serves checks more than speed: one tile, one way to load it.
struct ExactDouble {
  using Element = double;
  using Narrow = FmaMath<double, 1, 1, 4, 2>;  // 64 x 64 x 16
  using Small = Narrow;
};

/// bfloat16, or float32 rounded to TF32, on the tensor cores.
template <class T>
struct TensorCore {
  using Element = T;
  using Wide = MmaMath<T, 2, 4, 4>;    // 128 x 128 x 128 bytes
  using Narrow = MmaMath<T, 4, 2, 2>;  // 128 x 64
  using Slim = MmaMath<T, 4, 1, 2>;    // 128 x 32
  using Small = MmaMath<T, 2, 2, 2>;   // 64 x 64
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
