#include "train/guided_method.h"
#include "train/methods.h"

namespace cytograd {
namespace {

// Cross-entropy over the batch.
class CrossEntropyMethod final : public Method {
 public:
  explicit CrossEntropyMethod(const MethodContext& context) : loss_(context) {}

  std::vector<LossTerm> loss(const Batch& batch, const ModelOutput& output) override {
    return {{"ce", loss_(output.logits, batch.labels), 1.0}};
  }
  std::vector<std::string> terms() const override { return {"ce"}; }

 private:
  ClassLoss loss_;
};

}  // namespace

std::unique_ptr<Method> make_cross_entropy(const MethodContext& context) {
  auto plain = std::make_unique<CrossEntropyMethod>(context);
  if (!context.config.growing) return plain;
  return make_guided(context, std::move(plain));
}

}  // namespace cytograd
