#pragma once

#include <map>
#include <string>
#include <vector>

#include "cuda/emulation/profile.h"
#include "cuda/emulation/state.h"

namespace cytograd::simt {

/// Something that lanes of a warp did together.
struct TraceEvent {
  uint32_t block = 0, warp = 0, lanes = 0;
  std::string what;    ///< "global read", "__syncthreads", "__shfl_xor_sync", "exit", ...
  unsigned bytes = 0;  ///< per lane; 0 if it is no access
  bool shared = false;
  RequestCost cost{0, 0};  ///< wavefronts or sectors
  SourceLine line;
};

/// Records what each warp of a launch does. Lanes run one after the other in the emulation; the
/// n-th act of each lane at an instruction is one event. Events stand in the order in which the
/// last lane of their warp passed the barrier or warp operation before them, so the timeline shows
/// the schedule of the run.
class Tracer : public Observer {
 public:
  Tracer();
  ~Tracer() override;
  const std::vector<TraceEvent>& events() const { return events_; }

  std::string launch_end() override;
  void access(const void* p, size_t bytes, unsigned kind, void* pc) override;
  void allocate(void* p, size_t bytes, bool shared, const char* name) override;
  void release_memory(void* p) override { shared_.erase(reinterpret_cast<uintptr_t>(p)); }
  void arrive(Thread& thread, const char* what, uint32_t mask, Site site) override;

 private:
  struct Record {
    uint32_t block, warp;
    uint32_t interval;  // barriers and warp operations of the lane before
    uint32_t place;     // most acts of a lane in the interval before this one
    uint64_t first;     // time of the first lane
    const void* pc;     // null: `site`
    Site site;
    std::string what;
    WarpRequest request;
  };
  struct LaneState {
    uint32_t interval = 0, acts = 0;
    std::map<std::pair<const void*, unsigned>, uint32_t> counts;  // by instruction or line
  };
  Record& record(Thread& thread, const void* pc, Site site, const std::string& what);

  uint64_t time_ = 0;
  std::map<std::tuple<uint32_t, uint32_t, const void*, unsigned, uint32_t>, Record> records_;
  std::map<std::pair<uint32_t, uint32_t>, LaneState> lanes_;
  std::map<std::tuple<uint32_t, uint32_t, uint32_t>, uint64_t> interval_end_;
  std::map<uintptr_t, size_t> shared_;
  std::vector<TraceEvent> events_;
};

}  // namespace cytograd::simt
