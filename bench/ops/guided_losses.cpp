#include "bench/support/op_passes.h"
#include "cytograd/losses/guide.h"
#include "cytograd/losses/triplet.h"

/// @file
/// Losses of guided embeddings with their gradients: a batch of 256 at the lengths of the paper.

namespace cytograd::bench {
namespace {

constexpr int64_t batch = 256, classes = 15;

// Loss and gradient, as one step of training runs them.
Work loss_pass(int64_t length, Tensor (*loss)(const Tensor&, const Tensor&, const Tensor&)) {
  const Tensor x = random_tensor({batch, length}), guide = random_tensor({classes, 2});
  x.set_requires_grad(true);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < batch; ++i) labels.push_back(i * 7 % classes);
  return {[x, guide, y = Tensor::from(labels), loss] {
    x.zero_grad();
    loss(x, y, guide).backward();
  }};
}

using losses::Mining;
template <Mining mining>
Tensor triplets(const Tensor& x, const Tensor& y, const Tensor&) {
  return losses::triplet_loss(x, y, {.mining = mining}).value;
}

std::vector<Case> cases() {
  using Loss = Tensor (*)(const Tensor&, const Tensor&, const Tensor&);
  const std::pair<const char*, Loss> all[] = {
      {"guide2d", [](const Tensor& x, const Tensor& y,
                     const Tensor& g) { return losses::guide_distance(x, y, g); }},
      {"distance",
       [](const Tensor& x, const Tensor& y, const Tensor& g) {
         return losses::distance_loss(x, y, losses::guide_table(g));
       }},
      {"norm", [](const Tensor& x, const Tensor&, const Tensor&) { return losses::norm_term(x); }},
      {"batch_hard", triplets<Mining::batch_hard>},
      {"semi_hard", triplets<Mining::semi_hard>},
      {"all_hard", triplets<Mining::all_hard>},
      {"all_violating", triplets<Mining::all_violating>},
      {"center_triplet", [](const Tensor& x, const Tensor& y,
                            const Tensor&) { return losses::center_triplet_loss(x, y).value; }},
  };
  std::vector<Case> out;
  for (const auto& [name, loss] : all)
    for (const int64_t length : {64, 1024})
      out.push_back({.name = std::string("guided_losses/") + name + "/" + std::to_string(length),
                     .sizes = {{"batch", batch}, {"length", length}},
                     .bytes = 8.0 * static_cast<double>(batch * length),
                     .make = [length, loss = loss] { return loss_pass(length, loss); }});
  return out;
}

const Family registered{"guided_losses", cases};

}  // namespace
}  // namespace cytograd::bench
