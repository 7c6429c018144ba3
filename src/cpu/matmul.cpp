#include "kernels/matmul.h"

#include "cpu/strided_loop.h"
#include "kernels/gemm.h"

namespace cytograd::kernels {
namespace {

// A matrix that gemm can read in place: its rows or its columns are packed.
struct Operand {
  Tensor tensor;
  bool transposed = false;
  int64_t leading = 1;
};

Operand operand(const Tensor& x) {
  const int d = x.ndim();
  const int64_t rows = x.size(d - 2), columns = x.size(d - 1);
  const int64_t row = x.strides()[d - 2], column = x.strides()[d - 1];
  if ((column == 1 || columns <= 1) && (row >= columns || rows <= 1))
    return {x, false, std::max(row, std::max<int64_t>(columns, 1))};
  if ((row == 1 || rows <= 1) && (column >= rows || columns <= 1))
    return {x, true, std::max(column, std::max<int64_t>(rows, 1))};
  return {x.clone(), false, std::max<int64_t>(columns, 1)};
}

Shape batch_of(const Shape& shape) {
  return Shape(std::span(shape.begin(), static_cast<size_t>(shape.ndim() - 2)));
}

}  // namespace

void matmul(CpuContext, const Tensor& a, const Tensor& b, const Tensor& bias, const Tensor& c) {
  if (c.numel() == 0) return;
  const Operand left = operand(a.detach()), right = operand(b.detach());
  const int64_t m = c.size(-2), n = c.size(-1), k = a.size(-1);
  const Shape batch = batch_of(c.shape());
  const cpu::StridedLoop<3> loop(batch, {batch_of(c.strides()), batch_of(left.tensor.strides()),
                                         batch_of(right.tensor.strides())});
  dispatch_floating(c.dtype(), "matmul", [&]<class T>() {
    const T *pa = left.tensor.data<T>(), *pb = right.tensor.data<T>();
    T* pc = c.data<T>();
    const Epilogue<T> epilogue{bias.defined() ? bias.data<T>() : nullptr};
    const auto products = [&](const auto& at, const auto& stride, int64_t count) {
      for (int64_t i = 0; i < count; ++i)
        gemm(left.transposed, right.transposed, m, n, k, pa + at[1] + i * stride[1], left.leading,
             pb + at[2] + i * stride[2], right.leading, pc + at[0] + i * stride[0], n, false,
             epilogue);
    };
    // Small products share the threads between them; a large one uses all of them itself.
    constexpr int64_t small = 64 * 64 * 64;
    const int64_t matrices = batch.numel(),
                  work = std::max<int64_t>(1, m * n * std::max(k, int64_t{1}));
    if (work >= small)
      loop.walk(0, matrices, products);
    else
      parallel_for(matrices, std::max<int64_t>(1, small / work),
                   [&](int64_t begin, int64_t end) { loop.walk(begin, end, products); });
  });
}

}  // namespace cytograd::kernels
