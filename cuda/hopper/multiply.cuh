#pragma once

#include "cuda/core/tensor_map.h"
#include "cuda/gemm/multiply.cuh"
#include "cuda/hopper/math_wgmma.cuh"

/// @file
/// The main loop for sm_90a: the same problem, tiles, sources and output as gemm/multiply.cuh, but
/// one warpgroup only brings tiles and two only multiply, and blocks stay for several tiles, so
/// that the next tile is on its way while the last is stored.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// Who brings an operand: the copy engine (matrices), or the threads of the producing warpgroup by
/// cp.async (patches, filters of a data gradient).
enum class Feed { tma, gather };

template <class OperandType, Feed How>
struct Fed {
  using Operand = OperandType;
  static constexpr Feed feed = How;
};

template <class Math, class A, class B>
struct HopperLayout {
  using TileA = TileOfA<Math, typename A::Operand>;  // [128, 64]
  using TileB = TileOfB<Math, typename B::Operand>;  // [columns, 64]
  static constexpr int stage_bytes = TileA::bytes + TileB::bytes;
  static constexpr int stages = Math::cols > 128 ? 4 : 6;
  static constexpr int shared_bytes = stages * stage_bytes + Math::scratch_bytes;
  static constexpr int producers = 128, threads = Math::threads + producers;
  static constexpr bool gathers = A::feed == Feed::gather || B::feed == Feed::gather;
  static constexpr bool copies = A::feed == Feed::tma || B::feed == Feed::tma;
  static constexpr int copied_bytes =
      (A::feed == Feed::tma ? TileA::bytes : 0) + (B::feed == Feed::tma ? TileB::bytes : 0);
  // setmaxnreg: gathering needs registers for rows and taps.
  static constexpr int producer_registers = gathers ? 96 : 40;
  static constexpr int consumer_registers = gathers ? 208 : 232;
};

/// full[s]: stage s holds its tiles; empty[s]: all warps have multiplied what it held.
template <int stages>
struct Ring {
  uint64_t *full, *empty;
  int stage = 0;
  uint32_t parity = 0;

  __device__ void next() {
    if (++stage < stages) return;
    stage = 0;
    parity ^= 1;
  }
};

/// One thread asks for a tile of [rows, depth] at (row, k).
template <class Tile>
CYTOGRAD_DEVICE void copy_tile(unsigned char* to, const TensorMap& map, uint64_t* barrier, int row,
                               int k) {
  if constexpr (Tile::along == Along::depth) {
    tma_load_2d(to, map, barrier, k, row);
  } else {
#pragma unroll
    for (int r = 0; r < Tile::rows; r += Tile::panel)
      tma_load_2d(to + r * (Tile::depth * int(sizeof(typename Tile::Element))), map, barrier,
                  row + r, k);
  }
}

/// A Loader, or nothing for an operand that the copy engine brings.
template <class F, class Tile>
class Gatherer {
 public:
  template <class... Arguments>
  __device__ explicit Gatherer(const Arguments&... arguments) : loader_(arguments...) {}
  __device__ void begin(unsigned char* tile) { loader_.begin(tile); }

 private:
  Loader<typename F::Operand, Tile, 128> loader_;
};
template <class F, class Tile>
requires(F::feed == Feed::tma) class Gatherer<F, Tile> {
 public:
  template <class... Arguments>
  __device__ explicit Gatherer(const Arguments&...) {}
  __device__ void begin(unsigned char*) {}
};

