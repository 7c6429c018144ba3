#include "cytograd/ops/index.h"

#include "cytograd/autograd/record.h"
#include "kernels/index.h"
#include "ops/common.h"

namespace cytograd {
namespace {

// On the CPU every index is looked at; on CUDA that would wait for the device (kernels/index.h).
void check_index(const Tensor& index, int64_t size, const char* op, const char* name = "index") {
  check<DtypeError>(index.dtype() == Dtype::int64, op, name, " expects int64, got ", index.dtype());
  if (index.device().type != DeviceType::cpu) return;
  const Tensor packed_index = packed(index);
  const int64_t* values = packed_index.data<int64_t>();
  for (int64_t i = 0; i < packed_index.numel(); ++i)
    check<ValueError>(values[i] >= 0 && values[i] < size, op, name, " ", values[i], " at position ",
                      i, " is not in 0..", size - 1);
}

// No axis of `inner` but `skip` is longer than that of `outer`.
bool within(const Shape& inner, const Shape& outer, int skip) {
  if (inner.ndim() != outer.ndim()) return false;
  for (int d = 0; d < inner.ndim(); ++d)
    if (d != skip && inner[d] > outer[d]) return false;
  return true;
}

Tensor prefix(const Tensor& x, const Shape& shape) {
  return x.as_strided(shape, x.strides(), x.offset());
}

Tensor gathered(const Tensor& x, int dim, const Tensor& index) {
  Tensor y = Tensor::empty(index.shape(), x.dtype(), x.device());
  on_device(x, [&](auto ctx) { kernels::gather(ctx, x, dim, index, y); });
  return y;
}

Tensor scattered(const Tensor& sum, int dim, const Tensor& index, const Tensor& src) {
  on_device(sum, [&](auto ctx) { kernels::scatter_add(ctx, sum, dim, index, src); });
  return sum;
}

// Shared by gather and index_select: their backward adds each dy to where x was read.
Tensor read(const char* op, const Tensor& x, int dim, const Tensor& index) {
  return record(op, {x}, gathered(x, dim, index), {index}, dim,
                [](const auto& back, const Tensor& dy) -> Grads {
                  return {scattered(Tensor::zeros(back.input_shape(0), dy.dtype(), dy.device()),
                                    back.params, back.saved[0], dy)};
                });
}

}  // namespace

Tensor gather(const Tensor& given, int dim, const Tensor& index) {
  const Tensor x = widened(given);
  dim = normalize_dim(dim, x.ndim(), "gather");
  check<ShapeError>(within(index.shape(), x.shape(), dim), "gather", "index ", index.shape(),
                    " does not fit input ", x.shape(), " except along axis ", dim);
  check_device("gather", x, index, "index");
  check_index(index, x.shape()[dim], "gather");
  return read("gather", x, dim, index);
}

Tensor index_select(const Tensor& given, int dim, const Tensor& index) {
  const Tensor x = widened(given);
  dim = normalize_dim(dim, x.ndim(), "index_select");
  check<ShapeError>(index.ndim() == 1, "index_select", "index expects one axis, got ",
                    index.shape());
  check_device("index_select", x, index, "index");
  check_index(index, x.shape()[dim], "index_select");
  Shape shape = x.shape(), strides = Shape::filled(x.ndim(), 0);
  shape[dim] = index.numel();
  strides[dim] = index.strides()[0];
  return read("index_select", x, dim, index.as_strided(shape, strides, index.offset()));
}

Tensor scatter_add(const Tensor& given, int dim, const Tensor& index, const Tensor& given_src) {
  const Tensor x = widened(given), src = widened(given_src);
  dim = normalize_dim(dim, x.ndim(), "scatter_add");
  check<DtypeError>(x.dtype() == Dtype::float32 || x.dtype() == Dtype::float64, "scatter_add",
                    "expects float32 or float64, got ", x.dtype());
  check<DtypeError>(src.dtype() == x.dtype(), "scatter_add", "src expects ", x.dtype(), ", got ",
                    src.dtype());
  check_device("scatter_add", x, src, "src");
  check<ShapeError>(within(index.shape(), x.shape(), dim), "scatter_add", "index ", index.shape(),
                    " does not fit input ", x.shape(), " except along axis ", dim);
  check<ShapeError>(within(index.shape(), src.shape(), -1), "scatter_add", "src expects at least ",
                    index.shape(), " as index has, got ", src.shape());
  check_device("scatter_add", x, index, "index");
  check_index(index, x.shape()[dim], "scatter_add");
  const Tensor y = scattered(x.detach().clone(), dim, index, prefix(src, index.shape()));
  return record("scatter_add", {x, src}, y, {index}, dim,
                [](const auto& back, const Tensor& dy) -> Grads {
                  Tensor dsrc;
                  if (back.needs(1)) {
                    const Tensor &index = back.saved[0], read = gathered(dy, back.params, index);
                    dsrc = read;
                    if (!(index.shape() == back.input_shape(1))) {
                      dsrc = Tensor::zeros(back.input_shape(1), dy.dtype(), dy.device());
                      prefix(dsrc, index.shape()).copy_(read);
                    }
                  }
                  return {back.needs(0) ? dy : Tensor{}, dsrc};
                });
}

Tensor one_hot(const Tensor& labels, int64_t classes, Dtype dtype) {
  check<ValueError>(classes >= 1, "one_hot", "classes must be >= 1, got ", classes);
  check_index(labels, classes, "one_hot", "label");
  Shape shape = labels.shape();
  shape.push_back(classes);
  const Tensor y = Tensor::empty(shape, dtype, labels.device());
  on_device(y, [&](auto ctx) { kernels::one_hot(ctx, packed(labels), y); });
  return y;
}

}  // namespace cytograd
