#include "cuda/emulation/trace.h"

#include <algorithm>
#include <tuple>

namespace cytograd::simt {

Tracer::Tracer() { add_observer(this); }
Tracer::~Tracer() { remove_observer(this); }

void Tracer::allocate(void* p, size_t bytes, bool shared, const char*) {
  if (shared) shared_[reinterpret_cast<uintptr_t>(p)] = bytes;
}

Tracer::Record& Tracer::record(Thread& thread, const void* pc, Site site, const std::string& what) {
  const uint32_t block = thread.block->linear, warp = thread.warp;
  LaneState& lane = lanes_[{block, thread.linear}];
  const void* const place = pc ? pc : static_cast<const void*>(site.file);
  const uint32_t nth = lane.counts[{place, pc ? 0 : site.line}]++;
  const auto [at, is_new] = records_.try_emplace({block, warp, place, pc ? 0 : site.line, nth});
  Record& r = at->second;
  ++time_;
  if (is_new) {
    r.block = block;
    r.warp = warp;
    r.first = time_;
    r.pc = pc;
    r.site = site;
    r.what = what;
    r.interval = lane.interval;
    r.place = 0;
  }
  r.interval = std::max(r.interval, lane.interval);
  r.place = std::max(r.place, lane.acts++);
  r.request.mask |= 1u << thread.lane;
  interval_end_[{block, warp, lane.interval}] = time_;
  return r;
}

void Tracer::access(const void* p, size_t bytes, unsigned kind, void* pc) {
  if (self->stack->contains(p)) return;
  const auto address = reinterpret_cast<uintptr_t>(p);
  const auto next = shared_.upper_bound(address);
  uintptr_t start = 0;
  if (next != shared_.begin() && address - std::prev(next)->first < std::prev(next)->second)
    start = std::prev(next)->first;
  std::string what = start ? "shared " : "global ";
  what += kind & atomic ? "atomic" : kind & writes ? "write" : "read";
  if (kind & pending) what += " (asynchronous)";
  Record& r = record(*self, pc, Site{}, what);
  r.request.bytes = static_cast<uint32_t>(bytes);
  r.request.shared = start != 0;
  r.request.address[self->lane] = address - start;
}

void Tracer::arrive(Thread& thread, const char* what, uint32_t, Site site) {
  record(thread, nullptr, site, what);
  LaneState& lane = lanes_[{thread.block->linear, thread.linear}];
  ++lane.interval;
  lane.acts = 0;
}

std::string Tracer::launch_end() {
  std::vector<const Record*> sorted;
  std::vector<const void*> addresses;
  for (const auto& [key, r] : records_) {
    sorted.push_back(&r);
    addresses.push_back(r.pc);
  }
  source_lines(addresses);  // asks for all at once
  const auto key = [&](const Record* r) {
    return std::make_tuple(interval_end_.at({r->block, r->warp, r->interval}), r->place, r->first);
  };
  std::sort(sorted.begin(), sorted.end(),
            [&](const Record* a, const Record* b) { return key(a) < key(b); });
  events_.clear();
  for (const Record* r : sorted) {
    TraceEvent e;
    e.block = r->block;
    e.warp = r->warp;
    e.lanes = r->request.mask;
    e.what = r->what;
    e.bytes = r->request.bytes;
    e.shared = r->request.shared;
    if (e.bytes) e.cost = cost_of(r->request);
    if (r->pc) {
      e.line = source_line(r->pc);
    } else if (r->site.line) {
      const std::string path = r->site.file;
      e.line = {path.substr(path.rfind('/') + 1), r->site.line};
    } else {
      e.line = {"", 0};
    }
    events_.push_back(e);
  }
  records_.clear();
  lanes_.clear();
  interval_end_.clear();
  return "";
}

}  // namespace cytograd::simt
