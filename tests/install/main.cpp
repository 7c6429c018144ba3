#include <cytograd/cytograd.h>

#include <iostream>

int main() {
  const auto x = cytograd::Tensor::ones({3});
  std::cout << x.shape() << '\n';
  return x.numel() == 3 ? 0 : 1;
}
