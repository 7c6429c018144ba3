#include "cuda/emulation/scheduler.h"

#include "cuda/emulation/race.h"

#include <algorithm>
#include <deque>
#include <mutex>

namespace cytograd::simt {

constinit thread_local Thread* self = nullptr;

namespace {

// Thrown through the frames of a thread whose launch has failed, so that they are destroyed.
struct Abandoned {};

constexpr int max_idle_rounds = 1000;

// Everything about the launches of one OS thread.
struct Scheduler {
  Launch launch;
  void (*kernel)(void*) = nullptr;
  void* context = nullptr;
  StackPool pool;
  Stack main;
  std::vector<std::unique_ptr<Block>> blocks;  // resident ones
  std::vector<uint32_t> order;                 // of blocks; empty: 0, 1, 2, ...
  uint32_t block_count = 0, next_block = 0;
  uint64_t serial = 0, random_state = 0, engine_speed = 0;
  std::deque<Thread*> ready, spinning;
  std::vector<EngineJob> engine;
  int idle_rounds = 0;
  bool failed = false;
  std::string error;
  size_t drain_block = 0, drain_thread = 0;
};
thread_local Scheduler scheduler;

void set_failed(const std::string& why) {
  Scheduler& s = scheduler;
  if (s.failed) return;
  s.failed = true;
  s.error = why;
  s.drain_block = s.drain_thread = 0;
}

void run_engine_job() {
  Scheduler& s = scheduler;
  const size_t i = random_number() % s.engine.size();
  const EngineJob job = s.engine[i];
  s.engine.erase(s.engine.begin() + static_cast<std::ptrdiff_t>(i));
  Thread* const running = self;
  self = nullptr;
  job.run(job.argument);
  self = running;
  s.idle_rounds = 0;
}

// After a failure every thread that waits is resumed once, to unwind its stack.
Thread* next_to_unwind() {
  Scheduler& s = scheduler;
  for (; s.drain_block < s.blocks.size(); ++s.drain_block, s.drain_thread = 0) {
    Block& block = *s.blocks[s.drain_block];
    if (!block.active) continue;
    while (s.drain_thread < block.threads.size()) {
      Thread& thread = block.threads[s.drain_thread++];
      if (thread.stack && !thread.done) return &thread;
    }
  }
  return nullptr;
}

// The thread to run next, or null if none can.
Thread* pick() {
  Scheduler& s = scheduler;
  if (s.failed) return next_to_unwind();
  const bool random = config().order == Order::random;
  if (!s.engine.empty() && random_number() % 64 < s.engine_speed) run_engine_job();
  while (s.ready.empty()) {  // whoever can run only looks whether something has changed
    if (!s.engine.empty()) run_engine_job();
    if (s.spinning.empty() || ++s.idle_rounds > max_idle_rounds) return nullptr;
    s.ready.swap(s.spinning);
  }
  if (random) std::swap(s.ready.front(), s.ready[random_number() % s.ready.size()]);
  Thread* thread = s.ready.front();
  s.ready.pop_front();
  return thread;
}

std::string deadlock_text() {
  std::string text = "deadlock: no thread can run";
  int shown = 0;
  for (const auto& block : scheduler.blocks) {
    if (!block->active) continue;
    for (const Thread& thread : block->threads)
      if (!thread.done && shown++ < 8)
        text += "\n  " + name_of(thread) + " waits in " + thread.waits_in + " at " +
                text_of(thread.site);
  }
  if (shown > 8) text += "\n  and " + std::to_string(shown - 8) + " more";
  if (scheduler.next_block < scheduler.block_count)
    text += "\n  " + std::to_string(scheduler.block_count - scheduler.next_block) +
            " blocks have not started; a kernel that waits for other blocks needs them resident";
  return text;
}

void fiber_entry();

void resume(Thread* thread, Stack& from) {
  self = thread;
  if (!thread->stack) {
    thread->stack = scheduler.pool.take(config().stack_bytes);
    if (!thread->stack->pointer) prepare_stack(*thread->stack, fiber_entry);
  }
  ++stats().switches;
  switch_stack(from, *thread->stack);
}

void begin_block(Block& block) {
  Scheduler& s = scheduler;
  const dim3 grid = s.launch.grid, shape = s.launch.block;
  const uint32_t linear = s.order.empty() ? s.next_block : s.order[s.next_block];
  const uint32_t count = shape.x * shape.y * shape.z;
  ++s.next_block;
  block.linear = linear;
  block.index = {linear % grid.x, linear / grid.x % grid.y, linear / (grid.x * grid.y)};
  block.grid = grid;
  block.shape = shape;
  block.serial = ++s.serial;
  block.live = count;
  block.exited = 0;
  block.active = true;
  block.orders_blocks = false;
  block.copies = 0;
  block.threads.clear();
  block.threads.resize(count);
  block.warps.assign((count + 31) / 32, Warp{});
  block.warpgroups.assign((count + 127) / 128, Barrier{});
  block.warpgroup_payloads.assign((count + 127) / 128 * 128, nullptr);
  for (Barrier& barrier : block.barriers) barrier = Barrier{};
  for (uint32_t i = 0; i < count; ++i) {
    Thread& t = block.threads[i];
    t.block = &block;
    t.linear = static_cast<uint16_t>(i);
    t.warp = static_cast<uint16_t>(i / 32);
    t.lane = static_cast<uint8_t>(i % 32);
    t.index = {i % shape.x, i / shape.x % shape.y, i / (shape.x * shape.y)};
  }
  if (count % 32) block.warps.back().exited = ~0u << (count % 32);
  observe([&](Observer& o) { o.block_begin(block); });
  make_block_arrays(block, s.launch.dynamic_bytes);
  const bool down = config().order == Order::descending;
  for (uint32_t i = 0; i < count; ++i) s.ready.push_back(&block.threads[down ? count - 1 - i : i]);
  stats().threads += count;
  ++stats().blocks;
}

void end_block(Block& block) {
  if (block.copies) fail("the block ends while a TMA copy is under way");
  size_t bytes = block.dynamic_bytes;
  for (const SharedArray& array : block.arrays) bytes += array.bytes;
  stats().shared_bytes = std::max<uint64_t>(stats().shared_bytes, bytes);
  observe([&](Observer& o) { o.block_end(block); });
  free_block_arrays(block);
  block.active = false;
  if (scheduler.next_block < scheduler.block_count) begin_block(block);
}

void end_thread(Thread& thread) {
  Block& block = *thread.block;
  const auto check_empty = [](bool outstanding, const char* name) {
    if (outstanding) fail(std::string("the kernel ends with outstanding ") + name);
  };
  if (const AsyncQueues* async = thread.async.get()) {
    check_empty(async->copies.outstanding(), "cp.async");
    check_empty(async->products.size() > 1 || !async->products[0].empty(), "wgmma");
    check_empty(async->stores.outstanding(), "TMA stores");
  }
  Warp& warp = block.warps[thread.warp];
  warp.exited |= 1u << thread.lane;
  for (int i = 0; i < 32; ++i)
    if ((warp.waiting >> i & 1) && (warp.lanes[i].mask >> thread.lane & 1))
      fail("the kernel ends while lane " + std::to_string(i) + " waits for this one in " +
           warp.lanes[i].name);
  const Barrier& all = block.barriers[0];
  if (all.arrived && all.expected == 0 && config().strict)
    fail("the kernel ends while other threads wait in __syncthreads at " + text_of(all.site));
  observe([&](Observer& o) { o.arrive(thread, "exit", 0, Site{}); });
  thread.done = true;
  thread.stack = nullptr;
  ++block.exited;
  scheduler.idle_rounds = 0;
  if (--block.live == 0) end_block(block);  // the next block takes the place of these threads
}

// Runs the kernel for `self`, whose stack this is.
void run_thread() {
  try {
    scheduler.kernel(scheduler.context);
    end_thread(*self);
    return;
  } catch (const Abandoned&) {
  } catch (const std::exception& e) {
    set_failed(name_of(*self) + ": " + e.what());
  } catch (...) {
    set_failed(name_of(*self) + ": an exception of unknown type");
  }
  self->done = true;
  self->stack = nullptr;
}

// Bottom of every stack. A thread that ends hands its stack to one that has not begun, which
// costs no switch: kernels without barriers never switch.
void fiber_entry() {
  first_entry(scheduler.main);
  for (;;) {
    Stack* const mine = self->stack;
    run_thread();
    Thread* next = pick();
    if (!next && !scheduler.failed) {
      for (const auto& block : scheduler.blocks)
        if (block->active) set_failed(deadlock_text());
      if (scheduler.failed) next = pick();
    }
    if (next && !next->stack) {
      next->stack = mine;
      self = next;
      continue;
    }
    scheduler.pool.give(mine);
    self = next;
    ++stats().switches;
    switch_stack(*mine, next ? *next->stack : scheduler.main);
  }
}

void check_launch(const Launch& l) {
  const uint64_t threads = static_cast<uint64_t>(l.block.x) * l.block.y * l.block.z;
  const uint64_t blocks = static_cast<uint64_t>(l.grid.x) * l.grid.y * l.grid.z;
  const auto text = [](dim3 d) {
    return "(" + std::to_string(d.x) + ", " + std::to_string(d.y) + ", " + std::to_string(d.z) +
           ")";
  };
  check<LaunchError>(threads > 0 && threads <= 1024 && l.block.z <= 64, l.name,
                     "expected a block of 1 to 1024 threads, at most 64 in z, got ", text(l.block));
  check<LaunchError>(blocks > 0 && l.grid.x <= 0x7fffffff && l.grid.y <= 65535 && l.grid.z <= 65535,
                     l.name,
                     "expected a grid of at least 1 block, at most 2147483647 x 65535 x "
                     "65535, got ",
                     text(l.grid));
  check<LaunchError>(blocks <= 0xffffffffu, l.name,
                     "expected at most 2^32 - 1 emulated blocks, got ", text(l.grid));
  check<LaunchError>(l.dynamic_bytes <= config().max_dynamic_shared, l.name, "expected at most ",
                     config().max_dynamic_shared, " bytes of dynamic shared memory, got ",
                     l.dynamic_bytes);
}

// Puts the scheduler into the state before the first thread.
void set_up(const Launch& launch, void (*kernel)(void*), void* context) {
  Scheduler& s = scheduler;
  const Order order = config().order;
  s.launch = launch;
  s.kernel = kernel;
  s.context = context;
  s.random_state = config().seed * 0x2545f4914f6cdd1dull;
  s.failed = false;
  s.idle_rounds = 0;
  s.next_block = 0;
  s.block_count = launch.grid.x * launch.grid.y * launch.grid.z;
  s.ready.clear();
  s.spinning.clear();
  s.order.clear();
  stats() = Stats{};
  constexpr uint64_t speeds[] = {16, 1, 0};  // of 64: how eagerly outstanding copies finish
  s.engine_speed = order == Order::random ? speeds[random_number() % 3] : 0;
  if (order == Order::ascending) return;
  s.order.resize(s.block_count);
  for (uint32_t i = 0; i < s.block_count; ++i) s.order[i] = s.block_count - 1 - i;
  if (order == Order::random)
    for (size_t i = s.block_count; i > 1; --i)
      std::swap(s.order[i - 1], s.order[random_number() % i]);
}

void tear_down_failed() {
  Scheduler& s = scheduler;
  for (const auto& block : s.blocks)
    if (block->active) {
      free_block_arrays(*block);
      block->active = false;
    }
  for (const EngineJob& job : s.engine) job.drop(job.argument);
  s.engine.clear();
}

std::mutex& launch_mutex() {
  static std::mutex mutex;
  return mutex;
}

}  // namespace

void run_grid(const Launch& launch, void (*kernel)(void*), void* context) {
  check<LaunchError>(self == nullptr, launch.name, "a kernel cannot launch a kernel");
  check_launch(launch);
  const std::lock_guard lock(launch_mutex());
  install_checkers();
  Scheduler& s = scheduler;
  set_up(launch, kernel, context);
  const int wanted = launch.resident > 0 ? launch.resident : config().resident;
  const size_t resident = std::min<size_t>(s.block_count, static_cast<size_t>(std::max(1, wanted)));
  while (s.blocks.size() < resident) s.blocks.push_back(std::make_unique<Block>());
  observe([&](Observer& o) { o.launch_begin(launch); });
  for (size_t i = 0; i < resident; ++i) begin_block(*s.blocks[i]);
  resume(pick(), s.main);
  self = nullptr;
  stats().stacks = s.pool.size();
  if (s.failed) tear_down_failed();
  while (!s.engine.empty()) run_engine_job();
  std::string faults = s.failed ? s.error + "\n" : "";
  observe([&](Observer& o) { faults += o.launch_end(); });
  if (faults.empty()) return;
  faults.pop_back();
  throw LaunchError(std::string(launch.name) + ": " + faults + " [" + config_text() + "]");
}

void fail(const std::string& why) {
  if (!self) throw LaunchError(why);
  set_failed(name_of(*self) + ": " + why);
  throw Abandoned{};
}

void fail(const char* why) { fail(std::string(why)); }

void fail(const std::string& why, Site site) { fail(why + " at " + text_of(site)); }

void park(const char* what, Site site) {
  Thread* const me = self;
  me->waits_in = what;
  me->site = site;
  Thread* next = pick();
  if (next == me) {
    self = me;
    if (scheduler.failed) throw Abandoned{};
    return;
  }
  if (!next) {
    set_failed(deadlock_text());
    throw Abandoned{};
  }
  resume(next, *me->stack);
  self = me;
  if (scheduler.failed) throw Abandoned{};
}

void make_ready(Thread* thread) { scheduler.ready.push_back(thread); }

void yield(const char* what, Site site) {
  const Inside inside;
  // A random schedule also lets a waiting thread look again while others could run.
  const bool early = config().order == Order::random && random_number() % 4 == 0;
  (early ? scheduler.ready : scheduler.spinning).push_back(self);
  park(what, site);
}

void progress() { scheduler.idle_rounds = 0; }

void enqueue(EngineJob job) { scheduler.engine.push_back(job); }

uint64_t random_number() {  // splitmix64
  uint64_t z = (scheduler.random_state += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

std::string text_of(Site site) { return std::string(site.file) + ":" + std::to_string(site.line); }

std::string name_of(const Thread& thread) {
  const auto text = [](uint3 i) {
    return "(" + std::to_string(i.x) + "," + std::to_string(i.y) + "," + std::to_string(i.z) + ")";
  };
  return "block " + text(thread.block->index) + " thread " + text(thread.index);
}

}  // namespace cytograd::simt
