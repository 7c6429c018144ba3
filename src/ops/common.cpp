#include "ops/common.h"

#include "cytograd/core/error.h"

namespace cytograd {

void check_device(const char* op, const Tensor& x, const Tensor& other, const char* name) {
  check<DeviceError>(!other.defined() || other.device() == x.device(), op, name, " expects ",
                     x.device(), ", where the input is, got ",
                     other.defined() ? other.device() : x.device(), "; move it with to(device)");
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
