#pragma once

#include "cuda/gemm/column_sums.cuh"
#include "cuda/gemm/loader.cuh"
#include "cuda/gemm/output.cuh"

/// @file
/// The one main loop of every matrix product and convolution.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// Where the matrices of a batch begin, in elements. The groups of a convolution are a batch too.
struct Batch {
  static constexpr int max_axes = 4;
  int count = 1, axes = 0;
  int size[max_axes] = {};
  int64_t a[max_axes] = {}, b[max_axes] = {}, c[max_axes] = {};
  int64_t columns = 0;  // from one matrix to the next: columns of bias and residual

  struct Offsets {
    int64_t a, b, c;
  };
  __device__ Offsets at(int index) const {
    Offsets at{0, 0, 0};
    for (int axis = axes - 1; axis >= 0; --axis) {
      const int next = index / size[axis], i = index - next * size[axis];
      at.a += i * a[axis];
      at.b += i * b[axis];
      at.c += i * c[axis];
      index = next;
    }
    return at;
  }
};

/// out[m, n] = sum over k of a(m, k) b(n, k), for every matrix of the batch. The sum over k may be
/// split: then each part goes to `partial` [batch, splits, m, partial_pitch] and sum_partials adds
/// the parts in order.
template <class SourceA, class SourceB, class T>
struct Problem {
  using Sum = typename Output<T>::Sum;
  int m = 0, n = 0, k = 0;
  int tiles_m = 0, tiles_n = 0, splits = 1, split_depth = 0;
  SourceA a{};
  SourceB b{};
  const typename SourceA::Element* a_data = nullptr;
  const typename SourceB::Element* b_data = nullptr;
  InputMap a_map{}, b_map{};
  Batch batch{};
  Output<T> out{};
  ColumnSumsOut sums{};  // of what was stored; needs splits = 1
  Sum* partial = nullptr;
  int partial_pitch = 0;
};

/// What one block computes.
struct Block {
  int batch, split, row, col;  // of the tile's first element
};
template <class Math, class P>
__device__ Block block_of(const P& p, int index) {
  const int tiles = p.tiles_m * p.tiles_n;
  const int rest = index / tiles;
  const TilePlace place = tile_place(index - rest * tiles, p.tiles_m, p.tiles_n);
  return {rest / p.splits, rest % p.splits, place.row * Math::rows, place.col * Math::cols};
}

template <class Math, class A>
using TileOfA =
    Tile<typename A::Element, A::along, Math::rows, Math::depth, Math::swizzle(A::along)>;
template <class Math, class B>
using TileOfB =
    Tile<typename B::Element, B::along, Math::cols, Math::depth, Math::swizzle(B::along)>;

/// Stages of shared memory that are filled ahead. Copies through registers are ahead by themselves.
template <class A, class B>
inline constexpr int stages_of = A::copy == Copy::async&& B::copy == Copy::async ? 3 : 2;

template <class Math, class A, class B>
inline constexpr int shared_bytes_of = [] {
  const int ring = stages_of<A, B> * (TileOfA<Math, A>::bytes + TileOfB<Math, B>::bytes);
  constexpr int sums = Math::warps_m * 2 * Math::cols * int(sizeof(float));  // of columns
  return max(ring, max(Math::scratch_bytes, sums));
}();

/// Hands the finished sums of a tile to the output, or to the part of its split.
template <class Math, class P>
__device__ void store_tile(Math& math, const P& p, const Block& block, int64_t c_offset,
                           unsigned char* scratch) {
  using Sum = typename P::Sum;
  const auto out = p.out.shifted(c_offset, block.batch * p.batch.columns);
  Sum* partial = p.partial;
  if (partial) partial += (int64_t{block.batch} * p.splits + block.split) * p.m * p.partial_pitch;
  ColumnSumsOut sums = p.sums;
  if (sums.shift) sums.shift += block.batch * p.batch.columns;
  if (sums.partial) sums.partial += block.batch * p.batch.columns;
  ColumnSums<Math> columns;
  int tile_col = 0;
  math.for_each_chunk(scratch, [&](int r, int c, int group, Sum(&values)[Math::chunk]) {
    const int row = block.row + r, col = block.col + c;
    if (group == 0) tile_col = c;
    if (row >= p.m || col >= p.n) return;
    if (!partial) {
      out.store(row, col, p.n, values);
      if constexpr (Math::sums_columns)
        if (sums.partial) columns.add(sums, group, col, p.n, values);
      return;
    }
    constexpr int step = per_chunk<Sum>;
#pragma unroll
    for (int i = 0; i < Math::chunk; i += step) {
      Chunk<Sum> pack;
#pragma unroll
      for (int e = 0; e < step; ++e) pack.v[e] = values[i + e];
      st16(partial + (int64_t{row} * p.partial_pitch + col + i), pack);
    }
  });
  if constexpr (Math::sums_columns)
    if (sums.partial)
      columns.store(sums, scratch, math.warp_row(), tile_col, block.row / Math::rows, block.col,
                    p.n);
}

