// Fits y = 3 x - 1 from noisy points by gradient descent, with nothing but tensors.
// Expected: slope within 0.05 of 3 and intercept within 0.05 of -1.

#include <cytograd/autograd/record.h>
#include <cytograd/core/random.h>
#include <cytograd/ops/elementwise.h>
#include <cytograd/ops/reduce.h>

#include <cmath>
#include <iostream>

using namespace cytograd;

int main() {
  constexpr int64_t n = 200;
  const Tensor x = Tensor::empty({n}), y = Tensor::empty({n});
  Rng rng(42, "points");
  for (int64_t i = 0; i < n; ++i) {
    x.data<float>()[i] = static_cast<float>(rng.uniform(-1, 1));
    y.data<float>()[i] = 3 * x.data<float>()[i] - 1 + static_cast<float>(0.1 * rng.normal());
  }

  const Tensor slope = Tensor::zeros({1}), intercept = Tensor::zeros({1});
  slope.set_requires_grad(true);
  intercept.set_requires_grad(true);
  for (int step = 0; step < 200; ++step) {
    const Tensor loss = mean(square(x * slope + intercept - y));
    loss.backward();
    const NoGrad no_grad;  // the update itself is not part of the graph
    for (const Tensor& parameter : {slope, intercept}) {
      parameter.copy_(parameter - parameter.grad() * 0.3);
      parameter.zero_grad();
    }
    if (step % 40 == 0) std::cout << "step " << step << ": loss " << loss.item() << '\n';
  }

  std::cout << "y = " << slope.item() << " x + " << intercept.item() << '\n';
  return std::abs(slope.item() - 3) < 0.05 && std::abs(intercept.item() + 1) < 0.05 ? 0 : 1;
}
