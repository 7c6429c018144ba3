#include <cstring>

#include "cuda/emulation/instructions.h"
#include "cuda/emulation/simt.h"

namespace cytograd::simt {

AsyncQueues& async_queues() {
  if (!self->async) self->async = std::make_unique<AsyncQueues>();
  return *self->async;
}

void cp_async(void* to, const void* from, uint32_t bytes, uint32_t room, Site site, void* pc) {
  const Inside inside;
  if ((reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from)) % room)
    fail("cp.async with an address that is not a multiple of " + std::to_string(room), site);
  note(to, room, writes | pending, pc);
  std::memset(to, 0xff, room);
  async_queues().copies.add({to, from, bytes, room, pc});
}

void cp_async_commit() {
  const Inside inside;
  async_queues().copies.commit();
}

void cp_async_wait(int n) {
  const Inside inside;
  auto& groups = async_queues().copies;
  while (static_cast<int>(groups.committed()) > n)
    groups.finish_oldest([](const CpAsync& copy) {
      if (copy.bytes) note(copy.from, copy.bytes, reads, copy.pc);
      note(copy.to, copy.room, writes, copy.pc);
      std::memset(copy.to, 0, copy.room);
      std::memcpy(copy.to, copy.from, copy.bytes);
    });
}

void named_barrier(int id, uint32_t count, bool wait, Site site) {
  const Inside inside;
  if (id < 0 || id > 15 || count == 0)
    fail("named barrier " + std::to_string(id) + " of " + std::to_string(count) +
             " threads: expected 0 to 15 and at least one warp",
         site);
  barrier(id, count, site, wait);
}

void red_add_v4(float* p, float4 v, void* pc) {
  if (reinterpret_cast<uintptr_t>(p) % 16) fail("misaligned vector atomic");
  const float add[4] = {v.x, v.y, v.z, v.w};
  for (int i = 0; i < 4; ++i)
    change(
        p + i, [&](float old) { return old + add[i]; }, pc);
}

}  // namespace cytograd::simt
