#pragma once

#include <cstddef>
#include <functional>

#include "cuda/core/runtime.h"

/// @file
/// What tests and kernel launches ask of the emulated device beyond cuda/core/runtime.h.

namespace cytograd::cuda {

/// The emulated machine; changeable in tests.
struct EmulatedMachine {
  int devices = 1;                  ///< 0: as without a driver
  size_t memory = size_t{4} << 30;  ///< of each device; CYTO_EMULATION_MEMORY, in bytes
  int major = 9, minor = 0;         ///< compute capability; CYTO_EMULATION_CAPABILITY, e.g. 80
  size_t longest_queue = 1024;      ///< pieces of work that a stream keeps before it runs some
};
EmulatedMachine& emulated_machine();

/// Puts `work` on the stream. It runs as late as a device may: when somebody waits for it.
void enqueue(StreamHandle stream, std::function<void()> work);

}  // namespace cytograd::cuda
