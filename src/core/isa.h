#pragma once

namespace cytograd {

/// Instruction sets with kernels of their own, each a superset of the one before.
enum class Isa { portable = 0, avx2 = 1, avx512 = 2 };
inline constexpr int isa_count = 3;

/// What the kernels shall use now; see <cytograd/core/cpu.h>.
Isa current_isa();

}  // namespace cytograd
