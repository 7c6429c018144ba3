#include "cytograd/ops/shape.h"

#include "cytograd/autograd/record.h"
#include "kernels/elementwise.h"
#include "ops/common.h"

namespace cytograd {
namespace {

// The strides of a view whose backward is again a view of dy.
template <class Rule, class P>
Tensor view(const char* op, const Tensor& x, const Shape& shape, const Shape& strides, P params,
            Rule rule) {
  return record(op, {x}, x.as_strided(shape, strides, x.offset()), {}, params, rule);
}

Tensor permuted(const Tensor& x, const Shape& dims) {
  Shape shape, strides;
  for (const int64_t d : dims) {
    shape.push_back(x.shape()[static_cast<int>(d)]);
    strides.push_back(x.strides()[static_cast<int>(d)]);
  }
  return x.as_strided(shape, strides, x.offset());
}

Tensor as_shape(const Tensor& x, const Shape& shape) {
  const Tensor whole = packed(x);
  return whole.as_strided(shape, contiguous_strides(shape), whole.offset());
}

Shape infer(const Tensor& x, const Shape& shape) {
  Shape out = shape;
  int unknown = -1;
  int64_t known = 1;
  for (int d = 0; d < shape.ndim(); ++d) {
    check<ShapeError>(shape[d] >= -1, "reshape", "sizes expect >= 0 or one -1, got ", shape);
    if (shape[d] >= 0) {
      check<ShapeError>(!__builtin_mul_overflow(known, shape[d], &known), "reshape",
                        "too many elements in ", shape);
      continue;
    }
    check<ShapeError>(unknown < 0, "reshape", "at most one size may be -1, got ", shape);
    unknown = d;
  }
  if (unknown >= 0 && known > 0) out[unknown] = x.numel() / known;
  check<ShapeError>((unknown < 0 || known > 0) && out.numel() == x.numel(), "reshape", "shape ",
                    shape, " does not hold the ", x.numel(), " elements of ", x.shape());
  return out;
}

struct Slice {
  int dim;
  int64_t begin, size, step;
};

Tensor sliced(const Tensor& x, const Slice& s) {
  Shape shape = x.shape(), strides = x.strides();
  const int64_t offset = x.offset() + (s.size > 0 ? s.begin * strides[s.dim] : 0);
  shape[s.dim] = s.size;
  strides[s.dim] *= s.size > 1 ? s.step : 1;  // the step of a single element may be anything
  return x.as_strided(shape, strides, offset);
}

}  // namespace

Tensor broadcast_view(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x.detach();
  Shape strides = Shape::filled(shape.ndim(), 0);
  const int added = shape.ndim() - x.ndim();
  for (int d = 0; d < x.ndim(); ++d) strides[added + d] = x.shape()[d] == 1 ? 0 : x.strides()[d];
  return x.as_strided(shape, strides, x.offset());
}

Tensor reshape(const Tensor& x, const Shape& shape) {
  return record("reshape", {x}, as_shape(x, infer(x, shape)), {},
                [](const auto& back, const Tensor& dy) -> Grads {
                  return {as_shape(dy, back.input_shape(0))};
                });
}

Tensor flatten(const Tensor& x, int start) {
  start = normalize_dim(start, std::max(x.ndim(), 1), "flatten");
  Shape shape;
  for (int d = 0; d < start; ++d) shape.push_back(x.shape()[d]);
  int64_t rest = 1;
  for (int d = start; d < x.ndim(); ++d) rest *= x.shape()[d];
  shape.push_back(rest);
  return reshape(x, shape);
}

Tensor permute(const Tensor& x, const std::vector<int>& dims) {
  check<ShapeError>(static_cast<int>(dims.size()) == x.ndim(), "permute", "expects ", x.ndim(),
                    " axes for input ", x.shape(), ", got ", dims.size());
  Shape order, inverse = Shape::filled(x.ndim(), -1);
  for (const int dim : dims) {
    const int d = normalize_dim(dim, x.ndim(), "permute");
    check<ShapeError>(inverse[d] < 0, "permute", "axis ", d, " is named twice");
    inverse[d] = order.ndim();
    order.push_back(d);
  }
  return record(
      "permute", {x}, permuted(x, order), {}, inverse,
      [](const auto& back, const Tensor& dy) -> Grads { return {permuted(dy, back.params)}; });
}

Tensor transpose(const Tensor& x, int dim0, int dim1) {
  std::vector<int> dims(static_cast<size_t>(x.ndim()));
  for (int d = 0; d < x.ndim(); ++d) dims[static_cast<size_t>(d)] = d;
  std::swap(dims[static_cast<size_t>(normalize_dim(dim0, x.ndim(), "transpose"))],
            dims[static_cast<size_t>(normalize_dim(dim1, x.ndim(), "transpose"))]);
  return permute(x, dims);
}

Tensor squeeze(const Tensor& x, int dim) {
  dim = normalize_dim(dim, x.ndim(), "squeeze");
  check<ShapeError>(x.shape()[dim] == 1, "squeeze", "axis ", dim, " expects size 1, got ",
                    x.shape());
  Shape shape, strides;
  for (int d = 0; d < x.ndim(); ++d) {
    if (d == dim) continue;
    shape.push_back(x.shape()[d]);
    strides.push_back(x.strides()[d]);
  }
  return view("squeeze", x, shape, strides, NoParams{},
              [](const auto& back, const Tensor& dy) -> Grads {
                return {as_shape(dy, back.input_shape(0))};
              });
}

Tensor unsqueeze(const Tensor& x, int dim) {
  dim = normalize_dim(dim, x.ndim() + 1, "unsqueeze");
  Shape shape, strides;
  for (int d = 0; d <= x.ndim(); ++d) {
    if (d == dim) {
      shape.push_back(1);
      strides.push_back(d < x.ndim() ? x.shape()[d] * x.strides()[d] : 1);
    }
    if (d == x.ndim()) break;
    shape.push_back(x.shape()[d]);
    strides.push_back(x.strides()[d]);
  }
  return view("unsqueeze", x, shape, strides, NoParams{},
              [](const auto& back, const Tensor& dy) -> Grads {
                return {as_shape(dy, back.input_shape(0))};
              });
}

Tensor expand(const Tensor& x, const Shape& shape) {
  bool fits = shape.ndim() >= x.ndim();
  for (int d = 0; fits && d < x.ndim(); ++d) {
    const int64_t wanted = shape[shape.ndim() - x.ndim() + d];
    fits = x.shape()[d] == wanted || x.shape()[d] == 1;
  }
  for (const int64_t size : shape) fits = fits && size >= 0;
  check<ShapeError>(fits, "expand", "shape ", x.shape(), " does not expand to ", shape);
  return record("expand", {x}, broadcast_view(x, shape), {},
                [](const auto& back, const Tensor& dy) -> Grads {
                  return {sum_to(dy, back.input_shape(0))};
                });
}

Tensor slice(const Tensor& x, int dim, int64_t begin, int64_t end, int64_t step) {
  dim = normalize_dim(dim, x.ndim(), "slice");
  check<ValueError>(step >= 1, "slice", "step must be >= 1, got ", step);
  const int64_t size = x.shape()[dim];
  const auto bound = [size](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + size : at, 0, size);
  };
  const int64_t from = bound(begin), to = bound(end);
  const int64_t count = to > from ? (to - from - 1) / step + 1 : 0;
  const Slice params{dim, from, count, step};
  return record("slice", {x}, sliced(x, params), {}, params,
                [](const auto& back, const Tensor& dy) -> Grads {
                  Tensor dx = Tensor::zeros(back.input_shape(0), dy.dtype(), dy.device());
                  sliced(dx, back.params).copy_(dy);
                  return {dx};
                });
}

