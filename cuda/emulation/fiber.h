#pragma once

#include <cstddef>
#include <memory>
#include <vector>

/// @file
/// Stacks and the switch between them: one emulated thread that waits is one stack.

namespace cytograd::simt {

struct Stack {
  char* base = nullptr;  ///< lowest byte; below it lies a guard page
  size_t bytes = 0;
  void* pointer =
      nullptr;  ///< saved stack pointer while nothing runs here; null before the first use
  void* fake_stack = nullptr;  ///< AddressSanitizer's, kept for the same time
  bool contains(const void* p) const {
    return static_cast<const char*>(p) >= base && static_cast<const char*>(p) < base + bytes;
  }
};

/// Stops running on `from` and goes on where `to` stopped. Returns when something switches back to
/// `from`. 6 saved registers (x86-64) or 20 (aarch64); no system call.
void switch_stack(Stack& from, Stack& to);

/// Makes the first switch to `stack` call `entry`, which must call `first_entry` at once and never
/// return.
void prepare_stack(Stack& stack, void (*entry)());

/// Ends the first switch to a stack. Learns where the stack of the OS thread lies, which only the
/// sanitizer knows, unless `main` has it already.
void first_entry(Stack& main);

/// Stacks of one OS thread; they keep their position in the entry function between launches.
class StackPool {
 public:
  StackPool() = default;
  ~StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;
  /// @throws DeviceError if the system has no room for another stack
  Stack* take(size_t bytes);
  void give(Stack* stack) { idle_.push_back(stack); }
  size_t size() const { return all_.size(); }

 private:
  std::vector<std::unique_ptr<Stack>> all_;
  std::vector<Stack*> idle_;
};

}  // namespace cytograd::simt
