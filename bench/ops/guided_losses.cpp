#include "bench/support/device.h"
#include "bench/support/op_passes.h"
#include "cytograd/losses/guide.h"
#include "cytograd/losses/triplet.h"
#include "cytograd/ops/cross_entropy.h"
#include "cytograd/ops/linear.h"

/// @file
/// Losses of guided embeddings with their gradients: a batch of 256 at the lengths of the paper.

namespace cytograd::bench {
namespace {

constexpr int64_t batch = 256, classes = 15;

// What losses look at beside embeddings [batch, length] and labels.
struct Inputs {
  Tensor guide;         // [classes, 2]
  Tensor points;        // [classes, length]
  Tensor weight, bias;  // of a classifier
};
using Loss = Tensor (*)(const Tensor& x, const Tensor& y, const Inputs& in);

// Loss and gradient, as one step of training runs them.
Work loss_pass(int64_t length, Loss loss) {
  const Tensor x = random_tensor({batch, length});
  const Inputs in{random_tensor({classes, 2}), random_tensor({classes, length}),
                  random_tensor({classes, length}), random_tensor({classes})};
  for (const Tensor& leaf : {x, in.weight, in.bias}) leaf.set_requires_grad(true);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < batch; ++i) labels.push_back(i * 7 % classes);
  return {[x, in, y = placed(Tensor::from(labels)), loss] {
    for (const Tensor& leaf : {x, in.weight, in.bias}) leaf.zero_grad();
    loss(x, y, in).backward();
  }};
}

using losses::Mining;
template <Mining mining>
Tensor triplets(const Tensor& x, const Tensor& y, const Inputs&) {
  return losses::triplet_loss(x, y, {.mining = mining}).value;
}

std::vector<Case> cases() {
  const std::pair<const char*, Loss> all[] = {
      {"cross_entropy",
       [](const Tensor& x, const Tensor& y, const Inputs& in) {
         return cross_entropy(linear(x, in.weight, in.bias), y);
       }},
      {"guide2d", [](const Tensor& x, const Tensor& y,
                     const Inputs& in) { return losses::guide_distance(x, y, in.guide); }},
      {"guide_umap", [](const Tensor& x, const Tensor& y,
                        const Inputs& in) { return losses::guide_distance(x, y, in.points); }},
      {"distance",
       [](const Tensor& x, const Tensor& y, const Inputs& in) {
         return losses::distance_loss(x, y, losses::guide_table(in.guide));
       }},
      {"norm", [](const Tensor& x, const Tensor&, const Inputs&) { return losses::norm_term(x); }},
      {"batch_hard", triplets<Mining::batch_hard>},
      {"semi_hard", triplets<Mining::semi_hard>},
      {"all_hard", triplets<Mining::all_hard>},
      {"all_violating", triplets<Mining::all_violating>},
      {"center_triplet", [](const Tensor& x, const Tensor& y,
                            const Inputs&) { return losses::center_triplet_loss(x, y).value; }},
      {"center_triplet_sample",
       [](const Tensor& x, const Tensor& y, const Inputs&) {
         return losses::center_triplet_loss(x, y, {losses::CenterAnchor::sample}).value;
       }},
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
