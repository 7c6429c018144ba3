#pragma once

#include <cstdint>
#include <string_view>

namespace cytograd {

/// Where random operations (dropout, sampling) of this thread take their numbers from.
///
/// The k-th draw inside a scope uses the stream (seed, purpose, step, k), whatever ran before, so a
/// training step repeated with the same seed and step draws the same numbers, on any device and
/// after a restart. Scopes nest; the innermost counts. Use one scope per training step.
class RandomScope {
 public:
  RandomScope(uint64_t seed, uint64_t step);
  ~RandomScope();
  RandomScope(const RandomScope&) = delete;
  RandomScope& operator=(const RandomScope&) = delete;

  /// Keys given so far.
  uint64_t draws() const { return draws_; }
  /// The key of a fresh stream of the innermost scope of this thread.
  /// @throws StateError naming `op` if no scope is open
  static uint64_t next_key(const char* op, std::string_view purpose);

 private:
  RandomScope* outer_;
  uint64_t seed_, step_, draws_ = 0;
};

}  // namespace cytograd
