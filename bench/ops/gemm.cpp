#include "kernels/gemm.h"

#include "bench/support/case.h"

/// @file
/// Matrix products: large squares, the 1x1 convolutions of ResNet-50 seen as products, and the
/// linear layers of the classifiers and of the RNA variational autoencoder.

namespace cytograd::bench {
namespace {

struct Product {
  const char* name;
  int64_t m, n, k;
  bool trans_a, trans_b;
};

constexpr Product products[] = {
    {"square_256", 256, 256, 256, false, false},
    {"square_1024", 1024, 1024, 1024, false, false},
    {"square_2048", 2048, 2048, 2048, false, false},
    {"square_2048_tn", 2048, 2048, 2048, true, false},
    {"square_2048_nt", 2048, 2048, 2048, false, true},
    {"res2_1x1", 25088, 64, 256, false, true},
    {"res4_1x1", 1568, 256, 1024, false, true},
    {"fc_1000", 16, 1000, 2048, false, true},
    {"rna_fc1", 128, 800, 2432, false, true},
    {"rna_fc1_dx", 128, 2432, 800, false, false},
    {"rna_fc1_dw", 800, 2432, 128, true, false},
};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const Product& p : products) {
    const auto make = [p]() -> Work {
      return {[p, a = random_tensor({p.m * p.k}), b = random_tensor({p.k * p.n}),
               c = random_tensor({p.m * p.n})] {
        kernels::gemm(p.trans_a, p.trans_b, p.m, p.n, p.k, a.data<float>(), p.trans_a ? p.m : p.k,
                      b.data<float>(), p.trans_b ? p.k : p.n, c.data<float>(), p.n);
      }};
    };
    out.push_back({.name = std::string("gemm/") + p.name,
                   .sizes = {{"m", p.m}, {"n", p.n}, {"k", p.k}},
                   .flops = 2.0 * static_cast<double>(p.m) * static_cast<double>(p.n * p.k),
                   .bytes = 4.0 * static_cast<double>(p.m * p.k + p.k * p.n + p.m * p.n),
                   .make = make});
  }
  return out;
}

const Family registered{"gemm", cases};

}  // namespace
}  // namespace cytograd::bench
