#pragma once

#include <cstddef>
#include <optional>
#include <vector>

/// @file
/// Memory of the emulated device: exact sizes, filled with bytes nobody wrote, and a list of what
/// is allocated.

namespace cytograd::simt {

struct DeviceBlock {
  void* memory;
  size_t bytes;
  const char* name;  ///< for messages
};

/// `bytes` of device memory at a 256-byte boundary, each byte 0xff (NaN in every float format).
/// @param name must outlive the allocation
/// @throws std::bad_alloc
void* device_allocate(size_t bytes, const char* name = "device memory");
/// Null is allowed. @throws InternalError if `p` is not what `device_allocate` returned
void device_free(void* p);

/// The allocation that holds `p`, if any.
std::optional<DeviceBlock> device_block_of(const void* p);
/// Bytes allocated now, and all allocations.
size_t device_bytes();
std::vector<DeviceBlock> device_blocks();

}  // namespace cytograd::simt