/// The producing warpgroup: `thread` counts from 0. A gathered stage is full when its copies have
/// arrived, which is waited for one stage later.
template <class Math, class A, class B, class P>
__device__ void produce(const P& p, const TensorMap& a_map, const TensorMap& b_map,
                        unsigned char* shared, Ring<HopperLayout<Math, A, B>::stages> ring,
                        int tiles, int thread) {
  using Layout = HopperLayout<Math, A, B>;
  uint64_t* arriving = nullptr;  // the stage whose gathered copies are under way
  for (int index = int(blockIdx.x); index < tiles; index += int(gridDim.x)) {
    const Block block = block_of<Math>(p, index);
    const int k_begin = block.split * p.split_depth, k_end = min(p.k, k_begin + p.split_depth);
    Gatherer<A, typename Layout::TileA> a(p.a, p.a_data, p.a_map, block.row, k_begin, k_end,
                                          thread);
    Gatherer<B, typename Layout::TileB> b(p.b, p.b_data, p.b_map, block.col, k_begin, k_end,
                                          thread);
    for (int k = k_begin; k < k_end; k += Math::depth, ring.next()) {
      unsigned char* left = shared + ring.stage * Layout::stage_bytes;
      unsigned char* right = left + Layout::TileA::bytes;
      uint64_t* full = ring.full + ring.stage;
      mbarrier_wait(ring.empty + ring.stage, ring.parity ^ 1);
      if (Layout::copies && thread == 0) {
        mbarrier_arrive_expect(full, Layout::copied_bytes);
        if constexpr (A::feed == Feed::tma)
          copy_tile<typename Layout::TileA>(left, a_map, full, block.row, k);
        if constexpr (B::feed == Feed::tma)
          copy_tile<typename Layout::TileB>(right, b_map, full, block.col, k);
      }
      if constexpr (Layout::gathers) {
        a.begin(left);
        b.begin(right);
        cp_async_commit();
        cp_async_wait<1>();
        fence_async_proxy();
        if (arriving) mbarrier_arrive(arriving);
        arriving = full;
      }
    }
  }
  cp_async_wait<0>();
  fence_async_proxy();
  if (arriving) mbarrier_arrive(arriving);
}

/// The two consuming warpgroups. A stage is given back when the products that read it are done,
/// which is waited for one step later: the tensor cores always have the next step queued.
template <class Math, class A, class B, class P>
__device__ void consume(const P& p, unsigned char* shared,
                        Ring<HopperLayout<Math, A, B>::stages> ring, int tiles) {
  using Layout = HopperLayout<Math, A, B>;
  unsigned char* scratch = shared + Layout::stages * Layout::stage_bytes;
  const bool elected = threadIdx.x % 32 == 0;
  Math math;
  for (int index = int(blockIdx.x); index < tiles; index += int(gridDim.x)) {
    const Block block = block_of<Math>(p, index);
    const int k_begin = block.split * p.split_depth, k_end = min(p.k, k_begin + p.split_depth);
    uint64_t* reading = nullptr;
    int k = k_begin;
    do {  // there is a first step; a loop that may not run would need the sums moved around it
      const unsigned char* left = shared + ring.stage * Layout::stage_bytes;
      mbarrier_wait(ring.full + ring.stage, ring.parity);
      math.template step<typename Layout::TileA, typename Layout::TileB>(
          left, left + Layout::TileA::bytes, k == k_begin);
      wgmma_wait<1>();
      __syncwarp();  // one lane speaks for what all have read
      if (reading && elected) mbarrier_arrive(reading);
      reading = ring.empty + ring.stage;
      ring.next();
      k += Math::depth;
    } while (k < k_end);
    wgmma_wait<0>();
    math.hold();
    __syncwarp();
    if (elected) mbarrier_arrive(reading);
    store_tile(math, p, block, 0, scratch);
    Math::sync();  // the scratch is used again
  }
}

template <class Math, class A, class B>
__global__ void __launch_bounds__(384, 1)
    multiply_wgmma(const __grid_constant__
                       Problem<typename A::Operand::Source, typename B::Operand::Source, bfloat16>
                           p,
                   const __grid_constant__ TensorMap a_map, const __grid_constant__ TensorMap b_map,
                   int tiles) {
  using Layout = HopperLayout<Math, A, B>;
  CYTOGRAD_DYNAMIC_SHARED(unsigned char, shared);
  CYTOGRAD_SHARED(uint64_t, full, [Layout::stages]);
  CYTOGRAD_SHARED(uint64_t, empty, [Layout::stages]);
  if (threadIdx.x == 0) {
    for (int s = 0; s < Layout::stages; ++s) {
      mbarrier_init(full + s, (Layout::copies ? 1 : 0) + (Layout::gathers ? 128 : 0));
      mbarrier_init(empty + s, Math::threads / 32);
    }
    mbarrier_init_fence();
  }
  __syncthreads();
  const Ring<Layout::stages> ring{full, empty};
  if (threadIdx.x >= Math::threads) {
    fewer_registers<Layout::producer_registers>();
    produce<Math, A, B>(p, a_map, b_map, shared, ring, tiles, int(threadIdx.x) - Math::threads);
  } else {
    more_registers<Layout::consumer_registers>();
    consume<Math, A, B>(p, shared, ring, tiles);
  }
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
