#pragma once

namespace cytograd {

/// Instruction sets with kernels of their own, each a superset of the one before.
enum class Isa { portable = 0, avx2 = 1, avx512 = 2 };
inline constexpr int isa_count = 3;

/// What the kernels shall use now; see <cytograd/core/cpu.h>.
Isa current_isa();

/// The one of three equal things that serves the instruction set in use.
template <class T>
const T& of_current_isa(const T& portable, const T& avx2, const T& avx512) {
  const Isa isa = current_isa();
  return isa == Isa::avx512 ? avx512 : isa == Isa::avx2 ? avx2 : portable;
}

/// Of the tables name_portable, name_avx2 and name_avx512, which other machines lack, that in use.
#if defined(__x86_64__)
#define CYTOGRAD_OF_ISA(name) \
  ::cytograd::of_current_isa(name##_portable, name##_avx2, name##_avx512)
#else
#define CYTOGRAD_OF_ISA(name) (name##_portable)
#endif

}  // namespace cytograd
