#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "cuda/emulation/clocks.h"
#include "cuda/emulation/shadow.h"
#include "cuda/emulation/state.h"

namespace cytograd::simt {

/// Finds what the order of a run hides: accesses that nothing orders (of threads or blocks), plain
/// against atomic accesses, reads of shared bytes that nobody wrote or whose asynchronous copy is
/// under way, ordinary stores that the async proxy reads without a fence, and pointers to host
/// memory. A launch with findings fails with all of them. Sees code compiled with
/// -fsanitize=thread, whose hooks are in access_hooks.cpp, and what the wrappers report.
class RaceChecker : public Observer {
 public:
  RaceChecker();
  void launch_begin(const Launch&) override;
  std::string launch_end() override;
  void block_begin(Block& block) override;
  void block_end(Block& block) override { clocks_.erase(&block); }
  void join(Thread* const* threads, int count, bool whole) override;
  void release(Thread& thread, const void* object) override;
  void acquire(Thread& thread, const void* object) override;
  void issue(Thread& thread, uint64_t copy, const void* to, size_t bytes) override;
  void complete(Block& block, uint64_t copy, const void* object) override;
  void access(const void* p, size_t bytes, unsigned kind, void* pc) override;
  void allocate(void* p, size_t bytes, bool shared, const char* name) override;
  void release_memory(void* p) override { shadow_.remove(p); }

 private:
  struct Copy {
    const void* to;
    size_t bytes;
  };
  bool ordered(const Act& act, const Clocks& clocks) const;
  void check_read(Cell& cell, const Act& now, const Clocks& clocks, const ShadowRange& range,
                  size_t offset);
  void check_write(Cell& cell, const Act& now, bool pending, const Clocks& clocks,
                   const ShadowRange& range, size_t offset);
  void report(const std::string& what, const Act& now, const char* now_does, const Act& other,
              const char* other_did, const ShadowRange& range, size_t offset);
  void check_unknown(const void* p, const char* does, void* pc);

  Shadow shadow_;
  std::map<const Block*, Clocks> clocks_;
  uint32_t last_block_ = 0, first_block_ = 1;
  std::map<uint64_t, Copy> copies_;
  std::set<std::pair<const void*, const void*>> seen_;
  std::vector<std::string> found_;
};

/// Puts the race checker and the profile among the observers, or takes them out, as `config()`
/// says.
void install_checkers();

}  // namespace cytograd::simt
