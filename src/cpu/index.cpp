#include "kernels/index.h"

#include <cstring>

#include "cpu/strided_loop.h"
#include "kernels/elementwise.h"

namespace cytograd::kernels {
namespace {

Shape with_zero(Shape strides, int dim) {
  strides[dim] = 0;
  return strides;
}

}  // namespace

void gather(CpuContext, const Tensor& x, int dim, const Tensor& index, const Tensor& out) {
  if (out.numel() == 0) return;
  const int64_t step = x.strides()[dim];
  const cpu::StridedLoop<3> loop(out.shape(),
                                 {out.strides(), index.strides(), with_zero(x.strides(), dim)});
  const int64_t* where = index.data<int64_t>();
  dispatch_all(x.dtype(), [&]<class T>() {
    const T* from = x.data<T>();
    T* to = out.data<T>();
    loop.run([&](const auto& at, const auto& stride, int64_t length) {
      T* o = to + at[0];
      if (stride[1] == 0 && stride[2] == 1) {  // one index for a whole contiguous row
        const T* row = from + at[2] + where[at[1]] * step;
        std::copy(row, row + length, o);
        return;
      }
      for (int64_t i = 0; i < length; ++i)
        o[i * stride[0]] = from[at[2] + i * stride[2] + where[at[1] + i * stride[1]] * step];
    });
  });
}

// Two sources meet only if they differ along `dim` alone, so the other axes are walked in parallel
// and `dim` in order.
void scatter_add(CpuContext, const Tensor& sum, int dim, const Tensor& index, const Tensor& src) {
  Shape lines = index.shape();
  const int64_t count = lines[dim];
  lines[dim] = 1;
  if (index.numel() == 0) return;
  const cpu::StridedLoop<3> loop(lines, {sum.strides(), index.strides(), src.strides()});
  const int64_t step = sum.strides()[dim], next_index = index.strides()[dim],
                next_src = src.strides()[dim];
  const int64_t* where = index.data<int64_t>();
  dispatch_floating(sum.dtype(), "scatter_add", [&]<class T>() {
    const T* from = src.data<T>();
    T* to = sum.data<T>();
    const int64_t chunk = std::max<int64_t>(16, cpu::grain / count);
    parallel_for(lines.numel(), chunk, [&](int64_t begin, int64_t end) {
      loop.walk(begin, end, [&](const auto& at, const auto& stride, int64_t length) {
        for (int64_t k = 0; k < count; ++k) {
          const int64_t* w = where + at[1] + k * next_index;
          const T* s = from + at[2] + k * next_src;
          T* t = to + at[0];
          for (int64_t i = 0; i < length; ++i)
            t[i * stride[0] + w[i * stride[1]] * step] += s[i * stride[2]];
        }
      });
    });
  });
}

void one_hot(CpuContext ctx, const Tensor& labels, const Tensor& y) {
  fill(ctx, y, 0);
  const Tensor one = Tensor::ones({}, y.dtype());
  const int64_t classes = y.size(-1);
  const int64_t* at = labels.data<int64_t>();
  const size_t size = size_of(y.dtype());
  auto* to = static_cast<char*>(y.raw_data());
  for (int64_t i = 0; i < labels.numel(); ++i)
    std::memcpy(to + static_cast<size_t>(i * classes + at[i]) * size, one.raw_data(), size);
}

}  // namespace cytograd::kernels
