#pragma once

#include "cuda/core/ptx.cuh"
#include "cuda/gemm/element.cuh"
#include "cuda/gemm/sources.cuh"
#include "cuda/gemm/tile.cuh"

/// @file
/// Brings tiles of an operand from global to shared memory.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// max(x * scale[c] + shift[c], 0), applied to an input while it is loaded: batch normalisation and
/// ReLU in front of a convolution without a tensor of their own. Padding stays zero.
struct InputMap {
  const float *scale = nullptr, *shift = nullptr;  // [channels]
};

/// How a tile is copied.
enum class Copy {
  async,    ///< 16 bytes at a time, cp.async: global to shared memory past the registers
  mapped,   ///< 16 bytes at a time through registers, where the InputMap is applied
  elements  ///< one element at a time through registers: any alignment, any stride
};

/// An operand as a kernel is compiled for it.
template <class SourceType, Along Direction, Copy How>
struct Operand {
  using Source = SourceType;
  using Element = typename Source::Element;
  static constexpr Along along = Direction;
  static constexpr Copy copy = How;
};

/// One thread's share of the copies of an operand's tiles. Its chunks of all tiles stand at the
/// same places, so what depends on the row alone is computed once. `begin` starts the copy of the
/// next tile; `finish` must follow, after time for the loads to arrive.
template <class Operand, class Tile, int Threads>
class Loader {
  using Source = typename Operand::Source;
  using T = typename Operand::Element;
  static constexpr bool by_rows = Tile::along == Along::rows;
  static constexpr int width = Operand::copy == Copy::elements ? 1 : per_chunk<T>;
  static constexpr int chunks = Tile::length / width;  // of a line
  static constexpr int lines = Threads / chunks;       // copied in one pass of all threads
  static constexpr int passes = Tile::lines / lines;
  static_assert(Threads % chunks == 0 && Tile::lines % lines == 0);

 public:
  __device__ Loader(const Source& source, const T* data, InputMap map, int row, int k, int k_end,
                    int thread)
      : source_(source), data_(data), map_(map), k_(k), k_end_(k_end) {
    at_ = thread % chunks * width;
    line_ = thread / chunks;
    if constexpr (by_rows) {
      rows_[0] = source.row(row + at_);
    } else {
#pragma unroll
      for (int i = 0; i < passes; ++i) rows_[i] = source.row(row + line_ + i * lines);
    }
  }

  __device__ void begin(unsigned char* tile) {
    typename Source::Depth depth{};
    if constexpr (!by_rows) depth = source_.depth(k_ + at_);
    inside_ = 0;
#pragma unroll
    for (int i = 0; i < passes; ++i) {
      const int k = by_rows ? k_ + line_ + i * lines : k_ + at_;
      if constexpr (by_rows) depth = source_.depth(k);
      const auto& row = rows_[by_rows ? 0 : i];
      const T* from = k < k_end_ ? source_.at(data_, row, depth) : nullptr;
      if constexpr (Operand::copy == Copy::async) {
        cp_async16(tile + Tile::offset(line_ + i * lines, at_), from ? from : data_,
                   from != nullptr);
      } else if constexpr (Operand::copy == Copy::elements) {
        held_[i] = from ? *from : T{};
        if (from && map_.scale) held_[i] = mapped(held_[i], source_.channel(row, depth));
      } else {
        held_[i] = from ? ld16<Held>(from) : Held{};
        inside_ |= static_cast<unsigned>(from != nullptr) << i;
      }
    }
    if constexpr (Operand::copy == Copy::mapped) hold_map(source_.channel(rows_[0], depth));
    k_ += Tile::depth;
  }

  __device__ void finish(unsigned char* tile) {
    if constexpr (Operand::copy != Copy::async) {
#pragma unroll
      for (int i = 0; i < passes; ++i) {
        unsigned char* to = tile + Tile::offset(line_ + i * lines, at_);
        if constexpr (Operand::copy == Copy::elements) {
          *reinterpret_cast<T*>(to) = held_[i];
        } else {
          if (inside_ >> i & 1) apply_map(held_[i]);
          st16(to, held_[i]);
        }
      }
    }
  }

 private:
  using Held = std::conditional_t<Operand::copy == Copy::elements, T, Chunk<T>>;

  __device__ T mapped(T x, int channel) const {
    const float y = static_cast<float>(sum_of(x)) * map_.scale[channel] + map_.shift[channel];
    return value_of<T>(y < 0 ? 0.0f : y);
  }

  // The chunks of one tile that a thread holds lie in the same channels: along the depth they share
  // their depth, along the rows their row.
  __device__ void hold_map(int channel) {
#pragma unroll
    for (int e = 0; e < width; e += 4) {
      const bool any = inside_ != 0;  // else the channel may not exist
      const auto scale = any ? ld16<Chunk<float>>(map_.scale + channel + e) : Chunk<float>{};
      const auto shift = any ? ld16<Chunk<float>>(map_.shift + channel + e) : Chunk<float>{};
#pragma unroll
      for (int q = 0; q < 4; ++q) scale_[e + q] = scale.v[q], shift_[e + q] = shift.v[q];
    }
  }
  __device__ void apply_map(Held& chunk) const {
#pragma unroll
    for (int e = 0; e < width; ++e) {
      const float y = static_cast<float>(sum_of(chunk.v[e])) * scale_[e] + shift_[e];
      chunk.v[e] = value_of<T>(y < 0 ? 0.0f : y);
    }
  }

  static constexpr bool holds_map = Operand::copy == Copy::mapped;
  const Source& source_;
  const T* data_;
  InputMap map_;
  int k_, k_end_, at_, line_;
  unsigned inside_ = 0;  // bit i: chunk i is no padding
  typename Source::Row rows_[by_rows ? 1 : passes];
  Held held_[Operand::copy == Copy::async ? 1 : passes];
  float scale_[holds_map ? width : 1], shift_[holds_map ? width : 1];
};

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
