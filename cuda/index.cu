#include "kernels/index.h"

#include <algorithm>
#include <limits>

#include "cuda/core/launch.cuh"
#include "cuda/core/pack.cuh"
#include "kernels/elementwise.h"

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

constexpr int threads = 256;

dim3 blocks_for(int64_t items) {
  return dim3(static_cast<unsigned>(std::min<int64_t>(1 << 20, (items + threads - 1) / threads)));
}

// The places of element i of a shape in three tensors of that shape with strides of their own.
struct Places {
  int64_t at[3];
};
struct Walk {
  int ndim = 0;
  int64_t size[max_rank], stride[3][max_rank];

  Walk(const Shape& shape, const Shape& a, const Shape& b, const Shape& c) : ndim(shape.ndim()) {
    for (int d = 0; d < ndim; ++d) {
      size[d] = shape[d];
      stride[0][d] = a[d], stride[1][d] = b[d], stride[2][d] = c[d];
    }
  }
  __device__ Places operator()(int64_t i) const {
    Places out{};
    for (int d = ndim - 1; d >= 0; --d) {
      const int64_t rest = quotient(i, size[d]), along = i - rest * size[d];
      for (int t = 0; t < 3; ++t) out.at[t] += along * stride[t][d];
      i = rest;
    }
    return out;
  }
};

Shape with_zero(Shape strides, int dim) {
  strides[dim] = 0;
  return strides;
}

template <class T>
__device__ inline T not_there() {
  if constexpr (std::is_integral_v<T>)
    return T(0);
  else
    return narrow<T>(std::numeric_limits<Accumulator<T>>::quiet_NaN());
}

template <class T>
__global__ void __launch_bounds__(threads)
    gather_elements(int64_t n, Walk walk, int64_t size, int64_t step, const T* __restrict__ x,
                    const int64_t* __restrict__ index, T* __restrict__ out) {
  for (const int64_t i : grid_stride(n)) {
    const Places p = walk(i);
    const int64_t w = index[p.at[1]];
    out[p.at[0]] = w >= 0 && w < size ? x[p.at[2] + w * step] : not_there<T>();
  }
}

// Whole rows of `bytes`, the same index for each: out[o, k] = x[o, index[k]], in units of U.
template <class U, class T>
__global__ void __launch_bounds__(threads)
    gather_rows(int64_t n, int64_t count, int64_t units, int64_t size, const T* __restrict__ x,
                const int64_t* __restrict__ index, int64_t index_step, T* __restrict__ out) {
  constexpr int per_unit = sizeof(U) / sizeof(T);
  for (const int64_t i : grid_stride(n)) {
    const int64_t row = quotient(i, units), unit = i - row * units;
    const int64_t o = quotient(row, count), w = index[(row - o * count) * index_step];
    U value;
    if (w >= 0 && w < size) {
      const T* from = x + ((o * size + w) * units + unit) * per_unit;
      if constexpr (per_unit == 1)
        value = *from;
      else
        value = ld16<U>(from);
    } else {
      if constexpr (per_unit == 1) {
        value = not_there<T>();
      } else {
#pragma unroll
        for (int k = 0; k < per_unit; ++k) value.v[k] = not_there<T>();
      }
    }
    if constexpr (per_unit == 1)
      out[i] = value;
    else
      st16(out + i * per_unit, value);
  }
}

// Every thread walks one line of src along the indexed axis, in order, and adds what belongs to its
// share of the targets, those with w % shares == share: the order of additions to a target does not
// depend on the number of shares.
template <class T>
__global__ void __launch_bounds__(threads)
    scatter_lines(int64_t lines, int64_t shares, Walk walk, int64_t count, int64_t size,
                  int64_t step, int64_t next_index, int64_t next_src,
                  const int64_t* __restrict__ index, const T* __restrict__ src, T* sum) {
  for (const int64_t i : grid_stride(lines * shares)) {
    const int64_t share = quotient(i, lines);
    const Places p = walk(i - share * lines);
    for (int64_t k = 0; k < count; ++k) {
      const int64_t w = index[p.at[1] + k * next_index];
      if ((w & (shares - 1)) != share || w < 0 || w >= size) continue;
      T& target = sum[p.at[0] + w * step];
      target = narrow<T>(widen(target) + widen(src[p.at[2] + k * next_src]));
    }
  }
}

