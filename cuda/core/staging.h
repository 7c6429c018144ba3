#pragma once

#include <cstddef>

#include "cuda/core/stream.h"

/// @file
/// Copies between host memory and a device, through page-locked memory that is used again as soon
/// as the device has passed.

namespace cytograd::cuda {

/// Puts the copy on `stream`; `from` may be changed when this returns.
void stage_in(void* to, const void* from, size_t bytes, const Stream& stream);
/// Returns when `to` is filled.
void stage_out(void* to, const void* from, size_t bytes, const Stream& stream);

/// `bytes` of `data` in device memory: copied there once, whoever asks, and kept for the process.
/// For small tables that kernels look things up in.
const void* constant_table(int device, const void* data, size_t bytes);

}  // namespace cytograd::cuda
