// Tensors, views, broadcasting and gradients in one page.

#include <cytograd/autograd/record.h>
#include <cytograd/ops/elementwise.h>
#include <cytograd/ops/matmul.h>
#include <cytograd/ops/reduce.h>
#include <cytograd/ops/shape.h>

#include <iostream>

using namespace cytograd;

int main() {
  // A tensor is a shared handle: copying it copies no data. Element types are float32 unless
  // stated.
  const Tensor a = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  std::cout << "a has shape " << a.shape() << ", " << a.dtype() << ", on " << a.device() << '\n';

  // A transposed tensor is a view: same storage, other strides.
  const Tensor t = transpose(a, 0, 1);
  std::cout << "its transpose " << t.shape() << " shares storage: " << (t.storage() == a.storage())
            << '\n';

  // Shapes broadcast as in NumPy: [2, 3] + [3].
  const Tensor b = a + Tensor::from<float>({10, 20, 30});
  std::cout << "last element of a + row: " << b.to_vector<float>().back() << '\n';

  // Mark the tensors whose gradient you want, compute, go backward from a scalar.
  const Tensor w = Tensor::from<float>({0.5f, -1, 2}, {3, 1});
  w.set_requires_grad(true);
  const Tensor loss = sum(square(matmul(a, w)));
  loss.backward();

  // d/dw sum((a w)^2) = 2 a^T a w; by hand: a w = (4.5, 9), so the first element is 2 (1*4.5 + 4*9)
  // = 81.
  std::cout << "loss " << loss.item() << ", d loss / d w0 = " << w.grad().to_vector<float>()[0]
            << '\n';
  return w.grad().to_vector<float>()[0] == 81.0f ? 0 : 1;
}
