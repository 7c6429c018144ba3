#include "cytograd/train/cell_features.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/error.h"
#include "cytograd/data/transform.h"
#include "cytograd/detection/instance.h"
#include "cytograd/detection/mask_piece.h"
#include "cytograd/ops/upsample.h"
#include "cytograd/train/detector.h"

namespace cytograd {
namespace {

using detection::BinaryMask;

BinaryMask filled(int64_t height, int64_t width, const detection::Box& given) {
  BinaryMask out{height, width, std::vector<uint8_t>(static_cast<size_t>(height * width), 0)};
  const detection::Box box = detection::clip(given, height, width);
  for (int64_t y = std::llround(box.y1); y < std::llround(box.y2); ++y)
    for (int64_t x = std::llround(box.x1); x < std::llround(box.x2); ++x)
      out.values[static_cast<size_t>(y * width + x)] = 1;
  return out;
}

// The largest part of the pasted mask, without holes; empty if it has no pixel.
BinaryMask instance_mask(const models::Detections& found, size_t i) {
  const detection::MaskPiece piece = detection::piece_of(found.mask(i));
  BinaryMask out{found.height, found.width,
                 std::vector<uint8_t>(static_cast<size_t>(found.height * found.width), 0)};
  for (int64_t y = 0; y < piece.height; ++y)
    std::copy_n(piece.values.data() + y * piece.width, piece.width,
                out.values.data() + (piece.y + y) * out.width + piece.x);
  if (!piece.empty()) {
    detection::keep_largest_part(out);
    detection::fill_holes(out);
  }
  return out;
}

// The rows and columns of the reconstruction target.
Region target_region(const detection::Box& box, int64_t height, int64_t width) {
  const auto range = [](float low, float high, int64_t limit) {
    const int64_t begin =
        std::clamp<int64_t>(static_cast<int64_t>(std::floor(low)) - 10, 0, limit - 1);
    const int64_t end =
        std::clamp<int64_t>(static_cast<int64_t>(std::floor(high)) + 20, begin + 1, limit);
    return std::pair<int64_t, int64_t>(begin, end - begin);
  };
  const auto rows = range(box.y1, box.y2, height), columns = range(box.x1, box.x2, width);
  return {rows.first, columns.first, rows.second, columns.second};
}

// Maximum over a square of 2 radius + 1 pixels, along one axis after the other.
std::vector<float> dilated(const std::vector<float>& in, int64_t height, int64_t width,
                           int64_t radius) {
  std::vector<float> rows(in.size()), out(in.size());
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) {
      const auto from = in.begin() + y * width;
      rows[static_cast<size_t>(y * width + x)] = *std::max_element(
          from + std::max<int64_t>(x - radius, 0), from + std::min(x + radius + 1, width));
    }
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) {
      float most = 0;
      for (int64_t k = std::max<int64_t>(y - radius, 0); k <= std::min(y + radius, height - 1); ++k)
        most = std::max(most, rows[static_cast<size_t>(k * width + x)]);
      out[static_cast<size_t>(y * width + x)] = most;
    }
  return out;
}

// Gaussian of 11 x 11 on a square, borders by reflection without the edge pixel.
std::vector<float> blurred(const std::vector<float>& in, int64_t side, double sigma) {
  constexpr int64_t radius = 5;
  std::array<double, 2 * radius + 1> weights{};
  double sum = 0;
  for (int64_t k = -radius; k <= radius; ++k)
    sum += weights[static_cast<size_t>(k + radius)] =
        std::exp(-static_cast<double>(k * k) / (2 * sigma * sigma));
  const auto inside = [side](int64_t i) {
    while (i < 0 || i >= side) i = i < 0 ? -i : 2 * side - 2 - i;
    return i;
  };
  std::vector<float> rows(in.size()), out(in.size());
  const auto pass = [&](const std::vector<float>& from, std::vector<float>& to, bool along_x) {
    for (int64_t y = 0; y < side; ++y)
      for (int64_t x = 0; x < side; ++x) {
        double value = 0;
        for (int64_t k = -radius; k <= radius; ++k) {
          const int64_t place = along_x ? y * side + inside(x + k) : inside(y + k) * side + x;
          value += weights[static_cast<size_t>(k + radius)] * from[static_cast<size_t>(place)];
        }
        to[static_cast<size_t>(y * side + x)] = static_cast<float>(value / sum);
      }
  };
  pass(in, rows, true);
  pass(rows, out, false);
  return out;
}

std::vector<float> resized_to(const std::vector<float>& values, int64_t height, int64_t width,
                              int64_t channels, int64_t side) {
  const Tensor x = Tensor::from(values, {1, height, width, channels});
  return upsample_bilinear(x, side, side).to_vector<float>();
}