template <class T>
__global__ void __launch_bounds__(threads)
    mark_labels(int64_t n, int64_t classes, const int64_t* __restrict__ labels, T one,
                T* __restrict__ y) {
  for (const int64_t i : grid_stride(n)) {
    const int64_t label = labels[i];
    if (label >= 0 && label < classes) y[i * classes + label] = one;
  }
}

template <class T>
T one_of() {
  if constexpr (std::is_same_v<T, bfloat16>)
    return to_bfloat16(1.0f);
  else
    return T(1);
}

// True if the index depends on nothing but its place along `dim`.
bool same_everywhere(const Tensor& index, int dim) {
  for (int d = 0; d < index.ndim(); ++d)
    if (d != dim && index.strides()[d] != 0 && index.shape()[d] != 1) return false;
  return true;
}

template <class T>
void gather_whole_rows(CudaContext ctx, const Tensor& x, int dim, const Tensor& index,
                       const Tensor& out) {
  const int64_t count = index.shape()[dim], size = x.shape()[dim];
  int64_t inner = 1;
  for (int d = dim + 1; d < x.ndim(); ++d) inner *= x.shape()[d];
  const auto run = [&]<class U>() {
    constexpr int per_unit = sizeof(U) / sizeof(T);
    launch("gather", gather_rows<U, T>, blocks_for(out.numel() / per_unit), dim3(threads), 0, ctx,
           out.numel() / per_unit, count, inner / per_unit, size, x.data<T>(),
           index.data<int64_t>(), index.strides()[dim], out.data<T>());
  };
  with_packs<T>({x.data<T>(), out.data<T>()}, {inner}, [&]<int V>() {
    if constexpr (V == 1)
      run.template operator()<T>();
    else
      run.template operator()<Pack<T, V>>();
  });
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

using namespace cuda;  // what kernels share

void gather(CudaContext ctx, const Tensor& x, int dim, const Tensor& index, const Tensor& out) {
  if (out.numel() == 0) return;
  bool whole = x.is_contiguous() && same_everywhere(index, dim);
  for (int d = 0; d < x.ndim(); ++d)
    whole = whole && (d == dim || x.shape()[d] == index.shape()[d]);
  dispatch_all(x.dtype(), [&]<class T>() {
    if (whole) return gather_whole_rows<T>(ctx, x, dim, index, out);
    const Walk walk(out.shape(), out.strides(), index.strides(), with_zero(x.strides(), dim));
    launch("gather", gather_elements<T>, blocks_for(out.numel()), dim3(threads), 0, ctx,
           out.numel(), walk, x.shape()[dim], x.strides()[dim], x.data<T>(), index.data<int64_t>(),
           out.data<T>());
  });
}

void scatter_add(CudaContext ctx, const Tensor& sum, int dim, const Tensor& index,
                 const Tensor& src) {
  if (index.numel() == 0) return;
  Shape line_shape = index.shape();
  const int64_t count = line_shape[dim];
  line_shape[dim] = 1;
  const int64_t lines = line_shape.numel();
  int64_t shares = 1;  // enough threads for a device, no more than targets
  while (lines * shares < (1 << 16) && shares < sum.shape()[dim]) shares *= 2;
  const Walk walk(line_shape, sum.strides(), index.strides(), src.strides());
  dispatch_storage(sum.dtype(), "scatter_add", [&]<class T>() {
    launch("scatter_add", scatter_lines<T>, blocks_for(lines * shares), dim3(threads), 0, ctx,
           lines, shares, walk, count, sum.shape()[dim], sum.strides()[dim], index.strides()[dim],
           src.strides()[dim], index.data<int64_t>(), src.data<T>(), sum.data<T>());
  });
}

void one_hot(CudaContext ctx, const Tensor& labels, const Tensor& y) {
  fill(ctx, y, 0);
  const int64_t n = labels.numel();
  if (n == 0) return;
  dispatch_all(y.dtype(), [&]<class T>() {
    launch("one_hot", mark_labels<T>, blocks_for(n), dim3(threads), 0, ctx, n, y.size(-1),
           labels.data<int64_t>(), one_of<T>(), y.data<T>());
  });
}

}  // namespace kernels
}  // namespace cytograd
