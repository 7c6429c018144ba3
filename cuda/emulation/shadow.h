#pragma once

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>

/// @file
/// What the race checker remembers about memory: per word, or per byte where smaller accesses
/// happened.

namespace cytograd::simt {

/// One access to a cell.
struct Act {
  void* pc;
  uint32_t clock, phase, block;  ///< block 0: none
  uint16_t thread;
  uint8_t atomic, async;
};

struct Cell {
  Act write, readers[2];
  uint32_t fences;  ///< of the writer when it wrote
  uint8_t written, split;
};

/// An array in shared memory or a buffer of the device, with its cells. Those of buffers are made
/// at the first access.
class ShadowRange {
 public:
  ShadowRange(uintptr_t start, size_t bytes, bool shared, const char* name)
      : start_(start), bytes_(bytes), shared_(shared), name_(name) {}
  bool contains(uintptr_t p) const { return p - start_ < bytes_; }
  uintptr_t start() const { return start_; }
  bool shared() const { return shared_; }
  const char* name() const { return name_; }

  /// Calls visit(cell, offset) for the cells of [p, p + bytes), ends cut off.
  template <class Visit>
  void visit(uintptr_t p, size_t bytes, Visit visit) {
    if (!words_) words_ = make(bytes_ / 4 + 1);
    size_t at = p - start_;
    const size_t end = at + bytes < bytes_ ? at + bytes : bytes_;
    while (at < end) {
      Cell& word = words_.get()[at / 4];
      if (at % 4 == 0 && end - at >= 4 && !word.split) {
        visit(word, at);
        at += 4;
        continue;
      }
      split(at / 4);
      visit(bytes_cells_.get()[at], at);
      ++at;
    }
  }

 private:
  struct Free {
    void operator()(Cell* cells) const { std::free(cells); }
  };
  using Cells = std::unique_ptr<Cell[], Free>;
  // Zeroed; of large arrays only the pages that are used cost memory.
  static Cells make(size_t n) {
    auto* cells = static_cast<Cell*>(std::calloc(n, sizeof(Cell)));
    if (!cells) throw std::bad_alloc();
    return Cells(cells);
  }
  void split(size_t word) {
    Cell& cell = words_.get()[word];
    if (cell.split) return;
    if (!bytes_cells_) bytes_cells_ = make(bytes_ + 4);
    for (size_t i = 0; i < 4; ++i) bytes_cells_.get()[word * 4 + i] = cell;
    cell.split = 1;
  }

  uintptr_t start_;
  size_t bytes_;
  bool shared_;
  const char* name_;
  Cells words_, bytes_cells_;
};

/// All ranges, by address.
class Shadow {
 public:
  void add(const void* p, size_t bytes, bool shared, const char* name) {
    const auto start = reinterpret_cast<uintptr_t>(p);
    last_ = nullptr;
    ranges_.erase(start);
    ranges_.try_emplace(start, start, bytes, shared, name);
  }
  void remove(const void* p) {
    last_ = nullptr;
    ranges_.erase(reinterpret_cast<uintptr_t>(p));
  }
  /// Null if no range holds `p`.
  ShadowRange* find(const void* p) {
    const auto address = reinterpret_cast<uintptr_t>(p);
    if (last_ && last_->contains(address)) return last_;
    auto next = ranges_.upper_bound(address);
    if (next == ranges_.begin()) return nullptr;
    ShadowRange& range = std::prev(next)->second;
    if (!range.contains(address)) return nullptr;
    last_ = &range;
    return last_;
  }

 private:
  std::map<uintptr_t, ShadowRange> ranges_;
  ShadowRange* last_ = nullptr;
};

}  // namespace cytograd::simt
