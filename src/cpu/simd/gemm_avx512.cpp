#if defined(__x86_64__)
#include "cpu/simd/vec_avx512.h"

#include "cpu/simd/gemm.inl"

namespace cytograd::simd {

constinit const GemmTable gemm_avx512 = {gemm_kernels<float>(), gemm_kernels<double>()};

}  // namespace cytograd::simd
#endif
