#include "kernels/dropout.h"

#include "cuda/core/launch.cuh"
#include "cuda/core/pack.cuh"
#include "kernels/random.h"

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

constexpr unsigned threads = 256;

// Four elements share a block of draws.
template <class T>
__global__ void __launch_bounds__(threads)
    dropout_kernel(int64_t numel, kernels::DropoutParams params, const T* __restrict__ x,
                   T* __restrict__ y) {
  using A = Accumulator<T>;
  const A scale = static_cast<A>(params.scale);
  for (int64_t block : grid_stride((numel + 3) / 4)) {
    const random::Words words = random::philox_at(params.key, static_cast<uint64_t>(block));
    for (int j = 0; j < 4; ++j) {
      const int64_t i = block * 4 + j;
      const A factor = words.w[j] >= params.threshold ? scale : A(0);
      if (i < numel) y[i] = narrow<T>(widen(x[i]) * factor);
    }
  }
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

void dropout(CudaContext ctx, const Tensor& x, DropoutParams params, const Tensor& y) {
  if (x.numel() == 0) return;
  cuda::dispatch_storage(x.dtype(), "dropout", [&]<class T>() {
    cuda::launch("dropout", cuda::dropout_kernel<T>,
                 cuda::grid_for(x.numel(), cuda::threads * 4, ctx), dim3(cuda::threads), 0, ctx,
                 x.numel(), params, x.data<T>(), y.data<T>());
  });
}

}  // namespace kernels
}  // namespace cytograd
