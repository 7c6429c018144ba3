#pragma once

#include <array>

#include "cytograd/core/parallel.h"
#include "cytograd/core/shape.h"

namespace cytograd::cpu {

/// Elements per chunk of a parallel elementwise loop: large enough to hide the hand-over, small
/// enough to stay in the cache.
inline constexpr int64_t grain = 1 << 15;

/// Walks N tensors of one shape together, whatever their strides. Axes that every operand crosses
/// in one step are joined, so contiguous operands become one long row.
template <size_t N>
class StridedLoop {
 public:
  using Offsets = std::array<int64_t, N>;

  StridedLoop(const Shape& shape, const std::array<Shape, N>& strides) : numel_(shape.numel()) {
    for (int d = 0; d < shape.ndim(); ++d) {
      if (shape[d] == 1) continue;
      const int last = shape_.ndim() - 1;
      bool joins = last >= 0;
      for (size_t k = 0; k < N; ++k) joins = joins && strides_[k][last] == strides[k][d] * shape[d];
      if (!joins) shape_.push_back(shape[d]);
      const int at = shape_.ndim() - 1;
      if (joins) shape_[at] *= shape[d];
      for (size_t k = 0; k < N; ++k) {
        if (joins)
          strides_[k][at] = strides[k][d];
        else
          strides_[k].push_back(strides[k][d]);
      }
    }
    if (shape_.empty()) {
      shape_.push_back(1);
      for (Shape& s : strides_) s.push_back(0);
    }
  }

  /// Calls f(offsets, strides, length) in parallel for pieces of rows along the last axis.
  template <class F>
  void run(F&& f) const {
    parallel_for(numel_, grain, [&](int64_t begin, int64_t end) { walk(begin, end, f); });
  }

  /// The same for the elements [begin, end) on this thread.
  template <class F>
  void walk(int64_t begin, int64_t end, F&& f) const {
    const int last = shape_.ndim() - 1;
    Shape index = shape_;
    Offsets offsets{}, inner;
    int64_t rest = begin;
    for (int d = last; d >= 0; --d) {
      index[d] = rest % shape_[d];
      rest /= shape_[d];
      for (size_t k = 0; k < N; ++k) offsets[k] += index[d] * strides_[k][d];
    }
    for (size_t k = 0; k < N; ++k) inner[k] = strides_[k][last];
    while (begin < end) {
      const int64_t length = std::min(end - begin, shape_[last] - index[last]);
      f(offsets, inner, length);
      begin += length;
      for (size_t k = 0; k < N; ++k) offsets[k] -= index[last] * inner[k];
      index[last] = 0;
      for (int d = last - 1; d >= 0; --d) {
        for (size_t k = 0; k < N; ++k) offsets[k] += strides_[k][d];
        if (++index[d] < shape_[d]) break;
        for (size_t k = 0; k < N; ++k) offsets[k] -= shape_[d] * strides_[k][d];
        index[d] = 0;
      }
    }
  }

 private:
  int64_t numel_;
  Shape shape_;
  std::array<Shape, N> strides_;
};

}  // namespace cytograd::cpu
