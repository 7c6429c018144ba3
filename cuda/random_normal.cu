#include "kernels/random_normal.h"

#include "cuda/core/launch.cuh"
#include "kernels/random.h"

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

constexpr unsigned threads = 256;

template <class T>
__global__ void __launch_bounds__(threads) normal_kernel(int64_t numel, uint64_t key, T* y) {
  for (int64_t i : grid_stride(numel))
    y[i] = static_cast<T>(random::normal_at(key, static_cast<uint64_t>(i)));
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

void random_normal(CudaContext ctx, uint64_t key, const Tensor& y) {
  if (y.numel() == 0) return;
  dispatch_floating(y.dtype(), "random_normal", [&]<class T>() {
    cuda::launch("random_normal", cuda::normal_kernel<T>,
                 cuda::grid_for(y.numel(), cuda::threads, ctx), dim3(cuda::threads), 0, ctx,
                 y.numel(), key, y.data<T>());
  });
}

}  // namespace kernels
}  // namespace cytograd