/// One tile of the product: Math::rows x Math::cols sums over the depth of one split, Math::depth
/// at a time through a ring of stages.
template <class Math, class A, class B, class T>
__global__ void __launch_bounds__(Math::threads, Math::blocks)
    multiply(const __grid_constant__ Problem<typename A::Source, typename B::Source, T> p) {
  using TileA = TileOfA<Math, A>;  // [rows, depth]
  using TileB = TileOfB<Math, B>;  // [cols, depth]
  constexpr int stages = stages_of<A, B>, stage_bytes = TileA::bytes + TileB::bytes;
  CYTOGRAD_DYNAMIC_SHARED(unsigned char, shared);

  const Block block = block_of<Math>(p, int(blockIdx.x));
  const Batch::Offsets at = p.batch.at(block.batch);
  const int k_begin = block.split * p.split_depth, k_end = min(p.k, k_begin + p.split_depth);
  Loader<A, TileA, Math::threads> a(p.a, p.a_data + at.a, p.a_map, block.row, k_begin, k_end,
                                    int(threadIdx.x));
  Loader<B, TileB, Math::threads> b(p.b, p.b_data + at.b, p.b_map, block.col, k_begin, k_end,
                                    int(threadIdx.x));
  Math math;

  for (int i = 0; i < stages - 1; ++i) {
    unsigned char* stage = shared + i * stage_bytes;
    a.begin(stage);
    b.begin(stage + TileA::bytes);
    cp_async_commit();
    a.finish(stage);
    b.finish(stage + TileA::bytes);
  }
  int read = 0, write = stages - 1;
  for (int k = k_begin; k < k_end; k += Math::depth) {
    // The stage to be read has arrived, and nobody reads the one to be written any more.
    cp_async_wait<stages - 2>();
    __syncthreads();
    unsigned char *stage = shared + read * stage_bytes, *next = shared + write * stage_bytes;
    a.begin(next);  // past the end these are zeros that nobody reads
    b.begin(next + TileA::bytes);
    cp_async_commit();
    math.template step<TileA, TileB>(stage, stage + TileA::bytes);
    a.finish(next);
    b.finish(next + TileA::bytes);
    read = read + 1 == stages ? 0 : read + 1;
    write = write + 1 == stages ? 0 : write + 1;
  }
  cp_async_wait<0>();
  __syncthreads();
  store_tile(math, p, block, at.c, shared);
}

/// Columns that a thread of sum_partials finishes; partial_pitch is a multiple of it.
inline constexpr int partial_chunk = 8;

/// Adds the parts of a split sum in their order and finishes the elements. One thread per chunk.
template <class T>
__global__ void __launch_bounds__(256)
    sum_partials(int64_t chunks, int m, int n, int splits, const typename Output<T>::Sum* partial,
                 int pitch, const __grid_constant__ Batch batch,
                 const __grid_constant__ Output<T> out) {
  using Sum = typename Output<T>::Sum;
  const int64_t index = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (index >= chunks) return;
  const int per_row = pitch / partial_chunk, col = int(index % per_row) * partial_chunk;
  const int64_t line = index / per_row;
  const int matrix = int(line / m), row = int(line % m);
  const Sum* from = partial + (int64_t{matrix} * splits * m + row) * pitch + col;
  Sum values[partial_chunk] = {};
  for (int s = 0; s < splits; ++s, from += int64_t{m} * pitch) {
    constexpr int step = per_chunk<Sum>;
#pragma unroll
    for (int i = 0; i < partial_chunk; i += step) {
      const auto pack = ld16<Chunk<Sum>>(from + i);
#pragma unroll
      for (int e = 0; e < step; ++e) values[i + e] += pack.v[e];
    }
  }
  const auto at = batch.at(matrix);
  if (col < n) out.shifted(at.c, matrix * batch.columns).store(row, col, n, values);
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
