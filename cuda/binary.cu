#include "kernels/binary.h"

#include "cuda/core/index.cuh"
#include "cuda/core/launch.cuh"
#include "cuda/core/pack.cuh"

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

constexpr unsigned threads = 256;

// y may be a or b.
template <class F, class T, int n>
__global__ void __launch_bounds__(threads)
    binary_packed(int64_t numel, const T* a, const T* b, T* y) {
  const int64_t packs = numel / n;
  const F f;
  for (int64_t i : grid_stride(packs)) {
    Vector<T, n> v = load<n>(a + i * n);
    const Vector<T, n> w = load<n>(b + i * n);
    for (int j = 0; j < n; ++j) v.v[j] = f(v.v[j], w.v[j]);
    store<n>(y + i * n, v);
  }
  for (int64_t i : grid_stride(numel - packs * n)) {
    const int64_t at = packs * n + i;
    y[at] = narrow<T>(f(widen(a[at]), widen(b[at])));
  }
}

template <class F, class T>
__global__ void __launch_bounds__(threads)
    binary_strided(Strided<3> places, const T* a, const T* b, T* y) {
  const F f;
  for (int64_t i : grid_stride(places.numel)) {
    const auto at = places(i);
    y[at.of[0]] = narrow<T>(f(widen(a[at.of[1]]), widen(b[at.of[2]])));
  }
}

template <int n, class T>
__device__ inline Vector<T, n> repeat(T x) {
  Vector<T, n> out;
  for (int j = 0; j < n; ++j) out.v[j] = widen(x);
  return out;
}

// The last axis in packs of n, which every operand has packed or repeats: a bias, a scalar.
template <class F, class T, int n>
__global__ void __launch_bounds__(threads)
    binary_rows(Strided<3> packs, bool a_packed, bool b_packed, const T* a, const T* b, T* y) {
  const F f;
  for (int64_t i : grid_stride(packs.numel)) {
    const auto at = packs(i);
    Vector<T, n> v = a_packed ? load<n>(a + at.of[1]) : repeat<n>(a[at.of[1]]);
    const Vector<T, n> w = b_packed ? load<n>(b + at.of[2]) : repeat<n>(b[at.of[2]]);
    for (int j = 0; j < n; ++j) v.v[j] = f(v.v[j], w.v[j]);
    store<n>(y + at.of[0], v);
  }
}

// Each element of the result stands for a pack; false if some operand does not allow it.
bool as_packs(Strided<3>& places, int n) {
  if (places.ndim == 0) return false;
  const int last = places.ndim - 1;
  if (places.sizes[last] % n != 0) return false;
  for (int k = 0; k < 3; ++k) {
    const int64_t step = places.strides[k][last];
    if (step != 1 && (step != 0 || k == 0)) return false;
    for (int d = 0; d < last; ++d)
      if (step == 1 && places.strides[k][d] % n != 0) return false;
    places.strides[k][last] = step * n;
  }
  places.sizes[last] /= n;
  places.numel /= n;
  places.by[last] = FastDivide(static_cast<uint32_t>(places.sizes[last]));
  return true;
}

template <class F, class T>
void run_binary(CudaContext ctx, Strided<3> places, const T* a, const T* b, T* y) {
  constexpr int n = pack_width<T>;
  const dim3 block(threads);
  const bool aligned = aligned16(a, b, y);
  if (places.is_packed())
    return launch("binary", aligned ? binary_packed<F, T, n> : binary_packed<F, T, 1>,
                  grid_for(places.numel, threads * n, ctx), block, 0, ctx, places.numel, a, b, y);
  Strided<3> packs = places;
  if (aligned16(y) && places.numel < int64_t{1} << 31 && as_packs(packs, n)) {
    const int last = packs.ndim - 1;
    const bool a_packed = packs.strides[1][last] != 0, b_packed = packs.strides[2][last] != 0;
    if ((!a_packed || aligned16(a)) && (!b_packed || aligned16(b)))
      return launch("binary", binary_rows<F, T, n>, grid_for(packs.numel, threads, ctx), block, 0,
                    ctx, packs, a_packed, b_packed, a, b, y);
  }
  launch("binary", binary_strided<F, T>, grid_for(places.numel, threads * 4, ctx), block, 0, ctx,
         places, a, b, y);
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

void binary(CudaContext ctx, int function, const Tensor& a, const Tensor& b, const Tensor& y) {
  if (y.numel() == 0) return;
  const cuda::Strided<3> places(y.shape(), {y.strides(), a.strides(), b.strides()});
  cuda::dispatch_storage(y.dtype(), "binary", [&]<class T>() {
    BinaryFunctions::call(function, [&](auto f) {
      cuda::run_binary<decltype(f)>(ctx, places, a.data<T>(), b.data<T>(), y.data<T>());
    });
  });
}

}  // namespace kernels
}  // namespace cytograd
