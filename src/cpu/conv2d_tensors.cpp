#include "kernels/conv2d.h"

#include "kernels/elementwise.h"

namespace cytograd::kernels {

void conv2d_forward(CpuContext, const Conv2dShape& shape, const Tensor& x, const Tensor& weight,
                    const Tensor& bias, const Tensor& y) {
  dispatch_floating(x.dtype(), "conv2d", [&]<class T>() {
    const Epilogue<T> epilogue{.bias = bias.defined() ? bias.data<T>() : nullptr};
    conv2d_forward<T>(shape, x.data<T>(), weight.data<T>(), y.data<T>(), epilogue);
  });
}

void conv2d_backward_data(CpuContext, const Conv2dShape& shape, const Tensor& dy,
                          const Tensor& weight, const Tensor& dx, bool accumulate) {
  const Tensor term = accumulate ? Tensor::empty_like(dx) : dx;
  dispatch_floating(dy.dtype(), "conv2d", [&]<class T>() {
    conv2d_backward_data<T>(shape, dy.data<T>(), weight.data<T>(), term.data<T>());
  });
  if (accumulate) add_into(dx, term);
}

void conv2d_backward_weight(CpuContext, const Conv2dShape& shape, const Tensor& x, const Tensor& dy,
                            const Tensor& dw) {
  dispatch_floating(dy.dtype(), "conv2d", [&]<class T>() {
    conv2d_backward_weight<T>(shape, x.data<T>(), dy.data<T>(), dw.data<T>());
  });
}

}  // namespace cytograd::kernels
