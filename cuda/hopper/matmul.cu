#include "cuda/hopper/hopper.h"
#include "cuda/hopper/run.cuh"

namespace cytograd::cuda::inline CYTOGRAD_NS {
namespace {

using MatrixProblem = Problem<MatrixSource<bfloat16>, MatrixSource<bfloat16>, bfloat16>;

template <Along along>
using Copied = Fed<Operand<MatrixSource<bfloat16>, along, Copy::async>, Feed::tma>;

template <class Math>
int run_layout(const char* op, CudaContext ctx, const MatrixProblem& p, Along a, Along b) {
  using Depth = Copied<Along::depth>;
  using Rows = Copied<Along::rows>;
  if (a == Along::depth && b == Along::depth) return run_wgmma<Math, Depth, Depth>(op, ctx, p);
  if (a == Along::depth) return run_wgmma<Math, Depth, Rows>(op, ctx, p);
  if (b == Along::depth) return run_wgmma<Math, Rows, Depth>(op, ctx, p);
  return run_wgmma<Math, Rows, Rows>(op, ctx, p);
}

}  // namespace

std::optional<int> hopper_matmul(const char* op, CudaContext ctx, const MatrixProblem& p,
                                 Along a_along, Along b_along) {
  if (!is_hopper(ctx) || p.batch.count != 1 || p.a_map.scale || p.b_map.scale ||
      !has_map(p.a, p.k, a_along) || !has_map(p.b, p.k, b_along))
    return {};
  // The wide tile reads less from shared memory per product; it needs enough tiles for all
  // multiprocessors.
  const bool wide = p.n > 128 && !p.sums.partial &&
                    ceil_div(int64_t{p.m}, 128) * ceil_div(int64_t{p.n}, 256) >= 128;
  return wide ? run_layout<WgmmaMath<256>>(op, ctx, p, a_along, b_along)
              : run_layout<WgmmaMath<128>>(op, ctx, p, a_along, b_along);
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
