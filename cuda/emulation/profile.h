#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "cuda/emulation/source_line.h"
#include "cuda/emulation/state.h"

/// @file
/// Counts what the memory system does for each line: performance tests that need no GPU.

namespace cytograd::simt {

/// Accesses of warps at one line. Shared memory: wavefronts of 32 banks of 4 bytes; 16-byte
/// accesses are served 8 lanes at a time, 8-byte ones 16. Global memory: sectors of 32 bytes.
struct LineProfile {
  SourceLine line;
  bool shared = false, write = false;
  unsigned bytes = 0;     ///< per lane
  uint64_t requests = 0;  ///< of warps
  uint64_t moved = 0;     ///< wavefronts or sectors
  uint64_t ideal = 0;     ///< the fewest that these accesses need
  double per_request() const { return static_cast<double>(moved) / static_cast<double>(requests); }
  double ideal_per_request() const {
    return static_cast<double>(ideal) / static_cast<double>(requests);
  }
};

/// Accesses that the lanes of a warp make together.
struct WarpRequest {
  uint32_t mask = 0;
  uint32_t bytes = 0;
  bool shared = false, write = false;
  uint64_t address[32] = {};  ///< shared: offset in the array
};
/// Wavefronts or sectors of a request, and the fewest possible.
struct RequestCost {
  uint64_t moved, ideal;
};
RequestCost cost_of(const WarpRequest& request);

/// Profile of the last launch with `config().profile`, by line; empty if its kernel was not
/// compiled with -fsanitize=thread.
const std::vector<LineProfile>& profile();
/// The profile as a table.
std::string profile_text();

/// Groups the accesses of lanes into requests: the n-th of each lane at an instruction belong
/// together.
class Profiler : public Observer {
 public:
  void launch_begin(const Launch&) override;
  std::string launch_end() override;
  void access(const void* p, size_t bytes, unsigned kind, void* pc) override;
  void allocate(void* p, size_t bytes, bool shared, const char* name) override;
  void release_memory(void* p) override { shared_.erase(reinterpret_cast<uintptr_t>(p)); }

 private:
  struct Key {
    uint64_t block;
    const void* pc;
    uint32_t warp, nth;
    auto operator<=>(const Key&) const = default;
  };
  std::map<Key, WarpRequest> requests_;
  std::map<std::pair<const void*, uint64_t>, uint32_t> counts_;  // by instruction and thread
  std::map<uintptr_t, size_t> shared_;
};

}  // namespace cytograd::simt
