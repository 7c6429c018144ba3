#pragma once

#include <algorithm>
#include <array>

#include "cuda/core/kernel.cuh"
#include "cytograd/core/shape.h"

/// @file
/// From the number of an element to its place in memory.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// Division by a number that is known before the kernel starts, of 0 <= n < 2^31: one high product
/// and a shift (Granlund and Montgomery 1994).
struct FastDivide {
  uint32_t divisor = 1, magic = 1, shift = 0;

  FastDivide() = default;
  explicit FastDivide(uint32_t d) : divisor(d) {
    while (shift < 31 && (uint32_t{1} << shift) < d) ++shift;
    const uint64_t rest = (uint64_t{1} << shift) - d;
    magic = static_cast<uint32_t>((rest << 32) / d + 1);
  }
  CYTOGRAD_HD uint32_t quotient(uint32_t n) const {
    const auto high = static_cast<uint32_t>(static_cast<uint64_t>(n) * magic >> 32);
    return (high + n) >> shift;
  }
};

/// Walks N tensors of one shape together, whatever their strides. Axes that every operand crosses
/// in one step are joined, so packed operands have one axis. A kernel parameter.
template <int N>
struct Strided {
  struct Offsets {
    int64_t of[N];
  };

  int64_t numel = 1;
  int ndim = 0;
  int64_t sizes[max_rank] = {};
  FastDivide by[max_rank];
  int64_t strides[N][max_rank] = {};

  Strided() = default;
  Strided(const Shape& shape, const std::array<Shape, N>& from) : numel(shape.numel()) {
    for (int d = 0; d < shape.ndim(); ++d) {
      if (shape[d] == 1) continue;
      bool joins = ndim > 0;
      for (int k = 0; k < N; ++k)
        joins = joins && strides[k][ndim - 1] == from[static_cast<size_t>(k)][d] * shape[d];
      if (!joins) sizes[ndim++] = 1;
      sizes[ndim - 1] *= shape[d];
      for (int k = 0; k < N; ++k) strides[k][ndim - 1] = from[static_cast<size_t>(k)][d];
    }
    for (int d = 0; d < ndim; ++d)
      if (numel < int64_t{1} << 31)
        by[d] = FastDivide(static_cast<uint32_t>(std::max<int64_t>(sizes[d], 1)));
  }

  /// Are all operands one packed row?
  bool is_packed() const {
    for (int k = 0; k < N; ++k)
      if (ndim > 1 || (ndim == 1 && strides[k][0] != 1)) return false;
    return true;
  }

  /// Where element i of each operand is.
  CYTOGRAD_HD Offsets operator()(int64_t i) const {
    Offsets out{};
    if (numel < int64_t{1} << 31) {
      auto rest = static_cast<uint32_t>(i);
      for (int d = ndim - 1; d > 0; --d) {
        const uint32_t next = by[d].quotient(rest);
        add(out, d, rest - next * by[d].divisor);
        rest = next;
      }
      if (ndim > 0) add(out, 0, rest);
    } else {
      for (int d = ndim - 1; d >= 0; --d) {
        add(out, d, i % sizes[d]);
        i /= sizes[d];
      }
    }
    return out;
  }

 private:
  CYTOGRAD_HD void add(Offsets& out, int d, int64_t index) const {
    for (int k = 0; k < N; ++k) out.of[k] += index * strides[k][d];
  }
};

/// Can every pointer be read and written 16 bytes at a time?
template <class... T>
bool aligned16(const T*... p) {
  return ((reinterpret_cast<uintptr_t>(p) % 16 == 0) && ...);
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
