#pragma once

#include "cuda/gemm/run.cuh"
#include "cuda/hopper/multiply.cuh"

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// The tiles of a matrix operand for the copy engine: [rows, depth] in boxes of `tile_rows` x 64,
/// or of 64 x 64 where the rows are contiguous.
inline TensorMap matrix_map(const bfloat16* data, const MatrixSource<bfloat16>& x, int depth,
                            Along along, int tile_rows) {
  TiledMap map;
  const bool by_depth = along == Along::depth;
  map.size[0] = uint64_t(by_depth ? depth : x.rows);
  map.size[1] = uint64_t(by_depth ? x.rows : depth);
  map.pitch[1] = uint64_t(by_depth ? x.row_step : x.depth_step) * sizeof(bfloat16);
  map.box[0] = 64;
  map.box[1] = by_depth ? uint32_t(tile_rows) : 64;
  return tensor_map(data, map);
}

template <class F, class Source>
TensorMap map_of(const bfloat16* data, const Source& source, int depth, int tile_rows) {
  if constexpr (F::feed == Feed::tma)
    return matrix_map(data, source, depth, F::Operand::along, tile_rows);
  else
    return {};
}

/// Can the copy engine read this matrix? Rows must not overlap, sizes must not be zero.
inline bool has_map(const MatrixSource<bfloat16>& x, int depth, Along along) {
  const int64_t length = along == Along::depth ? depth : x.rows;
  const int64_t step = along == Along::depth ? x.row_step : x.depth_step;
  return x.rows > 0 && depth > 0 && step >= length;
}

/// Runs `p`, one matrix without groups, with the main loop of hopper/multiply.cuh. @return as
/// run_cut
template <class Math, class A, class B, class P>
int run_wgmma(const char* op, CudaContext ctx, const P& problem) {
  using Layout = HopperLayout<Math, A, B>;
  const TensorMap a_map = map_of<A>(problem.a_data, problem.a, problem.k, Math::rows);
  const TensorMap b_map = map_of<B>(problem.b_data, problem.b, problem.k, Math::cols);
  return run_cut<Math>(op, ctx, problem, [&](const auto& p, int tiles) {
    const int blocks = std::min(tiles, properties(ctx.device).multiprocessors);
    launch(op, multiply_wgmma<Math, A, B>, dim3(unsigned(blocks)), dim3(Layout::threads),
           Layout::shared_bytes, ctx, p, a_map, b_map, tiles);
  });
}

/// The device has wgmma and TMA.
inline bool is_hopper(CudaContext ctx) { return properties(ctx.device).major == 9; }

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
