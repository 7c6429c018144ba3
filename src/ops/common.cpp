#include "ops/common.h"

#include "cytograd/core/autocast.h"
#include "cytograd/core/error.h"

namespace cytograd {

void check_device(const char* op, const Tensor& x, const Tensor& other, const char* name) {
  check<DeviceError>(!other.defined() || other.device() == x.device(), op, name, " expects ",
                     x.device(), ", where the input is, got ",
                     other.defined() ? other.device() : x.device(), "; move it with to(device)");
}

void check_product_dtype(const char* op, const Tensor& x) {
  const bool here = x.dtype() == Dtype::float32 || x.dtype() == Dtype::float64 ||
                    (x.dtype() == Dtype::bfloat16 && x.device().type == DeviceType::cuda);
  check<DtypeError>(here, op, "expects float32 or float64, got ", x.dtype());
}

bool casts_to_bfloat16(const Tensor& x, const Tensor& weight) {
  return autocast_enabled() && x.device().type == DeviceType::cuda &&
         weight.device() == x.device() && x.dtype() == Dtype::float32 &&
         weight.dtype() == Dtype::float32;
}

void check_channels(const char* op, const Tensor& x, const Tensor& v, const char* name) {
  if (!v.defined()) return;
  const Shape expected{x.shape().back()};
  check<ShapeError>(v.shape() == expected, op, name, " expects shape ", expected, " for input ",
                    x.shape(), ", got ", v.shape());
  check<DtypeError>(v.dtype() == x.dtype(), op, name, " expects ", x.dtype(), ", got ", v.dtype());
  check_device(op, x, v, name);
}

}  // namespace cytograd
