#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/autocast.h"
#include "cytograd/core/random.h"
#include "cytograd/io/text.h"
#include "cytograd/losses/nt_xent.h"
#include "cytograd/nn/linear.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/shape.h"
#include "train/methods.h"

namespace cytograd {
namespace {

// Below this share of an even spread the views of different images lie together.
constexpr double collapsed = 0.05;

// What the loss compares: embedding -> linear -> ReLU -> linear. It is thrown away afterwards: what
// stands before it serves other tasks better (Chen et al. 2020, section 4.2).
class Projection final : public nn::Module {
 public:
  Projection(int64_t features, int64_t width)
      : linear1_(add<nn::Linear>("linear1", features, features)),
        linear2_(add<nn::Linear>("linear2", features, width)) {}
  Tensor forward(const Tensor& x) const { return linear2_.forward(relu(linear1_.forward(x))); }

 private:
  nn::Linear& linear1_;
  nn::Linear& linear2_;
};

// Chen, Kornblith, Norouzi and Hinton 2020: two views of an image find each other among those of
// the batch.
class SimclrMethod final : public Method {
 public:
  explicit SimclrMethod(const MethodContext& context)
      : temperature_(context.config.temperature),
        projection_(context.embedding, context.config.projection) {
    int64_t images = 0;
    for (const auto& domains : context.counts)
      for (const int64_t n : domains) images += n;
    if (images < 2)
      refuse_settings(std::to_string(images) + " training images with simclr", "two or more",
                      "the loss tells images apart");
    projection_.initialize(stream_key(static_cast<uint64_t>(context.config.seed), "projection"));
    projection_.to(context.device);
  }

  std::vector<LossTerm> loss(const Batch&, const ModelOutput& output) override {
    // Cosines are compared by their differences, which bfloat16 would round away.
    const Autocast exact(false);
    const Tensor z = projection_.forward(output.embeddings.to(Dtype::float32));
    const int64_t n = z.size(0) / 2;
    const Tensor first = slice(z, 0, 0, n), second = slice(z, 0, n, 2 * n);
    std::vector<LossTerm> out = {{"nt_xent", losses::nt_xent(first, second, temperature_), 1}};
    const NoGrad watched;
    const Tensor a = first.detach(), b = second.detach();
    out.push_back({"alignment", losses::alignment(a, b), 0});
    out.push_back({"uniformity", losses::uniformity(a), 0});
    out.push_back({"spread", losses::spread(a), 0});
    return out;
  }

  std::vector<std::string> terms() const override {
    return {"nt_xent", "alignment", "uniformity", "spread"};
  }

  std::vector<std::string> remarks(const std::map<std::string, double>& means) override {
    const auto spread = means.find("spread");
    // Once, and not in the first epoch: a network that has learned nothing is like this.
    ++epochs_;
    if (told_ || epochs_ == 1 || spread == means.end() || !(spread->second < collapsed)) return {};
    told_ = true;
    return {"collapse: embeddings of different images fall together (spread " +
            format_fixed(spread->second, 3) +
            ", 1 is even); try a lower --lr, a larger --batch or more --augment"};
  }

  nn::NamedTensors parameters() const override {
    nn::NamedTensors out;
    for (const auto& [name, tensor] : projection_.named_parameters())
      out.emplace_back("projection." + name, tensor);
    return out;
  }

 private:
  double temperature_;
  Projection projection_;
  int64_t epochs_ = 0;
  bool told_ = false;
};

}  // namespace

std::unique_ptr<Method> make_simclr(const MethodContext& context) {
  return std::make_unique<SimclrMethod>(context);
}

// docs/pretraining.md.
void simclr_defaults(const TrainConfig& c, const GiveDefault& give) {
  give("input.augment", "views");
  give("split.test_fraction", "0");
  give("split.val_fraction", "0.1");
  give("split.val_grouped", "false");
  give("method.temperature", "0.2");
  give("optimizer.weight_decay", "0.0001");
  give("train.batch", "128");
  give("train.epochs", "100");
  give("schedule.warmup_epochs", format_double(static_cast<double>(c.epochs) / 20));
}

void simclr_check(const TrainConfig& c) {
  if (c.growing) refuse_settings("method.growing with simclr", "a guided method");
  if (c.batch < 2)
    refuse_settings("train.batch " + std::to_string(c.batch) + " with simclr", "two images or more",
                    "the loss tells the images of a batch apart");
  if (c.patience > 0)
    refuse_settings("train.patience with simclr", "train.patience 0",
                    "without labels no score tells which epoch is best");
  if (c.augment == "none" && c.stain_augment <= 0 && c.hue <= 0 && c.gray_p <= 0)
    refuse_settings("input.augment none with simclr", "views, full, domains or light",
                    "two views without changes are one image twice");
}

}  // namespace cytograd
