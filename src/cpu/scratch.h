#pragma once

#include <cstddef>
#include <cstdint>

namespace cytograd::cpu {

/// Buffers that kernels keep per thread, so that a training step allocates none.
enum class Scratch { whole_b, partial, block_a, panel_b, rows, groups, count };

/// At least `bytes` bytes on a 64-byte boundary, content undefined; valid until the same thread
/// asks for the same slot again. Grows, and is freed when the thread ends.
/// @throws DeviceError when there is no memory
void* scratch_bytes(Scratch slot, int64_t bytes);

template <class T>
T* scratch(Scratch slot, int64_t count) {
  return static_cast<T*>(scratch_bytes(slot, count * static_cast<int64_t>(sizeof(T))));
}

}  // namespace cytograd::cpu
