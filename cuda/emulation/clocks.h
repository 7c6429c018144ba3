#pragma once

#include <cstdint>
#include <map>
#include <vector>

/// @file
/// Which act of a block happened before which: vector clocks.

namespace cytograd::simt {

/// Clocks of the threads of a block. A thread's acts carry its clock; a thread knows another's acts
/// up to the clock in its row. A barrier of the whole block starts a new phase, in which all
/// earlier acts are known to everybody: rows then need no room until threads meet in smaller
/// groups.
class Clocks {
 public:
  using Row = std::vector<uint32_t>;

  void begin(uint32_t id, uint32_t threads);
  uint32_t id() const { return id_; }
  uint32_t phase() const { return phase_; }
  uint32_t own(uint32_t thread) const { return own_[thread]; }
  /// Whether `thread` knows what `other` did at `clock` of `phase`.
  bool knows(uint32_t thread, uint32_t other, uint32_t phase, uint32_t clock) const {
    if (thread == other || phase < phase_) return true;
    const Known& row = rows_[thread];
    return row.phase == phase_ && row.clocks[other] >= clock;
  }
  void join_all();
  void join(const std::vector<uint32_t>& threads);
  /// `object` learns what the thread knows and did.
  void release(uint32_t thread, const void* object);
  /// The thread learns what the object knows.
  void acquire(uint32_t thread, const void* object);
  /// A copy starts: what its issuer knows and did, to be released when it is complete.
  void issue(uint32_t thread, uint64_t copy);
  void complete(uint64_t copy, const void* object);

 private:
  struct Known {
    uint32_t phase = 0;
    Row clocks;
  };
  // The clocks, emptied if they are of an earlier phase, which all know anyway.
  Row& current(Known& known);
  void add(Known& to, Known& from);

  uint32_t id_ = 0, phase_ = 1;
  Row own_;
  std::vector<Known> rows_;
  std::map<const void*, Known> objects_;
  std::map<uint64_t, Known> copies_;
};

}  // namespace cytograd::simt
