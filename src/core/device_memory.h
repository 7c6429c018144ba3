#pragma once

#include <cstddef>
#include <cstdint>

#include "cytograd/core/memory.h"

/// @file
/// Memory that is not the host's. Defined by cuda/core/device_memory.cpp in builds with a device,
/// by src/core/no_device.cpp in builds without.

namespace cytograd::device {

/// @throws DeviceError gpu.none without such a device, gpu.oom when it is full
void* allocate(Device device, size_t bytes);
void release(Device device, void* data) noexcept;
MemoryStats stats(Device device);
void reset_peak(Device device);
void empty_cache(Device device);

/// Copies behind all work of the device's current stream. Returns when `from` may be changed.
void copy_from_host(Device device, void* to, const void* from, size_t bytes);
/// Returns when `to` is filled.
void copy_to_host(Device device, void* to, const void* from, size_t bytes);
/// Between two devices.
void copy_across(Device to_device, void* to, Device from_device, const void* from, size_t bytes);

}  // namespace cytograd::device

namespace cytograd {

/// Is this the allocation that `fail_allocation_at` chose? Counts it.
bool allocation_must_fail();

}  // namespace cytograd
