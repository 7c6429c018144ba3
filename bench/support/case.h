#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/support/clock.h"
#include "cytograd/core/tensor.h"

/// @file
/// One description of a kernel at one size serves `cyto bench ops` and cyto-bench. Each file of
/// bench/ops describes one family and registers it:
///
///     std::vector<Case> cases() { ... }
///     const Family registered{"max_pool2d", cases};

namespace cytograd::bench {

struct Case {
  std::string name;  ///< family/layer/pass
  std::vector<std::pair<const char*, int64_t>> sizes;
  double flops = 0;  ///< of the definition, whatever the algorithm saves; 0 where bytes rule
  double bytes = 0;  ///< every operand once, read or written
  std::function<Work()> make;  ///< allocates and fills the operands, which the work keeps alive
};

/// Registers the cases of a family; families are listed by name.
struct Family {
  Family(const char* name, std::vector<Case> (*cases)());
};

/// Cases whose name contains `filter`, in which * stands for any text; all if it is empty.
std::vector<Case> find_cases(const std::string& filter);

/// What a run of a case gave.
struct CaseResult {
  double best_seconds, median_seconds;
  double gflops;     ///< at the best time; 0 where flops is 0
  double gigabytes;  ///< per second, at the best time
  double peak;       ///< GFLOP/s of the register-only loop, the better of before and after; 0 on
                     ///< a device
  double share() const { return peak > 0 ? gflops / peak : 0; }
};
/// @param repeats  at least; more while they last less than 0.15 s
CaseResult run_case(const Case& c, int64_t repeats);

/// Uniform in [-1, 1), the same for each size; on the device of bench/support/device.h.
Tensor random_tensor(const Shape& shape);

}  // namespace cytograd::bench
