#include "cytograd/ops/reduce.h"

#include <array>

#include "cytograd/autograd/record.h"
#include "cytograd/ops/shape.h"
#include "kernels/reduce.h"
#include "ops/common.h"

namespace cytograd {
namespace {

using Mask = std::array<bool, max_rank>;

void check_floating(const Tensor& x, const char* op) {
  check<DtypeError>(x.dtype() == Dtype::float32 || x.dtype() == Dtype::float64, op,
                    "expects float32 or float64, got ", x.dtype());
}

Mask mask_of(const Dims& dims, int ndim, const char* op) {
  Mask mask{};
  for (int d = 0; d < ndim; ++d) mask[static_cast<size_t>(d)] = dims.list.empty();
  for (const int dim : dims.list) {
    bool& chosen = mask[static_cast<size_t>(normalize_dim(dim, ndim, op))];
    check<ShapeError>(!chosen, op, "dim ", dim, " is named twice");
    chosen = true;
  }
  return mask;
}

Shape reduced_shape(const Shape& shape, const Mask& mask, bool keepdim) {
  Shape out;
  for (int d = 0; d < shape.ndim(); ++d) {
    if (!mask[static_cast<size_t>(d)])
      out.push_back(shape[d]);
    else if (keepdim)
      out.push_back(1);
  }
  return out;
}

// Not recorded. Axes that are reduced together are brought together first.
Tensor sum_over(const Tensor& x, const Mask& mask, double divisor, const Shape& result) {
  kernels::Extent extent;
  int changes = 0;  // along the axes: kept -> reduced -> kept
  for (int d = 0; d < x.ndim(); ++d) {
    const bool reduced = mask[static_cast<size_t>(d)];
    if (x.shape()[d] == 1) continue;
    if (reduced != (changes % 2 == 1)) ++changes;
    (changes == 0 ? extent.outer : changes == 1 ? extent.n : extent.inner) *= x.shape()[d];
  }
  Tensor source = x;
  if (changes > 2) {
    std::vector<int> order;
    for (const bool wanted : {false, true})
      for (int d = 0; d < x.ndim(); ++d)
        if (mask[static_cast<size_t>(d)] == wanted) order.push_back(d);
    source = permute(x.detach(), order);
    extent = {1, 1, 1};
    for (int d = 0; d < x.ndim(); ++d)
      (mask[static_cast<size_t>(d)] ? extent.n : extent.outer) *= x.shape()[d];
  }
  source = packed(source);
  Tensor y = Tensor::empty(result, x.dtype(), x.device());
  on_device(x, [&](auto ctx) { kernels::sum(ctx, source, extent, divisor, y); });
  return y;
}

struct SumParams {
  Shape kept;  // the result with its reduced axes as 1
  double divisor;
};

Tensor sum_divided(const char* op, const Tensor& given, const Dims& dims, bool keepdim,
                   bool average) {
  const Tensor x = widened(given);
  check_floating(x, op);
  const Mask mask = mask_of(dims, x.ndim(), op);
  const Shape result = reduced_shape(x.shape(), mask, keepdim);
  const Shape kept = reduced_shape(x.shape(), mask, true);
  double divisor = 1;
  for (int d = 0; average && d < x.ndim(); ++d)
    if (mask[static_cast<size_t>(d)]) divisor *= static_cast<double>(x.shape()[d]);
  return record(op, {x}, sum_over(x, mask, divisor, result), {}, SumParams{kept, divisor},
                [](const auto& back, const Tensor& dy) -> Grads {
                  const Tensor g = packed(dy);
                  Tensor share = g.as_strided(back.params.kept,
                                              contiguous_strides(back.params.kept), g.offset());
                  if (back.params.divisor != 1) {
                    Tensor scaled = Tensor::empty_like(share);
                    on_device(share, [&](auto ctx) {
                      kernels::sum(ctx, share, {share.numel(), 1, 1}, back.params.divisor, scaled);
                    });
                    share = scaled;
                  }
                  return {broadcast_view(share, back.input_shape(0))};
                });
}

// x with `dim` as its last axis, recorded; row operations work on that.
Tensor with_dim_last(const Tensor& x, int dim) {
  return dim == x.ndim() - 1 ? x : permute(x, [&] {
    std::vector<int> order;
    for (int d = 0; d < x.ndim(); ++d)
      if (d != dim) order.push_back(d);
    order.push_back(dim);
    return order;
  }());
}

Shape without_last(const Shape& shape) {
  return Shape(std::span<const int64_t>(shape.begin(), static_cast<size_t>(shape.ndim() - 1)));
}

// Runs `op` on rows along `dim` and puts the axis back if asked.
template <class F>
Tensor along(const char* name, const Tensor& given, int dim, bool keepdim, F&& op) {
  const Tensor x = widened(given);
  check_floating(x, name);
  dim = normalize_dim(dim, x.ndim(), name);
  const Tensor y = op(with_dim_last(x, dim));
  return keepdim ? unsqueeze(y, dim) : y;
}

struct Extremes {
  Tensor value, index;
};
Extremes extremes(const Tensor& rows, int sign) {
  const Shape shape = without_last(rows.shape());
  Extremes out{Tensor::empty(shape, rows.dtype(), rows.device()),
               Tensor::empty(shape, Dtype::int64, rows.device())};
  const Tensor xc = packed(rows);
  on_device(rows, [&](auto ctx) {
    kernels::extreme(ctx, xc, rows.shape().back(), sign, out.value, out.index);
  });
  return out;
}

Tensor extreme(const char* op, const Tensor& x, int dim, bool keepdim, int sign) {
  return along(op, x, dim, keepdim, [&](const Tensor& rows) {
    check<ShapeError>(rows.shape().back() > 0, op, "dim ", dim, " has no elements in ", x.shape());
    const Extremes found = extremes(rows, sign);
    return record(op, {rows}, found.value, {found.index},
                  [](const auto& back, const Tensor& dy) -> Grads {
                    Tensor dx = Tensor::empty(back.input_shape(0), dy.dtype(), dy.device());
                    const Tensor g = packed(dy);
                    on_device(g, [&](auto ctx) {
                      kernels::extreme_backward(ctx, back.saved[0], g, dx.shape().back(), dx);
                    });
                    return {dx};
                  });
  });
}

}  // namespace

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const int added = x.ndim() - shape.ndim();
  Mask mask{};
  for (int d = 0; d < x.ndim(); ++d)
    mask[static_cast<size_t>(d)] = d < added || (shape[d - added] == 1 && x.shape()[d] != 1);
  return sum_over(x, mask, 1, shape);
}

