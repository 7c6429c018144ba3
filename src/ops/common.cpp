#include "ops/common.h"

#include "cytograd/core/autocast.h"
#include "cytograd/core/error.h"

namespace cytograd {

void check_device(const char* op, const Tensor& x, const Tensor& other, const char* name) {
  check<DeviceError>(!other.defined() || other.device() == x.device(), op, name, " expects ",
                     x.device(), ", where the input is, got ",
                     other.defined() ? other.device() : x.device(), "; move it with to(device)");
}

void check_computable(const char* op, const Tensor& x) {
  const bool here = x.dtype() == Dtype::float32 || x.dtype() == Dtype::float64 ||
                    (x.dtype() == Dtype::bfloat16 && x.device().type == DeviceType::cuda);
  check<DtypeError>(here, op, "expects float32 or float64, got ", x.dtype());
}

namespace {

bool is_on_cuda(const Tensor& x, Dtype dtype) {
  return x.defined() && x.device().type == DeviceType::cuda && x.dtype() == dtype;
}

}  // namespace

Tensor product_operand(const Tensor& x) {
  return autocast_enabled() && is_on_cuda(x, Dtype::float32) ? x.to(Dtype::bfloat16) : x;
}

Tensor widened(const Tensor& x) {
  return is_on_cuda(x, Dtype::bfloat16) ? x.to(Dtype::float32) : x;
}

std::pair<Tensor, Tensor> promoted(const Tensor& a, const Tensor& b) {
  if (is_on_cuda(a, Dtype::bfloat16) && is_on_cuda(b, Dtype::float32)) return {widened(a), b};
  if (is_on_cuda(a, Dtype::float32) && is_on_cuda(b, Dtype::bfloat16)) return {a, widened(b)};
  return {a, b};
}

Dtype vector_dtype(const Tensor& x) {
  return x.dtype() == Dtype::bfloat16 ? Dtype::float32 : x.dtype();
}

void check_channels(const char* op, const Tensor& x, const Tensor& v, const char* name) {
  if (!v.defined()) return;
  const Shape expected{x.shape().back()};
  check<ShapeError>(v.shape() == expected, op, name, " expects shape ", expected, " for input ",
                    x.shape(), ", got ", v.shape());
  check<DtypeError>(v.dtype() == vector_dtype(x), op, name, " expects ", vector_dtype(x), ", got ",
                    v.dtype());
  check_device(op, x, v, name);
}

}  // namespace cytograd