Tensor concat(const Tensors& given, int dim) {
  check<ValueError>(!given.empty(), "concat", "expects at least one tensor");
  // float32 and bfloat16 together give float32.
  Tensors tensors = given;
  for (Tensor& x : tensors)
    for (const Tensor& other : given) x = promoted(x, other).first;
  const Tensor& first = tensors[0];
  dim = normalize_dim(dim, first.ndim(), "concat");
  Shape shape = first.shape();
  shape[dim] = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& x = tensors[i];
    check<DtypeError>(x.dtype() == first.dtype(), "concat", "tensor ", i, " expects ",
                      first.dtype(), ", got ", x.dtype());
    check_device("concat", first, x, ("tensor " + std::to_string(i)).c_str());
    bool fits = x.ndim() == first.ndim();
    for (int d = 0; fits && d < x.ndim(); ++d) fits = d == dim || x.shape()[d] == first.shape()[d];
    check<ShapeError>(fits, "concat", "tensor ", i, " expects the shape ", first.shape(),
                      " except along axis ", dim, ", got ", x.shape());
    shape[dim] += x.shape()[dim];
  }
  Tensor y = Tensor::empty(shape, first.dtype(), first.device());
  int64_t at = 0;
  for (const Tensor& x : tensors) {
    const Tensor part = sliced(y, {dim, at, x.shape()[dim], 1});
    on_device(x, [&](auto ctx) { kernels::copy(ctx, part, x); });
    at += x.shape()[dim];
  }
  return record("concat", tensors, y, {}, dim, [](const auto& back, const Tensor& dy) -> Grads {
    Grads grads;
    int64_t begin = 0;
    for (size_t i = 0; i < back.inputs.size(); ++i) {
      const int64_t size = back.input_shape(i)[back.params];
      grads.push_back(back.needs(i) ? sliced(dy, {back.params, begin, size, 1}) : Tensor{});
      begin += size;
    }
    return grads;
  });
}

Tensor stack(const Tensors& tensors, int dim) {
  check<ValueError>(!tensors.empty(), "stack", "expects at least one tensor");
  dim = normalize_dim(dim, tensors[0].ndim() + 1, "stack");
  Tensors parts;
  for (size_t i = 0; i < tensors.size(); ++i) {
    check<ShapeError>(tensors[i].shape() == tensors[0].shape(), "stack", "tensor ", i,
                      " expects shape ", tensors[0].shape(), ", got ", tensors[i].shape());
    parts.push_back(unsqueeze(tensors[i], dim));
  }
  return concat(parts, dim);
}

}  // namespace cytograd
