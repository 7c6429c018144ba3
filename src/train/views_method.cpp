#include "train/views_method.h"

#include <utility>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/io/text.h"
#include "cytograd/losses/hypersphere.h"
#include "cytograd/ops/shape.h"
#include "train/methods.h"

namespace cytograd {
namespace {

// Below this share of an even spread the embeddings of different images lie together.
constexpr double collapsed = 0.05;

}  // namespace

ViewsMethod::ViewsMethod(const MethodContext& context, std::string term) : term_(std::move(term)) {
  int64_t images = 0;
  for (const auto& domains : context.counts)
    for (const int64_t n : domains) images += n;
  if (images < 2)
    refuse_settings(std::to_string(images) + " training images with " + context.config.method,
                    "two or more", "a network that sees one image learns nothing");
}

ViewsMethod::Views ViewsMethod::views_of(const Tensor& rows) {
  const int64_t n = rows.size(0) / 2;
  return {slice(rows, 0, 0, n), slice(rows, 0, n, 2 * n)};
}

std::vector<LossTerm> ViewsMethod::terms_of(const Tensor& loss, const Tensor& z) const {
  const NoGrad watched;
  const Views v = views_of(z.detach());
  return {LossTerm{term_, loss, 1}, LossTerm{"alignment", losses::alignment(v.first, v.second), 0},
          LossTerm{"uniformity", losses::uniformity(v.first), 0},
          LossTerm{"spread", losses::spread(v.first), 0}};
}

std::vector<std::string> ViewsMethod::terms() const {
  return {term_, "alignment", "uniformity", "spread"};
}

std::vector<std::string> ViewsMethod::remarks(const std::map<std::string, double>& means) {
  const auto spread = means.find("spread");
  // Once, and not in the first epoch: a network that has learned nothing is like this.
  ++epochs_;
  if (told_ || epochs_ == 1 || spread == means.end() || !(spread->second < collapsed)) return {};
  told_ = true;
  return {"collapse: embeddings of different images fall together (spread " +
          format_fixed(spread->second, 3) +
          ", 1 is even); try a lower --lr, a larger --batch or more --augment"};
}

void views_defaults(const TrainConfig& c, const GiveDefault& give) {
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

void views_check(const TrainConfig& c) {
  if (c.growing) refuse_settings("method.growing with " + c.method, "a guided method");
  if (c.batch < 2)
    refuse_settings("train.batch " + std::to_string(c.batch) + " with " + c.method,
                    "two images or more", "the images of a batch are compared");
  if (c.patience > 0)
    refuse_settings("train.patience with " + c.method, "train.patience 0",
                    "without labels no score tells which epoch is best");
  if (c.augment == "none" && c.stain_augment <= 0 && c.hue <= 0 && c.gray_p <= 0)
    refuse_settings("input.augment none with " + c.method, "views, full, domains or light",
                    "two views without changes are one image twice");
}

}  // namespace cytograd
