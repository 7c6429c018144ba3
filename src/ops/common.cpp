#include "ops/common.h"

#include "cytograd/core/error.h"

namespace cytograd {

void check_channels(const char* op, const Tensor& x, const Tensor& v, const char* name) {
  if (!v.defined()) return;
  const Shape expected{x.shape().back()};
  check<ShapeError>(v.shape() == expected, op, name, " expects shape ", expected, " for input ",
                    x.shape(), ", got ", v.shape());
  check<DtypeError>(v.dtype() == x.dtype(), op, name, " expects ", x.dtype(), ", got ", v.dtype());
}

}  // namespace cytograd
