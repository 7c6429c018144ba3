#pragma once

#include <functional>

#include "cytograd/core/device.h"
#include "cytograd/core/tensor.h"

/// @file
/// Where benchmarks run and in which precision: chosen once by the program, before any work is
/// made.

namespace cytograd::bench {

/// How products and convolutions of float32 tensors compute on a device.
enum class Precision { float32, tf32, bf16 };

/// @throws ValueError for other words
Precision parse_precision(const std::string& text);

/// The CPU in float32 until set. @throws ValueError for another precision on the CPU
void set_device(Device device, Precision precision);
Device device();
Precision precision();

/// The tensor there.
Tensor placed(const Tensor& tensor);

/// Runs it in the precision that was set.
void in_precision(const std::function<void()>& run);

}  // namespace cytograd::bench
