#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "cytograd/core/error.h"

/// @file
/// How emulated kernels run. Read once from the environment, changeable in tests.

namespace cytograd::simt {

/// Order in which blocks and threads run. `random` picks any thread that can run at every barrier,
/// collective and wait; the same seed gives the same run.
enum class Order { ascending, descending, random };

struct Config {
  Order order = Order::ascending;
  uint64_t seed = 1;
  int resident = 1;  ///< blocks that run interleaved; kernels that wait for other blocks need more
  bool strict = true;    ///< barriers after an exit, or reached from different lines, are errors
  bool race = false;     ///< race checker; sees only code compiled with -fsanitize=thread
  bool profile = false;  ///< bank conflicts and sectors per source line, of the same code
  double preempt = 0;    ///< chance of a switch at an access that the race checker sees
  size_t stack_bytes = 256 << 10;
  size_t max_dynamic_shared = 227 << 10;
  size_t max_static_shared = 48 << 10;
};

/// The configuration of this process. At first use: the defaults, CYTO_EMULATION
/// (ascending|descending|random), CYTO_EMULATION_SEED, CYTO_EMULATION_RESIDENT,
/// CYTO_EMULATION_RACE (0|1) and CYTO_EMULATION_PREEMPT.
/// @throws ValueError if one of them cannot be read
Config& config();

/// "CYTO_EMULATION=random CYTO_EMULATION_SEED=7": what repeats the present order.
std::string config_text();

/// Puts the configuration back when it goes out of scope.
class ConfigScope {
 public:
  ConfigScope() : saved_(config()) {}
  ~ConfigScope() { config() = saved_; }
  ConfigScope(const ConfigScope&) = delete;
  ConfigScope& operator=(const ConfigScope&) = delete;

 private:
  Config saved_;
};

/// What the last launch of this OS thread did.
struct Stats {
  uint64_t blocks = 0, threads = 0, switches = 0, barriers = 0, collectives = 0;
  uint64_t shared_bytes = 0;  ///< most shared memory of one block
  uint64_t stacks = 0;        ///< stacks in the pool
};
Stats& stats();

/// A kernel broke a rule; the message names kernel, block, thread and source line. Our bug, never
/// the user's.
struct LaunchError : InternalError {
  using InternalError::InternalError;
};

}  // namespace cytograd::simt
