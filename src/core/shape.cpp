#include "cytograd/core/shape.h"

#include <ostream>

#include "cytograd/core/error.h"

namespace cytograd {

Shape::Shape(std::span<const int64_t> sizes) {
  for (const int64_t size : sizes) push_back(size);
}

Shape Shape::filled(int ndim, int64_t value) {
  Shape out;
  for (int i = 0; i < ndim; ++i) out.push_back(value);
  return out;
}

int64_t Shape::numel() const {
  int64_t n = 1;
  for (const int64_t size : *this)
    check<ShapeError>(!__builtin_mul_overflow(n, size, &n), "shape", "too many elements in ",
                      *this);
  return n;
}

void Shape::push_back(int64_t size) {
  check<ShapeError>(ndim_ < max_rank, "shape", "at most ", max_rank, " dimensions are supported");
  sizes_[ndim_++] = size;
}

Shape contiguous_strides(const Shape& shape) {
  Shape out = shape;
  int64_t stride = 1;
  for (int i = shape.ndim() - 1; i >= 0; --i) {
    out[i] = stride;
    check<ShapeError>(
        !__builtin_mul_overflow(stride, std::max<int64_t>(shape[i], int64_t{1}), &stride), "shape",
        "too many elements in ", shape);
  }
  return out;
}

int normalize_dim(int dim, int ndim, const char* op) {
  check<ShapeError>(dim >= -ndim && dim < ndim, op, "dim expects a value in [", -ndim, ", ",
                    ndim - 1, "], got ", dim);
  return dim < 0 ? dim + ndim : dim;
}

Shape broadcast_shapes(const Shape& a, const Shape& b, const char* op) {
  const int ndim = std::max(a.ndim(), b.ndim());
  Shape out = Shape::filled(ndim, 1);
  for (int i = 0; i < ndim; ++i) {
    const int64_t da = i < ndim - a.ndim() ? 1 : a[i - (ndim - a.ndim())];
    const int64_t db = i < ndim - b.ndim() ? 1 : b[i - (ndim - b.ndim())];
    check<ShapeError>(da == db || da == 1 || db == 1, op, "shapes ", a, " and ", b,
                      " do not broadcast");
    out[i] = da == 1 ? db : da;
  }
  return out;
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int i = 0; i < shape.ndim(); ++i) out << (i ? ", " : "") << shape[i];
  return out << ']';
}

}  // namespace cytograd
