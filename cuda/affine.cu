#include "kernels/affine.h"

#include "cuda/core/launch.cuh"
#include "cuda/core/pack.cuh"

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

constexpr int threads = 256;

template <class T>
struct Rows {
  int64_t count, channels, x_pitch, y_pitch;
};

// A thread per V channels of a pixel.
template <class T, int V>
__global__ void __launch_bounds__(threads)
    affine_kernel(Rows<T> rows, const T* x, const Accumulator<T>* __restrict__ scale,
                  const Accumulator<T>* __restrict__ shift, bool relu, T* y) {
  const int64_t packs = rows.channels / V;
  for (int64_t i : grid_stride(rows.count * packs)) {
    const int64_t row = quotient(i, packs), c = (i - row * packs) * V;
    Vector<T, V> v = load<V>(x + row * rows.x_pitch + c);
    CYTOGRAD_UNROLL
    for (int k = 0; k < V; ++k) {
      const Accumulator<T> value = v.v[k] * scale[c + k] + shift[c + k];
      v.v[k] = relu && value < 0 ? 0 : value;  // NaN stays
    }
    store<V>(y + row * rows.y_pitch + c, v);
  }
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

using namespace cuda;  // what kernels share

void affine(CudaContext ctx, const Tensor& x, int64_t x_pitch, const Tensor& scale,
            const Tensor& shift, bool relu, const Tensor& y, int64_t y_pitch) {
  dispatch_storage(x.dtype(), "affine", [&]<class T>() {
    const Rows<T> rows{x.numel() / x.size(-1), x.size(-1), x_pitch, y_pitch};
    const T* const from = x.data<T>();
    T* const to = y.data<T>();
    with_packs<T>({from, to}, {rows.channels, x_pitch, y_pitch}, [&]<int V>() {
      launch("affine", affine_kernel<T, V>, grid_for(rows.count * rows.channels / V, threads, ctx),
             dim3(threads), 0, ctx, rows, from, scale.data<Accumulator<T>>(),
             shift.data<Accumulator<T>>(), relu, to);
    });
  });
}

}  // namespace kernels
}  // namespace cytograd
