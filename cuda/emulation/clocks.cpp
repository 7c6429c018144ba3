#include "cuda/emulation/clocks.h"

#include <algorithm>

namespace cytograd::simt {

void Clocks::begin(uint32_t id, uint32_t threads) {
  id_ = id;
  phase_ = 1;
  own_.assign(threads, 1);
  rows_.assign(threads, Known{});
  objects_.clear();
  copies_.clear();
}

Clocks::Row& Clocks::current(Known& known) {
  if (known.phase != phase_) {
    known.phase = phase_;
    known.clocks.assign(own_.size(), 0);
  }
  return known.clocks;
}

void Clocks::add(Known& to, Known& from) {
  if (from.phase != phase_) return;
  Row& sum = current(to);
  for (size_t i = 0; i < sum.size(); ++i) sum[i] = std::max(sum[i], from.clocks[i]);
}

void Clocks::join_all() {
  ++phase_;
  for (uint32_t& clock : own_) ++clock;
}

void Clocks::join(const std::vector<uint32_t>& threads) {
  Known sum;
  current(sum);
  for (const uint32_t thread : threads) add(sum, rows_[thread]);
  for (const uint32_t thread : threads) sum.clocks[thread] = own_[thread];
  for (const uint32_t thread : threads) {
    rows_[thread] = sum;
    ++own_[thread];
  }
}

void Clocks::release(uint32_t thread, const void* object) {
  Known& known = objects_[object];
  current(known);
  add(known, rows_[thread]);
  known.clocks[thread] = own_[thread]++;
}

void Clocks::acquire(uint32_t thread, const void* object) {
  const auto found = objects_.find(object);
  if (found != objects_.end()) add(rows_[thread], found->second);
}

void Clocks::issue(uint32_t thread, uint64_t copy) {
  Known& known = copies_[copy];
  current(known);
  add(known, rows_[thread]);
  known.clocks[thread] = own_[thread]++;
}

void Clocks::complete(uint64_t copy, const void* object) {
  const auto found = copies_.find(copy);
  if (found == copies_.end()) return;
  if (object) {
    current(objects_[object]);
    add(objects_[object], found->second);
  }
  copies_.erase(found);
}

}  // namespace cytograd::simt
