#include "cuda/hopper/hopper.h"
#include "cuda/hopper/run.cuh"

namespace cytograd::cuda::inline CYTOGRAD_NS {
namespace {

using Element = bfloat16;
using Math = WgmmaMath<128>;
template <class Source, Along along>
using Gathered = Fed<Operand<Source, along, Copy::async>, Feed::gather>;
template <Along along>
using Copied = Fed<Operand<MatrixSource<Element>, along, Copy::async>, Feed::tma>;

/// Patches whose rows are the pixels of the image one after the other are a matrix.
bool is_matrix(const PatchGeometry& g) {
  return g.taps == int(g.channels.value) && g.step_h == 1 && g.step_w == 1 && g.origin_h == 0 &&
         g.origin_w == 0 && int(g.grid_w.value) == g.width &&
         int(g.grid_hw.value) == g.width * g.height;
}
MatrixSource<Element> matrix_of(const PatchGeometry& g) { return {g.pixels, g.pitch, 1}; }

template <class P>
bool is_for_wgmma(CudaContext ctx, const P& p) {
  return is_hopper(ctx) && p.batch.count == 1 && !p.a_map.scale && !p.b_map.scale && p.k > 0;
}

/// The same product with other sources.
template <class A, class B, class P>
Problem<A, B, Element> with_sources(const P& p, const A& a, const B& b) {
  Problem<A, B, Element> q;
  q.m = p.m, q.n = p.n, q.k = p.k;
  q.a = a, q.b = b;
  q.a_data = p.a_data, q.b_data = p.b_data;
  q.out = p.out;
  q.sums = p.sums;
  return q;
}

}  // namespace

std::optional<int> hopper_conv2d(
    CudaContext ctx, const Problem<PatchSource<Element>, MatrixSource<Element>, Element>& p) {
  if (!is_for_wgmma(ctx, p) || !has_map(p.b, p.k, Along::depth)) return {};
  if (is_matrix(p.a.geometry))
    return hopper_matmul("conv2d", ctx, with_sources(p, matrix_of(p.a.geometry), p.b), Along::depth,
                         Along::depth);
  return run_wgmma<Math, Gathered<PatchSource<Element>, Along::depth>, Copied<Along::depth>>(
      "conv2d", ctx, p);
}

std::optional<int> hopper_conv2d_backward_data(
    CudaContext ctx, const Problem<PatchSource<Element>, FilterSource<Element>, Element>& p) {
  if (!is_for_wgmma(ctx, p)) return {};
  const FilterSource<Element>& f = p.b;
  if (is_matrix(p.a.geometry) && f.filter == f.channels)
    return hopper_matmul("conv2d backward", ctx,
                         with_sources(p, matrix_of(p.a.geometry),
                                      MatrixSource<Element>{f.channels, 1, int64_t{f.channels}}),
                         Along::depth, Along::rows);
  return run_wgmma<Math, Gathered<PatchSource<Element>, Along::depth>,
                   Gathered<FilterSource<Element>, Along::rows>>("conv2d backward", ctx, p);
}

std::optional<int> hopper_conv2d_backward_weight(
    CudaContext ctx, const Problem<MatrixSource<Element>, PixelSource<Element>, Element>& p) {
  if (!is_for_wgmma(ctx, p) || !has_map(p.a, p.k, Along::rows)) return {};
  const PatchGeometry& g = p.b.geometry;
  if (is_matrix(g))
    return hopper_matmul("conv2d backward", ctx,
                         with_sources(p, p.a, MatrixSource<Element>{p.n, 1, int64_t{g.pitch}}),
                         Along::rows, Along::rows);
  return run_wgmma<Math, Copied<Along::rows>, Gathered<PixelSource<Element>, Along::rows>>(
      "conv2d backward", ctx, p);
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
