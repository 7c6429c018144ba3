#include "kernels/augment.h"

#include <algorithm>
#include <cstring>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "data/raw_parts.h"
#include "kernels/pixel.h"

namespace cytograd {

using kernels::ImageChange;

RawPart raw_part(const Image& image, const Sample& sample, const Preprocess& preprocess,
                 const Augmentation& augmentation, Rng rng) {
  const PlannedChange plan = plan_change(image, sample, preprocess, augmentation, rng);
  return {crop(image, plan.region), plan.change};
}

RawImages join_parts(const std::vector<RawPart>& parts, const Preprocess& preprocess) {
  // Pixels begin at multiples of 16 bytes, so that copies need not begin in the middle of words.
  constexpr size_t step = 16;
  size_t bytes = 0;
  for (const RawPart& part : parts) bytes += (part.pixels.pixels.size() + step - 1) / step * step;
  RawImages out;
  out.count = static_cast<int64_t>(parts.size());
  out.preprocess = preprocess;
  out.pixels = Tensor::empty({static_cast<int64_t>(bytes)}, Dtype::uint8);
  out.changes =
      Tensor::empty({out.count * static_cast<int64_t>(sizeof(ImageChange))}, Dtype::uint8);
  size_t at = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    ImageChange change = parts[i].change;
    change.offset = static_cast<int64_t>(at);
    std::memcpy(out.changes.data<uint8_t>() + i * sizeof(change), &change, sizeof(change));
    const auto& pixels = parts[i].pixels.pixels;
    std::copy(pixels.begin(), pixels.end(), out.pixels.data<uint8_t>() + at);
    at += (pixels.size() + step - 1) / step * step;
    out.widest = std::max<int64_t>(out.widest, change.wide);
    for (const int32_t side : {change.height, change.width})
      out.taps = std::max(out.taps, pixel::most_taps(side, change.wide));
  }
  return out;
}

void prepare(const RawImages& raw, const Tensor& out) {
  constexpr const char* op = "prepare";
  const int64_t size = raw.preprocess.size;
  check<ShapeError>(out.shape() == Shape{raw.count, size, size, 3}, op, "out expects ",
                    Shape{raw.count, size, size, 3}, ", got ", out.shape());
  check<DtypeError>(out.dtype() == Dtype::float32, op, "out expects float32, got ", out.dtype());
  check<ValueError>(out.is_contiguous(), op, "out expects packed memory");
  for (const Tensor* t : {&raw.pixels, &raw.changes})
    check<DeviceError>(t->device() == out.device(), op, "expects one device, got ", t->device(),
                       " and ", out.device());
  kernels::AugmentSizes sizes = augment_sizes(raw.preprocess);
  sizes.widest = static_cast<int32_t>(raw.widest);
  sizes.taps = static_cast<int32_t>(raw.taps);
  on_device(out, [&](auto ctx) { kernels::augment(ctx, raw.pixels, raw.changes, sizes, out); });
  out.storage()->bump_version();
}

void kernels::augment(CpuContext, const Tensor& pixels, const Tensor& changes,
                      const AugmentSizes& sizes, const Tensor& out) {
  const int64_t values = int64_t{3} * sizes.size * sizes.size;
  parallel_for(out.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      ImageChange change;
      std::memcpy(&change, changes.data<uint8_t>() + static_cast<size_t>(i) * sizeof(change),
                  sizeof(change));
      Image image(change.height, change.width, change.channels);
      std::copy_n(pixels.data<uint8_t>() + change.offset, image.pixels.size(), image.pixels.data());
      resample::Planes planes;
      make_planes(image, {0, 0, image.height, image.width}, change, sizes.size, planes);
      write_normalised(planes, change, sizes.scale, sizes.shift, out.data<float>() + i * values);
    }
  });
}

}  // namespace cytograd