void add_targets(const Image& image, const BinaryMask& mask, const CellFeatureOptions& options,
                 CellFeatures& out) {
  const Region window = target_region(out.box, image.height, image.width);
  const Image seen = crop(image, window);
  std::vector<float> pixels;
  for (const uint8_t v : seen.pixels) pixels.push_back(static_cast<float>(v) / 255.f);
  out.crop = resized_to(pixels, window.height, window.width, 3, options.target);
  std::vector<float> part;
  for (int64_t y = window.y; y < window.y + window.height; ++y)
    for (int64_t x = window.x; x < window.x + window.width; ++x)
      part.push_back(mask.values[static_cast<size_t>(y * mask.width + x)] != 0 ? 1.f : 0.f);
  if (!options.hard) {
    part = dilated(part, window.height, window.width, options.dilate);
    out.mask = blurred(resized_to(part, window.height, window.width, 1, options.target),
                       options.target, options.blur_sigma);
    return;
  }
  for (int64_t i = 0; i < options.target; ++i)
    for (int64_t j = 0; j < options.target; ++j)
      out.mask.push_back(part[static_cast<size_t>(
          i * window.height / options.target * window.width + j * window.width / options.target)]);
}

void add_features(const models::MaskRcnn& model, const Tensor& pixels,
                  const CellFeatureOptions& options, CellFeatures& out) {
  const std::vector<std::vector<detection::Box>> boxes(1, std::vector<detection::Box>{out.box});
  const Tensor h = model.region_features({pixels}, boxes, options.level).to(Device::cpu());
  out.cells = h.size(1);
  out.channels = h.size(3);
  out.h = h.to_vector<float>();
  const auto ends = std::minmax_element(out.h.begin(), out.h.end());
  out.h_min = *ends.first;
  out.h_max = *ends.second;
  out.flat_features = !(out.h_max > out.h_min);
  const float span = out.h_max - out.h_min, low = out.h_min;
  for (float& v : out.h) v = out.flat_features ? 0.f : 2 * (v - low) / span - 1;
  const Pair original(pixels.size(0), pixels.size(1));
  const models::DetectorInput& input = model.options().input;
  const Pair size = models::resized(original, input.min_size.back(), input);
  out.level = options.level >= 0
                  ? options.level
                  : models::region_level(detection::scaled(
                        out.box, static_cast<float>(size.w) / static_cast<float>(original.w),
                        static_cast<float>(size.h) / static_cast<float>(original.h)));
}

}  // namespace

CellFeatures describe_cell(const models::MaskRcnn& model, const Image& image,
                           const CellFeatureOptions& options, const std::string& name) {
  check<ValueError>(options.level >= -1 && options.level <= 3, "describe_cell",
                    "level expects -1..3, got ", options.level);
  check<ValueError>(options.target >= 2, "describe_cell", "target expects >= 2, got ",
                    options.target);
  check<StateError>(model.options().masks, "describe_cell", "the model has no mask branch");
  const NoGrad no_grad;
  const Tensor pixels = pixels_of(image);
  const models::Detections found = std::move(model.detect({pixels}, {name}).front());
  const auto least = static_cast<float>(options.score);
  const auto chosen =
      detection::choose_instance(found.boxes, found.scores, least, image.height, image.width);
  CellFeatures out;
  BinaryMask mask;
  if (chosen) {
    out.box = found.boxes[*chosen];
    out.score = found.scores[*chosen];
    out.label = found.labels[*chosen];
    out.others = std::count_if(found.scores.begin(), found.scores.end(),
                               [least](float score) { return score >= least; }) -
                 1;
    if (model.options().has_outline(out.label)) mask = instance_mask(found, *chosen);
    out.empty_mask =
        std::all_of(mask.values.begin(), mask.values.end(), [](uint8_t v) { return v == 0; });
    if (out.empty_mask) mask = filled(image.height, image.width, out.box);
  } else {
    out.undetected = true;
    const auto h = static_cast<float>(image.height), w = static_cast<float>(image.width);
    out.box = {w / 8, h / 8, w - w / 8, h - h / 8};
    mask = filled(image.height, image.width, {0, 0, w, h});
  }
  add_features(model, pixels, options, out);
  add_targets(image, mask, options, out);
  return out;
}

Image crop_about(const Image& field, int64_t side, detection::Box& box) {
  check<ValueError>(side >= 1, "crop_about", "side expects >= 1, got ", side);
  const int64_t h = std::min(side, field.height), w = std::min(side, field.width);
  const auto place = [](float centre, int64_t part, int64_t limit) {
    return std::clamp<int64_t>(std::llround(centre - static_cast<float>(part) / 2), 0,
                               limit - part);
  };
  const Region window{place((box.y1 + box.y2) / 2, h, field.height),
                      place((box.x1 + box.x2) / 2, w, field.width), h, w};
  const auto x = static_cast<float>(window.x), y = static_cast<float>(window.y);
  box = {box.x1 - x, box.y1 - y, box.x2 - x, box.y2 - y};
  return crop(field, window);
}

}  // namespace cytograd
