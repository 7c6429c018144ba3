#include <algorithm>
#include <cstring>

#include "cuda/emulation/scheduler.h"

namespace cytograd::simt {
namespace {

void wake(std::vector<Thread*>& threads) {
  const Order order = config().order;
  if (order != Order::random)
    std::sort(threads.begin(), threads.end(), [&](const Thread* a, const Thread* b) {
      return order == Order::ascending ? a->linear < b->linear : a->linear > b->linear;
    });
  for (Thread* thread : threads) make_ready(thread);
}

void check_barrier(const Barrier& barrier, int id, uint32_t count, Site site) {
  const Block& block = *self->block;
  const auto threads = static_cast<uint32_t>(block.threads.size());
  if (count % 32 || count > (threads + 31) / 32 * 32)
    fail("barrier " + std::to_string(id) + " of " + std::to_string(count) +
             " threads: expected a multiple of 32, at most the block",
         site);
  if (barrier.arrived && barrier.expected != count)
    fail("barrier " + std::to_string(id) + " is used with different counts", site);
  if (count || !config().strict) return;
  if (block.exited) fail("__syncthreads after other threads have returned", site);
  if (barrier.arrived && !(barrier.site == site))
    fail("__syncthreads while other threads wait in the one at " + text_of(barrier.site), site);
}

}  // namespace

void barrier(int id, uint32_t count, Site site, bool wait, bool vote) {
  const Inside inside;
  Thread* const me = self;
  Block& block = *me->block;
  Barrier& barrier = block.barriers[id];
  check_barrier(barrier, id, count, site);
  const char* const name = id ? "named barrier" : "__syncthreads";
  observe([&](Observer& o) { o.arrive(*me, name, 0, site); });
  const bool whole = count == 0;
  barrier.expected = count;
  barrier.site = site;
  barrier.votes += vote;
  ++barrier.arrived;
  barrier.all.push_back(me);
  if (wait) barrier.waiting.push_back(me);
  const auto threads = static_cast<uint32_t>(block.threads.size());
  // The last warp may be incomplete; its missing threads count as arrived.
  const uint32_t full = whole ? threads - block.exited : std::min(count, threads);
  if (barrier.arrived == full) {
    ++stats().barriers;
    progress();
    observe([&](Observer& o) {
      o.join(barrier.all.data(), static_cast<int>(barrier.all.size()), full == threads);
    });
    for (Thread* thread : barrier.all) {
      thread->votes = barrier.votes;
      thread->arrivals = static_cast<int>(barrier.arrived);
    }
    wake(barrier.waiting);
    // Cleared, not replaced: the next barrier reuses the room.
    barrier.arrived = 0;
    barrier.votes = 0;
    barrier.waiting.clear();
    barrier.all.clear();
  }
  if (wait) park(name, site);
}

void warp_collective(uint32_t mask, const char* name, void* payload, Combine combine,
                     bool orders_memory, Site site) {
  const Inside inside;
  Thread* const me = self;
  Block& block = *me->block;
  Warp& warp = block.warps[me->warp];
  const size_t threads = block.threads.size();
  // The full mask of an incomplete last warp means the lanes that exist.
  if (threads % 32 && me->warp + 1u == block.warps.size() && mask == ~0u)
    mask = ~(~0u << (threads % 32));
  if (!(mask >> me->lane & 1))
    fail(std::string(name) + " with a mask that leaves out the calling lane " +
             std::to_string(me->lane),
         site);
  if (mask & warp.exited)
    fail(std::string(name) + " with a mask that names lanes which have returned", site);
  observe([&](Observer& o) { o.arrive(*me, name, mask, site); });
  warp.lanes[me->lane] = {mask, name, payload};
  warp.waiting |= 1u << me->lane;
  bool complete = (warp.waiting & mask) == mask;
  for (uint32_t rest = mask & warp.waiting; rest; rest &= rest - 1) {
    const Lane& lane = warp.lanes[__builtin_ctz(rest)];
    if (lane.mask != mask)
      complete = false;
    else if (lane.name != name && std::strcmp(lane.name, name) != 0)
      fail("lanes of one mask meet in " + std::string(name) + " and " + lane.name, site);
  }
  if (!complete) return park(name, site);
  ++stats().collectives;
  progress();
  warp.waiting &= ~mask;
  void* payloads[32] = {};
  Thread* participants[32];
  int count = 0;
  for (uint32_t rest = mask; rest; rest &= rest - 1) {
    const int i = __builtin_ctz(rest);
    payloads[i] = warp.lanes[i].payload;
    participants[count++] = &block.threads[me->warp * 32u + static_cast<uint32_t>(i)];
  }
  if (combine) combine(payloads, mask);
  if (orders_memory)
    observe([&](Observer& o) { o.join(participants, count, size_t(count) == threads); });
  for (int i = 0; i < count; ++i)
    if (participants[i] != me) make_ready(participants[i]);
  if (config().order != Order::random) return;
  make_ready(me);
  park(name, site);
}

void warpgroup_collective(const char* name, void* payload,
                          void (*combine)(void* const*, Thread* const*), Site site) {
  const Inside inside;
  Thread* const me = self;
  Block& block = *me->block;
  const uint32_t group = me->linear / 128u;
  Barrier& barrier = block.warpgroups[group];
  if (group * 128 + 128 > block.threads.size())
    fail(std::string(name) + " outside a complete warpgroup", site);
  if (barrier.arrived && !(barrier.site == site))
    fail(std::string(name) + " while others of the warpgroup wait at " + text_of(barrier.site),
         site);
  observe([&](Observer& o) { o.arrive(*me, name, 0, site); });
  void** const payloads = &block.warpgroup_payloads[group * 128];
  payloads[me->linear % 128] = payload;
  barrier.site = site;
  barrier.waiting.push_back(me);
  if (++barrier.arrived == 128) {
    ++stats().collectives;
    progress();
    Thread* threads[128];
    for (uint32_t i = 0; i < 128; ++i) threads[i] = &block.threads[group * 128 + i];
    combine(payloads, threads);
    wake(barrier.waiting);
    barrier.arrived = 0;
    barrier.waiting.clear();
  }
  park(name, site);
}

}  // namespace cytograd::simt
