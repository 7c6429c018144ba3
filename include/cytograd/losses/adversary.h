#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/core/error.h"
#include "cytograd/nn/linear.h"
#include "cytograd/ops/cross_entropy.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/index.h"
#include "cytograd/ops/matmul.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/ops/softmax.h"

/// @file
/// A classifier of domains that a network learns to deceive (Ganin et al., "Domain-Adversarial
/// Training of Neural Networks", 2016; docs/losses/domains.md).

namespace cytograd::losses {

/// Features [N, h] to domain logits [N, D]: `depth` linear layers with ReLU between them.
class DomainClassifier : public nn::Module {
 public:
  /// @throws ValueError if a size is < 1
  DomainClassifier(int64_t features, int64_t domains, int64_t width = 256, int64_t depth = 3) {
    check<ValueError>(depth >= 1, "domain classifier", "depth expects >= 1, got ", depth);
    for (int64_t l = 0; l < depth; ++l)
      layers_.push_back(&add<nn::Linear>("linear" + std::to_string(l + 1),
                                         l == 0 ? features : width,
                                         l + 1 == depth ? domains : width));
  }

  Tensor forward(const Tensor& z) const {
    Tensor x = z;
    for (size_t l = 0; l < layers_.size(); ++l)
      x = l == 0 ? layers_[l]->forward(x) : layers_[l]->forward(relu(x));
    return x;
  }

  /// Mean over samples of |d (sum of the cross-entropies) / d z_i|^2. The gradient is written out
  /// layer by layer, so that the penalty has one itself; the slopes of ReLU are constants, as they
  /// are almost everywhere.
  /// @param z [N, h]   @param domains [N] int64
  Tensor gradient_penalty(const Tensor& z, const Tensor& domains) const {
    Tensors slopes;  // of the ReLUs, 0 or 1
    Tensor x = z;
    for (size_t l = 0; l < layers_.size(); ++l) {
      x = layers_[l]->forward(x);
      if (l + 1 == layers_.size()) break;
      x = relu(x);
      slopes.push_back(clamp(x.detach() * 1e38, 0, 1));
    }
    Tensor g = softmax(x, 1) - one_hot(domains, x.size(1), x.dtype());
    for (size_t l = layers_.size(); l-- > 0;) {
      g = matmul(g, layers_[l]->weight);
      if (l > 0) g = g * slopes[l - 1];
    }
    return mean(sum(square(g), 1));
  }

 private:
  std::vector<nn::Linear*> layers_;
};

/// Whether step t, counted from 1, trains the domain classifier when it has `s` steps for each one
/// of the network: t mod (1 + s) < s.
inline bool is_adversary_step(int64_t t, int64_t s) { return t % (1 + s) < s; }

/// How strongly gradients are reversed when the share p of the training is over: from 0 to almost
/// 1, 2 / (1 + exp(-10 p)) - 1.
inline double reversal_strength(double p) { return 2 / (1 + std::exp(-10 * p)) - 1; }

}  // namespace cytograd::losses
