#include "bench/models/detector.h"

#include <algorithm>
#include <memory>

#include "bench/support/counted_detector.h"
#include "bench/support/device.h"
#include "cytograd/optim/sgd.h"

namespace cytograd::bench {
namespace {

constexpr int64_t kHeight = 480, kWidth = 640;
constexpr const char* kPrefix = "mask-rcnn-";

std::shared_ptr<models::MaskRcnn> make(const ModelSetting& s) {
  models::MaskRcnnOptions options;
  options.backbone = models::detector_backbone(s.model.substr(std::string(kPrefix).size()));
  options.trainable_layers = 3;
  options.input.min_size = {kHeight};
  options.input.max_size = kWidth;
  options.initialize = false;
  auto model = std::make_shared<models::MaskRcnn>(options);
  fill_counted(*model);
  model->train(s.train);
  model->to(device());
  return model;
}

// Two rows of four ellipses, 80 to 160 pixels wide.
models::Target objects() {
  std::vector<Ellipse> ellipses;
  models::Target out;
  for (int i = 0; i < 8; ++i) {
    const double ry = 40 + 10 * (i % 4), rx = 75 - 10 * (i % 4), y = 120 + 240 * (i / 4),
                 x = 80 + 160 * (i % 4);
    ellipses.push_back({y, x, ry, rx});
    out.boxes.push_back({static_cast<float>(x - rx), static_cast<float>(y - ry),
                         static_cast<float>(x + rx + 1), static_cast<float>(y + ry + 1)});
    out.labels.push_back(1);
  }
  out.masks = ellipse_masks(kHeight, kWidth, ellipses);
  return out;
}

std::function<void()> inference(const std::shared_ptr<models::MaskRcnn>& model,
                                std::vector<Tensor> images) {
  return [=, images = std::move(images)] {
    for (const models::Detections& found : model->detect(images))
      for (size_t i = 0; i < found.size(); ++i) (void)found.mask(i);
  };
}

std::function<void()> training_step(const std::shared_ptr<models::MaskRcnn>& model,
                                    std::vector<Tensor> images) {
  const std::vector<models::Target> targets(images.size(), objects());
  const auto sgd = std::make_shared<optim::Sgd>(model->named_parameters(),
                                                optim::SgdOptions{.lr = 1e-6, .momentum = 0.9});
  const auto step = std::make_shared<uint64_t>(0);
  return [=, images = std::move(images)] {
    model->losses(images, targets, {.seed = 1, .step = (*step)++}).total().backward();
    sgd->step();
    sgd->zero_grad();
  };
}

}  // namespace

std::vector<std::string> detector_names() {
  return {std::string(kPrefix) + "resnet18", std::string(kPrefix) + "resnet50"};
}

bool is_detector(const std::string& model) {
  const std::vector<std::string> names = detector_names();
  return std::find(names.begin(), names.end(), model) != names.end();
}

Work detector_work(const ModelSetting& s) {
  const std::shared_ptr<models::MaskRcnn> model = make(s);
  std::vector<Tensor> images;
  for (int64_t n = 0; n < s.batch; ++n)
    images.push_back(counted_image(static_cast<uint64_t>(n), kHeight, kWidth));
  const std::function<void()> run =
      s.train ? training_step(model, std::move(images)) : inference(model, std::move(images));
  return {[run] { in_precision(run); }};
}

}  // namespace cytograd::bench
