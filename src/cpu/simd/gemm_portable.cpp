#include "cpu/simd/vec_portable.h"

#include "cpu/simd/gemm.inl"

namespace cytograd::simd {

constinit const GemmTable gemm_portable = {gemm_kernels<float>(), gemm_kernels<double>()};

}  // namespace cytograd::simd
