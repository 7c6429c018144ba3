#include "kernels/augment.h"

#include <doctest/doctest.h>

#include <cmath>

#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"
#include "data/raw_parts.h"

using namespace cytograd;

namespace {

// Larger and smaller than the output, grey, thin; smooth enough that rounding stays rounding.
std::vector<Image> pictures() {
  std::vector<Image> out = {Image(23, 31, 3), Image(8, 8, 3),  Image(60, 41, 3),
                            Image(19, 19, 1), Image(5, 40, 3), Image(1, 1, 3)};
  Rng rng(4, "pictures");
  for (Image& image : out)
    for (int64_t y = 0; y < image.height; ++y)
      for (int64_t x = 0; x < image.width; ++x)
        for (int64_t c = 0; c < image.channels; ++c)
          image.at(y, x)[c] = static_cast<uint8_t>(
              120 + 60 * std::sin(0.3 * static_cast<double>(y + c)) +
              40 * std::cos(0.2 * static_cast<double>(x) + static_cast<double>(c)) +
              rng.uniform(-20, 20));
  return out;
}

Augmentation strong() {
  Augmentation a = Augmentation::full();
  a.blur = a.gray = 0.5;
  a.blur_sigma = 2.5;
  return a;
}

}  // namespace

TEST_CASE("augmented images on a device are those of the CPU up to rounding") {
  const std::vector<Image> images = pictures();
  Preprocess pre;
  Sample boxed;
  boxed.box = Box{1, 2, 9, 7};
  for (const int64_t size : {1, 13, 16})
    for (const Augmentation& a : {Augmentation{}, Augmentation::light(), strong()})
      for (const Sample& sample : {Sample{}, boxed}) {
        INFO("size ", size, " blur ", a.blur, " rotate ", a.rotate, " box ",
             sample.box.has_value());
        pre.size = size;
        const auto n = static_cast<int64_t>(images.size());
        const Tensor expected = Tensor::empty({n, size, size, 3});
        std::vector<RawPart> parts;
        for (size_t i = 0; i < images.size(); ++i) {
          const Rng rng(7, "augment", 1, i);
          prepare(images[i], sample, pre, a, rng,
                  expected.data<float>() + static_cast<int64_t>(i) * size * size * 3);
          parts.push_back(raw_part(images[i], sample, pre, a, rng));
        }
        RawImages raw = join_parts(parts, pre);
        const Tensor host = Tensor::empty_like(expected);
        prepare(raw, host);
        CHECK(host.to_vector<float>() == expected.to_vector<float>());  // the same bits
        raw.pixels = raw.pixels.to(Device::cuda());
        raw.changes = raw.changes.to(Device::cuda());
        const Tensor device = Tensor::full(expected.shape(), 7, Dtype::float32, Device::cuda());
        prepare(raw, device);
        const auto x = device.to_vector<float>(), y = expected.to_vector<float>();
        float worst = 0;
        int64_t wrong = 0;  // NaN counts
        for (size_t i = 0; i < x.size(); ++i) {
          wrong += !(std::abs(x[i] - y[i]) <= 2e-4f);  // a hundredth of a step of a byte
          worst = std::max(worst, std::abs(x[i] - y[i]));
        }
        CHECK_MESSAGE(wrong == 0, "largest difference ", worst);
        const Tensor again = Tensor::empty_like(device);
        prepare(raw, again);
        CHECK(again.to_vector<float>() == x);
      }
}

TEST_CASE("images moved to another stain on a device are those of the CPU up to rounding") {
  const std::vector<Image> images = pictures();
  Preprocess pre;
  pre.size = 16;
  pre.stain_target = builtin_stain();
  for (const StainMethod stain : {StainMethod::reinhard, StainMethod::macenko})
    for (const Augmentation& a : {Augmentation{}, strong()}) {
      pre.stain = stain;
      std::vector<RawPart> parts;
      int moved = 0;
      for (size_t i = 0; i < images.size(); ++i) {
        parts.push_back(raw_part(images[i], {}, pre, a, Rng(7, "augment", 1, i)));
        moved += parts.back().change.normal != kernels::ImageChange::as_is;
      }
      CHECK(moved >= 3);
      RawImages raw = join_parts(parts, pre);
      const Tensor host = Tensor::empty({raw.count, 16, 16, 3});
      prepare(raw, host);
      raw.pixels = raw.pixels.to(Device::cuda());
      raw.changes = raw.changes.to(Device::cuda());
      const Tensor device = Tensor::full(host.shape(), 7, Dtype::float32, Device::cuda());
      prepare(raw, device);
      const auto x = device.to_vector<float>(), y = host.to_vector<float>();
      int64_t wrong = 0;
      for (size_t i = 0; i < x.size(); ++i) wrong += !(std::abs(x[i] - y[i]) <= 4e-4f);
      CHECK(wrong == 0);
    }
}

TEST_CASE("preparing a batch checks where it goes") {
  Preprocess pre;
  pre.size = 4;
  const RawImages raw = join_parts({raw_part(Image(3, 3, 3), {}, pre, {}, Rng(1))}, pre);
  CHECK_THROWS_AS(prepare(raw, Tensor::empty({1, 4, 5, 3})), ShapeError);
  CHECK_THROWS_AS(prepare(raw, Tensor::empty({1, 4, 4, 3}, Dtype::float64)), DtypeError);
  CHECK_THROWS_AS(prepare(raw, Tensor::empty({1, 4, 4, 3}, Dtype::float32, Device::cuda())),
                  DeviceError);
}
