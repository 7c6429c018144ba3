#include "kernels/elementwise.h"

#include "cuda/core/index.cuh"
#include "cuda/core/launch.cuh"
#include "cuda/core/pack.cuh"
#include "kernels/convert.h"

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

constexpr unsigned threads = 256;

template <class T>
__global__ void __launch_bounds__(threads)
    fill_strided(Strided<1> places, T value, T* __restrict__ out) {
  for (int64_t i : grid_stride(places.numel)) out[places(i).of[0]] = value;
}

template <class To, class From>
__global__ void __launch_bounds__(threads)
    copy_strided(Strided<2> places, const From* __restrict__ from, To* __restrict__ to) {
  for (int64_t i : grid_stride(places.numel)) {
    const auto at = places(i);
    to[at.of[0]] = kernels::convert<To>(from[at.of[1]]);
  }
}

// 16 bytes of the wider type at a time; the last few elements one by one.
template <class To, class From, int n>
__global__ void __launch_bounds__(threads)
    convert_packed(int64_t numel, const From* __restrict__ from, To* __restrict__ to) {
  const int64_t packs = numel / n;
  for (int64_t i : grid_stride(packs)) {
    const auto in = ld16<Pack<From, n>>(from + i * n);
    Pack<To, n> out;
    for (int j = 0; j < n; ++j) out.v[j] = kernels::convert<To>(in.v[j]);
    st16(to + i * n, out);
  }
  for (int64_t i : grid_stride(numel - packs * n))
    to[packs * n + i] = kernels::convert<To>(from[packs * n + i]);
}

template <class T>
__global__ void __launch_bounds__(threads)
    add_strided(Strided<2> places, T* __restrict__ sum, const T* __restrict__ term) {
  for (int64_t i : grid_stride(places.numel)) {
    const auto at = places(i);
    sum[at.of[0]] = narrow<T>(widen(sum[at.of[0]]) + widen(term[at.of[1]]));
  }
}

template <class T, int n>
__global__ void __launch_bounds__(threads)
    add_packed(int64_t numel, T* __restrict__ sum, const T* __restrict__ term) {
  const int64_t packs = numel / n;
  for (int64_t i : grid_stride(packs)) {
    Vector<T, n> a = load<n>(sum + i * n);
    const Vector<T, n> b = load<n>(term + i * n);
    for (int j = 0; j < n; ++j) a.v[j] += b.v[j];
    store<n>(sum + i * n, a);
  }
  for (int64_t i : grid_stride(numel - packs * n)) {
    const int64_t at = packs * n + i;
    sum[at] = narrow<T>(widen(sum[at]) + widen(term[at]));
  }
}

// Elements of one size are moved alike.
template <size_t size>
struct BitsOf;
template <>
struct BitsOf<1> {
  using type = uint8_t;
};
template <>
struct BitsOf<2> {
  using type = uint16_t;
};
template <>
struct BitsOf<4> {
  using type = uint32_t;
};
template <>
struct BitsOf<8> {
  using type = uint64_t;
};

template <class To, class From>
void copy_as(CudaContext ctx, const Strided<2>& places, To* to, const From* from) {
  constexpr int n = 16 / static_cast<int>(sizeof(To) > sizeof(From) ? sizeof(To) : sizeof(From));
  const dim3 block(threads);
  // Narrower packs than 4 bytes have no single access.
  if constexpr (n * sizeof(To) >= 4 && n * sizeof(From) >= 4) {
    if (places.is_packed() && aligned16(to, from))
      return launch("copy", convert_packed<To, From, n>, grid_for(places.numel, threads * n, ctx),
                    block, 0, ctx, places.numel, from, to);
  }
  launch("copy", copy_strided<To, From>, grid_for(places.numel, threads * 4, ctx), block, 0, ctx,
         places, from, to);
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

void fill(CudaContext ctx, const Tensor& destination, double value) {
  const cuda::Strided<1> places(destination.shape(), {destination.strides()});
  if (places.numel == 0) return;
  if (places.is_packed() && value == 0 && !std::signbit(value)) {
    cuda::set_operation("fill");
    return cuda::set_async(destination.raw_data(), 0, destination.bytes(), ctx.stream->handle());
  }
  dispatch_all(destination.dtype(), [&]<class T>() {
    cuda::launch("fill", cuda::fill_strided<T>,
                 cuda::grid_for(places.numel, cuda::threads * 4, ctx), dim3(cuda::threads), 0, ctx,
                 places, convert<T>(value), destination.data<T>());
  });
}

void copy(CudaContext ctx, const Tensor& destination, const Tensor& source) {
  const cuda::Strided<2> places(destination.shape(), {destination.strides(), source.strides()});
  if (places.numel == 0) return;
  if (destination.dtype() != source.dtype()) {
    dispatch_all(destination.dtype(), [&]<class To>() {
      dispatch_all(source.dtype(), [&]<class From>() {
        if constexpr (!std::is_same_v<To, From>)
          cuda::copy_as(ctx, places, destination.data<To>(), source.data<From>());
      });
    });
    return;
  }
  if (places.is_packed()) {
    cuda::set_operation("copy");
    return cuda::copy_async(destination.raw_data(), source.raw_data(), destination.bytes(),
                            ctx.stream->handle());
  }
  const auto move = [&]<size_t size>() {
    using Bits = typename cuda::BitsOf<size>::type;
    cuda::copy_as(ctx, places, static_cast<Bits*>(destination.raw_data()),
                  static_cast<const Bits*>(source.raw_data()));
  };
  dispatch_all(source.dtype(), [&]<class T>() { move.template operator()<sizeof(T)>(); });
}

void add_into(CudaContext ctx, const Tensor& sum, const Tensor& term) {
  const cuda::Strided<2> places(sum.shape(), {sum.strides(), term.strides()});
  if (places.numel == 0) return;
  cuda::dispatch_storage(sum.dtype(), "add", [&]<class T>() {
    constexpr int n = cuda::pack_width<T>;
    T* a = sum.data<T>();
    const T* b = term.data<T>();
    if (places.is_packed() && cuda::aligned16(a, b))
      cuda::launch("add", cuda::add_packed<T, n>,
                   cuda::grid_for(places.numel, cuda::threads * n, ctx), dim3(cuda::threads), 0,
                   ctx, places.numel, a, b);
    else
      cuda::launch("add", cuda::add_strided<T>,
                   cuda::grid_for(places.numel, cuda::threads * 4, ctx), dim3(cuda::threads), 0,
                   ctx, places, a, b);
  });
}

}  // namespace kernels
}  // namespace cytograd
