#include "cytograd/core/autocast.h"
#include "cytograd/core/random.h"
#include "cytograd/losses/nt_xent.h"
#include "cytograd/nn/activation.h"
#include "cytograd/nn/linear.h"
#include "cytograd/nn/sequential.h"
#include "train/methods.h"
#include "train/views_method.h"

namespace cytograd {
namespace {

// Chen, Kornblith, Norouzi and Hinton 2020: two views of an image find each other among those of
// the batch. What the loss compares is a projection, which is thrown away afterwards: what stands
// before it serves other tasks better (section 4.2 there).
class SimclrMethod final : public ViewsMethod {
 public:
  explicit SimclrMethod(const MethodContext& context)
      : ViewsMethod(context, "nt_xent"), temperature_(context.config.temperature) {
    projection_.push<nn::Linear>(context.embedding, context.embedding);
    projection_.push<nn::ReLU>();
    projection_.push<nn::Linear>(context.embedding, context.config.projection);
    projection_.initialize(stream_key(static_cast<uint64_t>(context.config.seed), "projection"));
    projection_.to(context.device);
  }

  std::vector<LossTerm> loss(const Batch&, const ModelOutput& output) override {
    // Cosines are compared by their differences, which bfloat16 would round away.
    const Autocast exact(false);
    const Tensor z = projection_.forward(output.embeddings.to(Dtype::float32));
    const Views v = views_of(z);
    return terms_of(losses::nt_xent(v.first, v.second, temperature_), z);
  }

  nn::NamedTensors parameters() const override {
    nn::NamedTensors out;
    for (const auto& [name, tensor] : projection_.named_parameters())
      out.emplace_back("projection." + name, tensor);
    return out;
  }

 private:
  double temperature_;
  nn::Sequential projection_;
};

}  // namespace

std::unique_ptr<Method> make_simclr(const MethodContext& context) {
  return std::make_unique<SimclrMethod>(context);
}

}  // namespace cytograd
