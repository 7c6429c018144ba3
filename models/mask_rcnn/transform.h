#pragma once

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/pair.h"
#include "cytograd/core/random.h"
#include "cytograd/detection/boxes.h"
#include "cytograd/detection/masks.h"
#include "cytograd/models/mask_rcnn/options.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/ops/shape.h"
#include "cytograd/ops/upsample.h"

/// @file
/// From images of any sizes to one batch, and of their annotations with them.

namespace cytograd::models {

/// What is known of one image. Boxes are in its pixels (detection/boxes.h).
struct Target {
  std::vector<detection::Box> boxes;
  std::vector<int64_t> labels;  ///< 1..classes-1, one per box
  Tensor masks;                 ///< [G, H, W], uint8 0 or 1, host; undefined: boxes only
  /// One per box: does it have a mask? The others train the box head alone. Empty: all have, if
  /// `masks` is defined. A mask may be empty or disagree with its box.
  std::vector<uint8_t> has_mask;
  std::string name;  ///< for messages: the file

  bool masked(size_t i) const { return masks.defined() && (has_mask.empty() || has_mask[i] != 0); }
};

/// Images of one step. `pixels` [N, H, W, 3] is padded with zeros, the mean colour, below and to
/// the right.
struct ImageBatch {
  Tensor pixels;
  std::vector<Pair> sizes;      ///< of each image in `pixels`
  std::vector<Pair> originals;  ///< of each image as given
  Pair padded() const { return {pixels.size(1), pixels.size(2)}; }
};

/// Height and width after resizing: both times the largest scale that keeps the shorter side within
/// `min_size` and the longer within `max_size`, rounded down, at least 1.
inline Pair resized(Pair size, int64_t min_size, const DetectorInput& input) {
  const int64_t shorter = std::min(size.h, size.w), longer = std::max(size.h, size.w);
  double scale = std::min(static_cast<double>(min_size) / static_cast<double>(shorter),
                          static_cast<double>(input.max_size) / static_cast<double>(longer));
  if (input.float32_scale) {
    const auto times = [](int64_t side, int64_t of) {
      return 1.f / static_cast<float>(of) * static_cast<float>(side);
    };
    scale = static_cast<double>(std::min(times(min_size, shorter), times(input.max_size, longer)));
  }
  const auto side = [scale](int64_t n) {
    return std::max<int64_t>(1, static_cast<int64_t>(std::floor(static_cast<double>(n) * scale)));
  };
  return {side(size.h), side(size.w)};
}

namespace detail {

inline std::string image_name(size_t n, const std::string& name) {
  return "image " + std::to_string(n) + (name.empty() ? "" : " (" + escape_control(name) + ")");
}

/// [H, W, C] with C 1, 3 or 4 as [H, W, 3]: grey is repeated, a fourth channel (alpha) left out.
inline Tensor three_channels(const Tensor& image, const std::string& name) {
  check<ShapeError>(
      image.defined() && image.ndim() == 3 && image.size(0) >= 1 && image.size(1) >= 1, "mask_rcnn",
      name, " expects [H, W, C]", image.defined() ? " with pixels" : ", is undefined");
  check<DtypeError>(image.dtype() == Dtype::float32 || image.dtype() == Dtype::float64, "mask_rcnn",
                    name, " expects float32 or float64, got ", image.dtype());
  const int64_t channels = image.size(2);
  check<ShapeError>(channels == 1 || channels == 3 || channels == 4, "mask_rcnn", name,
                    " expects 1, 3 or 4 channels, got ", channels);
  if (channels == 1) return expand(image, {image.size(0), image.size(1), 3});
  return channels == 4 ? slice(image, 2, 0, 3) : image;
}

/// Normalised and resized: [H', W', 3].
inline Tensor prepared(const Tensor& given, Pair size, const DetectorInput& input, Dtype dtype,
                       Device device, const std::string& name) {
  const Tensor x = three_channels(given.detach(), name).contiguous().to(device).to(dtype);
  // 0 x is NaN for NaN and infinite values alone.
  if (!(sum(x * 0.0).item() == 0))
    throw DataError({.id = "img.corrupt",
                     .file = name,
                     .place = "pixels",
                     .found = "values that are not finite",
                     .expected = "0..1",
                     .hint = ""});
  const auto channels = [&](const std::vector<double>& v) {
    return Tensor::from(v).to(dtype).to(device);
  };
  const Tensor normal = (x - channels(input.mean)) / channels(input.std);
  if (normal.size(0) == size.h && normal.size(1) == size.w) return normal;
  return squeeze(upsample_bilinear(unsqueeze(normal, 0), size.h, size.w), 0);
}

}  // namespace detail

/// Normalises (x - mean) / std, resizes bilinearly (half-pixel centres, no smoothing) and batches.
/// @param images    [H, W, C] in 0..1, any device; C = 1 is repeated, of 4 the last is left out
/// @param min_size  one per image   @param names  for messages; may be empty
/// @throws ShapeError, DtypeError; ValueError for no images; DataError `img.corrupt` naming an
/// image with values that are not finite
inline ImageBatch batch_images(const std::vector<Tensor>& images,
                               const std::vector<int64_t>& min_size, const DetectorInput& input,
                               const std::vector<std::string>& names, Dtype dtype, Device device) {
  check<ValueError>(!images.empty(), "mask_rcnn", "expects at least one image");
  check<ValueError>(names.empty() || names.size() == images.size(), "mask_rcnn",
                    "expects a name for each of ", images.size(), " images, got ", names.size());
  const NoGrad no_grad;
  ImageBatch out;
  Tensors prepared;
  Pair largest(1, 1);
  for (size_t n = 0; n < images.size(); ++n) {
    const std::string name = detail::image_name(n, names.empty() ? "" : names[n]);
    detail::three_channels(images[n], name);
    const Pair original(images[n].size(0), images[n].size(1));
    const Pair size = resized(original, min_size[n], input);
    prepared.push_back(detail::prepared(images[n], size, input, dtype, device, name));
    out.originals.push_back(original);
    out.sizes.push_back(size);
    largest = {std::max(largest.h, size.h), std::max(largest.w, size.w)};
  }
  const auto rounded = [&input](int64_t n) {
    return (n + input.multiple - 1) / input.multiple * input.multiple;
  };
  out.pixels = Tensor::zeros(
      {static_cast<int64_t>(images.size()), rounded(largest.h), rounded(largest.w), 3}, dtype,
      device);
  for (size_t n = 0; n < images.size(); ++n) {
    const Tensor place =
        squeeze(slice(out.pixels, 0, static_cast<int64_t>(n), static_cast<int64_t>(n) + 1), 0);
    slice(slice(place, 0, 0, out.sizes[n].h), 1, 0, out.sizes[n].w).copy_(prepared[n]);
  }
  return out;
}

/// The shorter sides of a step's images: the last of `input.min_size`, or in training one drawn for
/// each image.
inline std::vector<int64_t> choose_min_sizes(size_t images, const DetectorInput& input,
                                             const TrainStep* step) {
  std::vector<int64_t> out(images, input.min_size.back());
  if (!step || input.min_size.size() == 1) return out;
  for (size_t n = 0; n < images; ++n) {
    Rng rng(step->seed, "mask_rcnn/min_size", step->step, n);
    out[n] =
        input.min_size[static_cast<size_t>(rng.below(static_cast<int64_t>(input.min_size.size())))];
  }
  return out;
}

/// A target in the pixels of the resized image: boxes by the two ratios of sides, masks by nearest
/// neighbour.
/// @throws DataError `box.degenerate` for a box without area or with coordinates that are not
/// finite, and `mask.size`; ValueError for labels outside 1..classes-1 or counts that differ
inline Target resize_target(const Target& target, Pair original, Pair size, int64_t classes,
                            size_t n) {
  const std::string name = detail::image_name(n, target.name);
  const size_t count = target.boxes.size();
  check<ValueError>(target.labels.size() == count, "mask_rcnn", name,
                    ": expects a label for each of ", count, " boxes, got ", target.labels.size());
  check<ValueError>(target.has_mask.empty() || target.has_mask.size() == count, "mask_rcnn", name,
                    ": has_mask expects ", count, " entries, got ", target.has_mask.size());
  Target out = target;
  const float x = static_cast<float>(size.w) / static_cast<float>(original.w),
              y = static_cast<float>(size.h) / static_cast<float>(original.h);
  for (size_t i = 0; i < count; ++i) {
    detection::Box& box = out.boxes[i];
    box = detection::scaled(box, x, y);
    if (!detection::finite(box) || !(box.x2 > box.x1 && box.y2 > box.y1)) {
      std::ostringstream found;
      found << target.boxes[i];
      throw DataError({.id = "box.degenerate",
                       .file = name,
                       .place = "object " + std::to_string(i),
                       .found = "box " + found.str(),
                       .expected = "x2 > x1 and y2 > y1",
                       .hint = "drop such objects before training"});
    }
    check<ValueError>(target.labels[i] >= 1 && target.labels[i] < classes, "mask_rcnn", name,
                      ": label ", target.labels[i], " of object ", i, " is not in 1..",
                      classes - 1);
  }
  if (!target.masks.defined()) return out;
  const Shape expected{static_cast<int64_t>(count), original.h, original.w};
  if (!(target.masks.shape() == expected)) {
    std::ostringstream found, wanted;
    found << target.masks.shape();
    wanted << expected;
    throw DataError({.id = "mask.size",
                     .file = name,
                     .place = "masks",
                     .found = found.str(),
                     .expected = wanted.str(),
                     .hint = ""});
  }
  if (!(original == size)) out.masks = detection::resize_masks(target.masks, size.h, size.w);
  return out;
}

}  // namespace cytograd::models
