#include "cytograd/ops/dropout.h"

#include <cmath>

#include "cytograd/autograd/record.h"
#include "cytograd/core/random_scope.h"
#include "kernels/dropout.h"
#include "ops/common.h"

namespace cytograd {

Tensor dropout(const Tensor& x, double p, bool training) {
  check<ValueError>(p >= 0 && p < 1, "dropout", "p must be in [0, 1), got ", p);
  check_computable("dropout", x);
  if (!training || p == 0) return x;
  const kernels::DropoutParams params{RandomScope::next_key("dropout", "dropout"),
                                      static_cast<uint64_t>(std::llround(p * 0x1p32)), 1 / (1 - p)};
  const auto masked = [](const Tensor& input, const kernels::DropoutParams& options) {
    const Tensor xc = packed(input);
    Tensor y = Tensor::empty_like(xc);
    on_device(xc, [&](auto ctx) { kernels::dropout(ctx, xc, options, y); });
    return y;
  };
  return record("dropout", {x}, masked(x, params), {}, std::pair(params, masked),
                [](const auto& back, const Tensor& dy) -> Grads {
                  return {back.params.second(dy, back.params.first)};
                });
}

}  // namespace cytograd
