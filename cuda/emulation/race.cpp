#include "cuda/emulation/race.h"

#include <link.h>

#include "cuda/emulation/memory.h"
#include "cuda/emulation/scheduler.h"
#include "cuda/emulation/source_line.h"

namespace cytograd::simt {
namespace {

constexpr size_t max_reports = 20;

const char* name_of(bool writes, const Act& act) {
  if (act.atomic) return "atomic";
  if (act.async) return writes ? "asynchronous write" : "asynchronous read";
  return writes ? "write" : "read";
}

// Code, constants and static variables of the program and its libraries.
bool in_program(const void* p) {
  struct Search {
    uintptr_t address;
    bool found;
  } search{reinterpret_cast<uintptr_t>(p), false};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        auto& s = *static_cast<Search*>(data);
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& segment = info->dlpi_phdr[i];
          if (segment.p_type == PT_LOAD &&
              s.address - (info->dlpi_addr + segment.p_vaddr) < segment.p_memsz)
            s.found = true;
        }
        return s.found ? 1 : 0;
      },
      &search);
  return search.found;
}

}  // namespace

RaceChecker::RaceChecker() {
  for (const DeviceBlock& block : device_blocks())
    shadow_.add(block.memory, block.bytes, false, block.name);
}

void RaceChecker::launch_begin(const Launch&) {
  first_block_ = last_block_ + 1;
  seen_.clear();
  found_.clear();
}

std::string RaceChecker::launch_end() {
  clocks_.clear();
  copies_.clear();
  std::string text;
  for (const std::string& line : found_) text += line + "\n";
  found_.clear();
  return text;
}

void RaceChecker::block_begin(Block& block) {
  clocks_[&block].begin(++last_block_, static_cast<uint32_t>(block.threads.size()));
}

void RaceChecker::join(Thread* const* threads, int count, bool whole) {
  Clocks& clocks = clocks_[threads[0]->block];
  if (whole) return clocks.join_all();
  std::vector<uint32_t> members;
  for (int i = 0; i < count; ++i) members.push_back(threads[i]->linear);
  clocks.join(members);
}

void RaceChecker::release(Thread& thread, const void* object) {
  clocks_[thread.block].release(thread.linear, object);
}

void RaceChecker::acquire(Thread& thread, const void* object) {
  clocks_[thread.block].acquire(thread.linear, object);
}

void RaceChecker::issue(Thread& thread, uint64_t copy, const void* to, size_t bytes) {
  clocks_[thread.block].issue(thread.linear, copy);
  copies_[copy] = {to, bytes};
}

void RaceChecker::complete(Block& block, uint64_t copy, const void* object) {
  const auto found = clocks_.find(&block);
  if (found != clocks_.end()) found->second.complete(copy, object);
  const auto written = copies_.find(copy);
  if (written == copies_.end()) return;
  if (ShadowRange* range = shadow_.find(written->second.to))
    range->visit(reinterpret_cast<uintptr_t>(written->second.to), written->second.bytes,
                 [](Cell& cell, size_t) { cell.written = 1; });
  copies_.erase(written);
}

void RaceChecker::allocate(void* p, size_t bytes, bool shared, const char* name) {
  shadow_.add(p, bytes, shared, name);
}

bool RaceChecker::ordered(const Act& act, const Clocks& clocks) const {
  if (act.block < first_block_) return true;
  if (act.block == clocks.id()) return clocks.knows(self->linear, act.thread, act.phase, act.clock);
  return self->block->orders_blocks;
}

void RaceChecker::access(const void* p, size_t bytes, unsigned kind, void* pc) {
  const bool is_write = kind & writes;
  ShadowRange* const range = shadow_.find(p);
  if (!range) return check_unknown(p, is_write ? "write" : "read", pc);
  const Clocks& clocks = clocks_[self->block];
  const Act now{pc,
                clocks.own(self->linear),
                clocks.phase(),
                clocks.id(),
                self->linear,
                static_cast<uint8_t>((kind & atomic) != 0),
                static_cast<uint8_t>((kind & async_proxy) != 0)};
  range->visit(reinterpret_cast<uintptr_t>(p), bytes, [&](Cell& cell, size_t offset) {
    if (is_write)
      check_write(cell, now, kind & pending, clocks, *range, offset);
    else
      check_read(cell, now, clocks, *range, offset);
  });
  if (config().preempt > 0 && !(kind & (atomic | async_proxy)) &&
      static_cast<double>(random_number() >> 11) * 0x1p-53 < config().preempt)
    yield("preemption", Site{});
}

void RaceChecker::check_read(Cell& cell, const Act& now, const Clocks& clocks,
                             const ShadowRange& range, size_t offset) {
  const Act& write = cell.write;
  if (!(now.atomic && write.atomic) && !ordered(write, clocks))
    report("race", now, name_of(false, now), write, name_of(true, write), range, offset);
  else if (!cell.written && write.block >= first_block_)
    report("read before the asynchronous copy was waited for", now, name_of(false, now), write,
           "copy issued", range, offset);
  else if (!cell.written && range.shared())
    report("read of bytes that nobody wrote", now, name_of(false, now), now, "", range, offset);
  if (now.async && write.block == now.block && !write.async && !write.atomic &&
      self->block->threads[write.thread].fences <= cell.fences)
    report("missing proxy fence", now, name_of(false, now), write, "ordinary write", range, offset);
  // Keep the two readers that a later write is most likely to conflict with: replace what the
  // present one makes redundant, else either.
  for (Act& reader : cell.readers)
    if (reader.thread == now.thread || ordered(reader, clocks)) {
      reader = now;
      return;
    }
  cell.readers[now.clock % 2] = now;
}

void RaceChecker::check_write(Cell& cell, const Act& now, bool pending, const Clocks& clocks,
                              const ShadowRange& range, size_t offset) {
  if (!(now.atomic && cell.write.atomic) && !ordered(cell.write, clocks))
    report("race", now, name_of(true, now), cell.write, name_of(true, cell.write), range, offset);
  for (Act& reader : cell.readers) {
    if (!(now.atomic && reader.atomic) && !ordered(reader, clocks))
      report("race", now, name_of(true, now), reader, name_of(false, reader), range, offset);
    if (!now.atomic) reader = Act{};
  }
  cell.write = now;
  cell.written = !pending;
  cell.fences = self->fences;
}

void RaceChecker::report(const std::string& what, const Act& now, const char* now_does,
                         const Act& other, const char* other_did, const ShadowRange& range,
                         size_t offset) {
  if (found_.size() >= max_reports || !seen_.insert({other.pc, now.pc}).second) return;
  const auto who = [](const Act& act) {
    return "thread " + std::to_string(act.thread) + " at " + source_line(act.pc).text();
  };
  std::string text = what + ": " + (range.shared() ? "shared '" : "global '") + range.name() +
                     "' + " + std::to_string(offset) + ": " + now_does + " by " +
                     simt::name_of(*self) + " " + who(now);
  if (*other_did) {
    text += std::string(", ") + other_did + " by ";
    if (other.block != now.block) text += "another block, ";
    text += who(other);
  }
  found_.push_back(text);
}

void RaceChecker::check_unknown(const void* p, const char* does, void* pc) {
  if (self->stack->contains(p) || in_program(p)) return;
  if (found_.size() >= max_reports || !seen_.insert({nullptr, pc}).second) return;
  found_.push_back(std::string(does) +
                   " of memory that is neither shared nor allocated on the device by " +
                   simt::name_of(*self) + " at " + source_line(pc).text());
}

}  // namespace cytograd::simt
