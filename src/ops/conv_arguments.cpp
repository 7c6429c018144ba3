#include "ops/conv_arguments.h"

#include "cytograd/core/error.h"
#include "ops/common.h"

namespace cytograd {
namespace {

// Far beyond every image; the arithmetic of output sizes stays within int64.
constexpr int64_t kLargest = int64_t{1} << 30;

void check_range(const char* op, const char* name, const Pair& value, int64_t least) {
  check<ValueError>(value.h >= least && value.w >= least, op, name, " must be >= ", least, ", got ",
                    value);
  check<ValueError>(value.h <= kLargest && value.w <= kLargest, op, name, " must be <= ", kLargest,
                    ", got ", value);
}

}  // namespace

void check_conv_arguments(const ConvArguments& a, const Tensor& x, const Tensor& weight) {
  check<ShapeError>(x.ndim() == 4 && weight.ndim() == 4, a.op, "expects ", a.expected, ", got ",
                    x.shape(), " and ", weight.shape());
  check<DtypeError>(x.dtype() == weight.dtype(), a.op, "expects one dtype, got ", x.dtype(),
                    " and ", weight.dtype());
  check_device(a.op, x, weight, "weight");
  check_range(a.op, "stride", a.stride, 1);
  check_range(a.op, "dilation", a.dilation, 1);
  check_range(a.op, "padding", a.padding, 0);
  check<ValueError>(a.groups >= 1 && a.groups <= kLargest, a.op, "groups must be >= 1, got ",
                    a.groups);
  check<ShapeError>(weight.size(1) >= 1 && weight.size(2) >= 1, a.op,
                    "the filter is empty: ", weight.shape());
}

void check_conv_bias(const char* op, const Tensor& x, const Tensor& bias, int64_t c_out) {
  if (!bias.defined()) return;
  check<ShapeError>(bias.shape() == Shape{c_out}, op, "bias expects [", c_out, "], got ",
                    bias.shape());
  check<DtypeError>(bias.dtype() == x.dtype(), op, "bias expects ", x.dtype(), ", got ",
                    bias.dtype());
  check_device(op, x, bias, "bias");
}

}  // namespace cytograd
