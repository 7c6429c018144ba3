#include <doctest/doctest.h>

#include <limits>

#include "cytograd/models/mask_rcnn/roi_pool.h"
#include "detection/small_detector.h"

using namespace cytograd;
using namespace cytograd::test;
using detection::Box;
using models::Target;

namespace {

const float unknown_value = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("sizes after resizing") {
  models::DetectorInput input;
  CHECK(models::resized({480, 640}, 800, input) == Pair(800, 1066));
  CHECK(models::resized({500, 1000}, 800, input) == Pair(666, 1333));
  CHECK(models::resized({288, 288}, 576, input) == Pair(576, 576));
  CHECK(models::resized({288, 288}, 480, input) == Pair(480, 480));
  CHECK(models::resized({1, 3000}, 800, input) == Pair(1, 1333));
  input.float32_scale = true;
  CHECK(models::resized({288, 288}, 480, input) == Pair(479, 479));
  CHECK(models::resized({288, 288}, 600, input) == Pair(599, 599));
  CHECK(models::resized({288, 288}, 576, input) == Pair(576, 576));
}

TEST_CASE("a batch is normalised, resized and padded with the mean colour") {
  const models::DetectorInput input = small_detector().input;
  const std::vector<Tensor> images{noise(64, 64), noise(40, 50)};
  const models::ImageBatch batch =
      models::batch_images(images, {64, 64}, input, {}, Dtype::float32, {});
  CHECK(batch.sizes[0] == Pair(64, 64));
  CHECK(batch.sizes[1] == Pair(64, 80));
  CHECK(batch.originals[1] == Pair(40, 50));
  CHECK(batch.pixels.shape() == Shape{2, 64, 96, 3});
  const float first = batch.pixels.data<float>()[0], given = images[0].data<float>()[0];
  CHECK(first == doctest::Approx((given - 0.485) / 0.229));
  CHECK(slice(slice(batch.pixels, 0, 0, 1), 2, 64, 96).to_vector<float>() ==
        std::vector<float>(64 * 32 * 3, 0.f));
}

TEST_CASE("targets are resized with their image") {
  Target target = rectangles(40, 50, {{10, 10, 20, 30}});
  const Target out = models::resize_target(target, {40, 50}, {80, 150}, 2, 0);
  CHECK(out.boxes[0] == Box{30, 20, 60, 60});
  CHECK(out.masks.shape() == Shape{1, 80, 150});
  CHECK(sum(out.masks.to(Dtype::float32)).item() == 30 * 40);
}

TEST_CASE("the pyramid level of a region") {
  const auto level = [](float side) { return models::region_level({0, 0, side, side}); };
  CHECK(level(56) == 0);
  CHECK(level(111.9f) == 0);
  CHECK(level(112) == 1);
  CHECK(level(223.99f) == 1);
  CHECK(level(224) == 2);
  CHECK(level(447.99f) == 2);
  CHECK(level(448) == 3);
  CHECK(level(900) == 3);
  CHECK(level(1e6f) == 3);
  CHECK(models::region_level({0, 0, 100, 500}) == 1);
  CHECK(level(0) == 0);
  CHECK(level(unknown_value) == 0);
  CHECK(models::region_level({5, 5, 2, 9}) == 0);
}

TEST_CASE("regions keep their order and may be none") {
  std::vector<Tensor> levels;
  for (int64_t l = 0; l < 4; ++l)
    levels.push_back(
        Tensor::full({2, int64_t{128} >> l, int64_t{128} >> l, 3}, static_cast<double>(l + 1)));
  models::Regions regions;
  regions.add({0, 0, 300, 300}, 0);
  regions.add({0, 0, 20, 20}, 1);
  regions.add({10, 10, 130, 130}, 1);
  regions.add({unknown_value, 0, 30, 30}, 0);
  const std::vector<float> got = models::pool_regions(levels, regions, 1).to_vector<float>();
  CHECK(got == std::vector<float>{3, 3, 3, 1, 1, 1, 2, 2, 2, 0, 0, 0});
  CHECK(models::pool_regions(levels, {}, 7).shape() == Shape{0, 7, 7, 3});
  CHECK(models::pool_regions(levels, regions, 1, 2).to_vector<float>()[3] == 3);
  CHECK_THROWS_AS(models::pool_regions(levels, regions, 1, 4), ValueError);
}