Tensor sum(const Tensor& x, const Dims& dims, bool keepdim) {
  return sum_divided("sum", x, dims, keepdim, false);
}
Tensor mean(const Tensor& x, const Dims& dims, bool keepdim) {
  return sum_divided("mean", x, dims, keepdim, true);
}

Tensor max(const Tensor& x, int dim, bool keepdim) { return extreme("max", x, dim, keepdim, 1); }
Tensor min(const Tensor& x, int dim, bool keepdim) { return extreme("min", x, dim, keepdim, -1); }

Tensor argmax(const Tensor& x, int dim, bool keepdim) {
  const NoGrad no_grad;
  return along("argmax", x, dim, keepdim, [&](const Tensor& rows) {
    check<ShapeError>(rows.shape().back() > 0, "argmax", "dim ", dim, " has no elements in ",
                      x.shape());
    return extremes(rows, 1).index;
  });
}

Tensor logsumexp(const Tensor& x, int dim, bool keepdim) {
  return along("logsumexp", x, dim, keepdim, [](const Tensor& rows) {
    const Tensor xc = packed(rows);
    Tensor y = Tensor::empty(without_last(xc.shape()), xc.dtype(), xc.device());
    on_device(xc, [&](auto ctx) { kernels::logsumexp(ctx, xc, xc.shape().back(), y); });
    return record("logsumexp", {rows}, y, {xc, y}, [](const auto& back, const Tensor& dy) -> Grads {
      const Tensor &x = back.saved[0], g = packed(dy);
      Tensor dx = Tensor::empty_like(x);
      on_device(x, [&](auto ctx) {
        kernels::logsumexp_backward(ctx, x, back.saved[1], g, x.shape().back(), dx);
      });
      return {dx};
    });
  });
}

Tensor norm(const Tensor& x, int dim, bool keepdim) {
  return along("norm", x, dim, keepdim, [](const Tensor& rows) {
    const Tensor xc = packed(rows);
    Tensor y = Tensor::empty(without_last(xc.shape()), xc.dtype(), xc.device());
    on_device(xc, [&](auto ctx) { kernels::norm(ctx, xc, xc.shape().back(), y); });
    return record("norm", {rows}, y, {xc, y}, [](const auto& back, const Tensor& dy) -> Grads {
      const Tensor &x = back.saved[0], g = packed(dy);
      Tensor dx = Tensor::empty_like(x);
      on_device(x, [&](auto ctx) {
        kernels::norm_backward(ctx, x, back.saved[1], g, x.shape().back(), dx);
      });
      return {dx};
    });
  });
}

Tensor var(const Tensor& x, int dim, int64_t correction, bool keepdim) {
  check<ValueError>(correction >= 0, "var", "correction must be >= 0, got ", correction);
  return along("var", x, dim, keepdim, [&](const Tensor& rows) {
    const Tensor xc = packed(rows);
    Tensor y = Tensor::empty(without_last(xc.shape()), xc.dtype(), xc.device());
    Tensor average = Tensor::empty_like(y);
    on_device(xc,
              [&](auto ctx) { kernels::var(ctx, xc, xc.shape().back(), correction, y, average); });
    return record("var", {rows}, y, {xc, average}, correction,
                  [](const auto& back, const Tensor& dy) -> Grads {
                    const Tensor &x = back.saved[0], g = packed(dy);
                    Tensor dx = Tensor::empty_like(x);
                    on_device(x, [&](auto ctx) {
                      kernels::var_backward(ctx, x, back.saved[1], g, x.shape().back(), back.params,
                                            dx);
                    });
                    return {dx};
                  });
  });
}

}  // namespace cytograd
