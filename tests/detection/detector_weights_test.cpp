#include "cytograd/models/mask_rcnn/weights.h"

#include <doctest/doctest.h>

#include "detection/small_detector.h"

using namespace cytograd;
using namespace cytograd::test;

TEST_CASE("parameters that are trained, by the number of layers") {
  const int64_t expected[] = {20467483, 35409691, 42487579, 43699995, 43912987, 43922395};
  for (int k = 0; k <= 5; ++k) {
    models::MaskRcnnOptions options;
    options.trainable_layers = k;
    options.initialize = false;
    const models::MaskRcnn model(options);
    int64_t trained = 0;
    for (const auto& [name, parameter] : model.named_parameters())
      trained += parameter.requires_grad() ? parameter.numel() : 0;
    CHECK(trained == expected[k]);
  }
  models::MaskRcnnOptions coco;
  coco.classes = 91;
  coco.initialize = false;
  CHECK(models::MaskRcnn(coco).parameter_count() == 44401393);
}

TEST_CASE("frozen normalisation") {
  nn::FrozenBatchNorm2d norm(1);
  norm.weight.fill_(1.5);
  norm.bias.fill_(0.2);
  norm.running_mean.fill_(0.3);
  norm.running_var.fill_(4e-4);
  const Tensor x = Tensor::full({1, 1, 1, 1}, 0.35);
  CHECK(norm.forward(x).item() == doctest::Approx(3.903986).epsilon(1e-5));
  norm.eps = 0;
  CHECK(norm.forward(x).item() == doctest::Approx(3.95).epsilon(1e-5));
  CHECK(norm.named_parameters().empty());
  CHECK(norm.named_buffers().size() == 4);
}

TEST_CASE("state dicts of other names, classes and kinds") {
  const models::MaskRcnn model(small_detector());
  nn::NamedTensors state = nn::to_torch_layout(model.state_dict());
  for (auto& entry : state) {
    std::string& name = entry.first;
    const auto replace = [&name](const std::string& now, const std::string& old) {
      const size_t at = name.find(now);
      if (at != std::string::npos) name.replace(at, now.size(), old);
    };
    replace("rpn.head.conv.0.0.", "rpn.head.conv.");
    for (const std::string i : {"0", "1", "2", "3"}) {
      replace("inner_blocks." + i + ".0.", "inner_blocks." + i + ".");
      replace("layer_blocks." + i + ".0.", "layer_blocks." + i + ".");
      replace("mask_head." + i + ".0.",
              "mask_head.mask_fcn" + std::to_string(std::stoi(i) + 1) + ".");
    }
  }
  models::MaskRcnnOptions options = small_detector();
  options.seed = 8;
  const models::MaskRcnn other(options);
  models::load_detector(other, state);
  check_same(model.detect({noise(64, 64)})[0], other.detect({noise(64, 64)})[0]);

  options.classes = 4;
  const models::MaskRcnn classes(options);
  CHECK_THROWS_AS(models::load_detector(classes, state), DataError);
  const auto report = models::load_detector(classes, state, {.keep_predictors = true});
  CHECK(report.missing.size() == 6);

  options.classes = 2;
  options.masks = false;
  models::load_detector(models::MaskRcnn(options), state);  // what it has

  const models::ResNet classifier(models::resnet18, {.classes = 7, .seed = 5});
  models::load_backbone(model, nn::to_torch_layout(classifier.state_dict()));
  CHECK(model.backbone().body().state_dict()[0].second.to_vector<float>() ==
        classifier.state_dict()[0].second.to_vector<float>());
}

TEST_CASE("what a weight file says of the model") {
  models::MaskRcnnOptions options = small_detector();
  options.norm_eps = 0;
  const auto metadata = models::detector_metadata(options);
  CHECK(metadata.at("backbone") == "resnet18");
  CHECK(metadata.at("norm_eps") == "0");
  CHECK(metadata.at("model") == "mask_rcnn");
  CHECK(models::detector_backbone("resnet34").blocks == models::resnet34.blocks);
  CHECK_THROWS_AS(models::detector_backbone("vgg"), ValueError);
}
