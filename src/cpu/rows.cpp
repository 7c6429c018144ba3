#include "cpu/rows.h"

#include "core/isa.h"

namespace cytograd::cpu {

template <>
const simd::RowKernels<float>& row_kernels<float>() {
  return CYTOGRAD_OF_ISA(simd::rows).f32;
}
template <>
const simd::RowKernels<double>& row_kernels<double>() {
  return CYTOGRAD_OF_ISA(simd::rows).f64;
}

}  // namespace cytograd::cpu
