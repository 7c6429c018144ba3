#include <cstring>

#include "cuda/emulation/instructions.h"

namespace cytograd::simt {
namespace {

// The state lies in the 8 bytes of the barrier itself.
struct State {
  uint32_t phase : 1, expected : 15, pending : 16;
  int32_t bytes;  // announced and not yet here
};
static_assert(sizeof(State) == 8);

constexpr uint32_t max_count = 0x7ffe;  // memory nobody wrote has 0x7fff

State load(const uint64_t* barrier) {
  State state;
  std::memcpy(&state, barrier, sizeof state);
  return state;
}

void store(uint64_t* barrier, State state) {
  if (state.pending == 0 && state.bytes == 0) {
    state.phase ^= 1;
    state.pending = state.expected;
  }
  std::memcpy(barrier, &state, sizeof state);
  progress();
}

State checked(const uint64_t* barrier, Site site) {
  if (reinterpret_cast<uintptr_t>(barrier) % 8) fail("misaligned mbarrier", site);
  const State state = load(barrier);
  if (state.expected > max_count) fail("mbarrier used before mbarrier_init", site);
  return state;
}

}  // namespace

void mbarrier_init(uint64_t* barrier, uint32_t count, Site site, void* pc) {
  const Inside inside;
  if (reinterpret_cast<uintptr_t>(barrier) % 8) fail("misaligned mbarrier", site);
  if (count == 0 || count > max_count)
    fail("mbarrier of " + std::to_string(count) + " arrivals: the emulation takes 1 to " +
             std::to_string(max_count),
         site);
  note(barrier, 8, writes, pc);
  State state{};
  state.expected = count & 0x7fff;
  state.pending = count & 0xffff;
  std::memcpy(barrier, &state, sizeof state);
}

void mbarrier_arrive(uint64_t* barrier, uint32_t bytes, Site site, void* pc) {
  const Inside inside;
  note(barrier, 8, reads | atomic, pc);
  State state = checked(barrier, site);
  if (state.pending == 0) fail("mbarrier: more arrivals in a phase than its count", site);
  observe([&](Observer& o) { o.release(*self, barrier); });
  state.bytes += static_cast<int32_t>(bytes);
  --state.pending;
  store(barrier, state);
}

void mbarrier_complete(uint64_t* barrier, uint32_t bytes) {
  State state = load(barrier);
  state.bytes -= static_cast<int32_t>(bytes);
  store(barrier, state);
}

void mbarrier_wait(uint64_t* barrier, uint32_t parity, Site site, void* pc) {
  const Inside inside;
  note(barrier, 8, reads | atomic, pc);
  observe([&](Observer& o) { o.arrive(*self, "mbarrier wait", 0, site); });
  while (checked(barrier, site).phase == (parity & 1)) yield("mbarrier wait", site);
  observe([&](Observer& o) { o.acquire(*self, barrier); });
}

void fence_async_proxy() { ++self->fences; }

}  // namespace cytograd::simt
