#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/emulation/state.h"

/// @file
/// Runs the threads of a grid on one OS thread and lets them wait for each other.

namespace cytograd::simt {

/// Calls `kernel(context)` once per thread of the grid. Launches of several OS threads take turns.
/// @throws LaunchError when the kernel breaks a rule (all its threads have been unwound by then);
///         whatever the kernel itself throws becomes one too
void run_grid(const Launch& launch, void (*kernel)(void*), void* context);

/// Ends the launch with an error; in a kernel the message gets the thread and, if given, the line.
[[noreturn]] void fail(const std::string& why);
[[noreturn]] void fail(const char* why);
[[noreturn]] void fail(const std::string& why, Site site);

/// Lets other threads run; call it in loops that wait for them. `what` names the wait in a
/// deadlock report.
void yield(const char* what, Site site = Site::current());
/// Something happened that a waiting thread may look for.
void progress();
/// Next number of the seeded generator of this launch.
uint64_t random_number();

/// Barrier `id` of the block. `count` 0: all threads (`__syncthreads`); else that many, a multiple
/// of 32. Leaves the number of arrivals and of those with `vote` in the thread.
void barrier(int id, uint32_t count, Site site, bool wait = true, bool vote = false);

/// Waits for the lanes of `mask`, then runs `combine` once over their payloads (which lie on the
/// lanes' own stacks, so that nobody can overwrite them early). `orders_memory`: it is a
/// __syncwarp.
void warp_collective(uint32_t mask, const char* name, void* payload, Combine combine,
                     bool orders_memory, Site site);

/// The same for the 128 threads of a warpgroup; `combine` gets payloads and threads.
void warpgroup_collective(const char* name, void* payload,
                          void (*combine)(void* const* payloads, Thread* const* threads),
                          Site site);

/// Shared array of this block for the declaration `key`; made at first use, filled with 0xff.
void* shared_array(const void* key, size_t bytes, size_t align, const char* name);

/// Work that happens at some later moment. A copy engine runs the jobs one by one at random
/// switches, or when nothing else can run; a failed launch drops them.
struct EngineJob {
  void (*run)(void*);
  void (*drop)(void*);
  void* argument;
};
void enqueue(EngineJob job);

/// Reports an access of the running thread to the observers.
void note_access(const void* p, size_t bytes, unsigned kind, void* pc);
__attribute__((no_sanitize("thread"))) inline void note(const void* p, size_t bytes, unsigned kind,
                                                        void* pc) {
  if (observed && self) note_access(p, bytes, kind, pc);
}

// For the parts of the emulation only.

/// Stops the running thread until `make_ready` is called for it.
void park(const char* what, Site site);
void make_ready(Thread* thread);
void make_block_arrays(Block& block, size_t dynamic_bytes);
void free_block_arrays(Block& block);
std::string name_of(const Thread& thread);

/// While it lives, the accesses of this thread are the emulation's own.
class Inside {
 public:
  Inside() : thread_(self) {
    if (thread_) ++thread_->inside;
  }
  ~Inside() {
    if (thread_) --thread_->inside;
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  Thread* thread_;
};

}  // namespace cytograd::simt
