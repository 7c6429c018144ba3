#include "cytograd/detection/masks.h"

#include <algorithm>
#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"

namespace cytograd::detection {
namespace {

// Whole pixels that a grown box covers along one axis, and the part of them inside the image.
struct Span {
  int64_t first, count;  // first pixel and how many, the image's border not minded
  int64_t begin, end;    // pixels inside the image

  Span(float low, float high, float growth, int64_t limit) {
    const float half = (high - low) * 0.5f * growth, centre = (high + low) * 0.5f;
    first = whole(centre - half);
    const int64_t last = whole(centre + half);
    count = std::max<int64_t>(last - first + 1, 1);
    begin = std::max<int64_t>(first, 0);
    end = std::min(last + 1, limit);
  }
  bool empty() const { return begin >= end; }

 private:
  // Towards 0; far beyond any image it does not matter how far.
  static int64_t whole(float v) {
    constexpr float most = 1e9f;
    return static_cast<int64_t>(std::clamp(v, -most, most));
  }
};

// Where pixel i of `out` reads a row of `in` values.
struct Read {
  int64_t low, high;
  float weight;  // of high
  Read(int64_t i, int64_t in, int64_t out) {
    const double at = std::max(
        static_cast<double>(in) / static_cast<double>(out) * (static_cast<double>(i) + 0.5) - 0.5,
        0.0);
    low = std::min(static_cast<int64_t>(at), in - 1);
    high = std::min(low + 1, in - 1);
    weight = static_cast<float>(at - static_cast<double>(low));
  }
};

std::vector<Read> reads(const Span& span, int64_t in) {
  std::vector<Read> out;
  for (int64_t i = span.begin; i < span.end; ++i) out.emplace_back(i - span.first, in, span.count);
  return out;
}

}  // namespace

PastedMask paste_mask(std::span<const float> probabilities, int64_t side, const Box& box,
                      int64_t height, int64_t width) {
  constexpr const char* op = "paste_mask";
  check<ValueError>(side >= 1 && static_cast<int64_t>(probabilities.size()) == side * side, op,
                    "expects side * side values, got ", probabilities.size(), " for side ", side);
  check<ValueError>(height >= 0 && width >= 0, op, "an image expects sizes >= 0, got ", height,
                    " x ", width);
  PastedMask out;
  if (!finite(box)) return out;
  const float growth = static_cast<float>(side + 2) / static_cast<float>(side);
  const Span rows(box.y1, box.y2, growth, height), columns(box.x1, box.x2, growth, width);
  if (rows.empty() || columns.empty()) return out;

  // With its rim of zeros.
  const int64_t padded = side + 2;
  std::vector<float> square(static_cast<size_t>(padded * padded), 0.f);
  for (int64_t i = 0; i < side; ++i)
    std::copy_n(probabilities.begin() + i * side, side, square.begin() + (i + 1) * padded + 1);

  out.x = columns.begin;
  out.y = rows.begin;
  out.width = columns.end - columns.begin;
  out.height = rows.end - rows.begin;
  out.values.reserve(static_cast<size_t>(out.width * out.height));
  const std::vector<Read> across = reads(columns, padded);
  for (const Read& r : reads(rows, padded)) {
    const float *top = square.data() + r.low * padded, *bottom = square.data() + r.high * padded;
    for (const Read& c : across) {
      const float above = (1 - c.weight) * top[c.low] + c.weight * top[c.high],
                  below = (1 - c.weight) * bottom[c.low] + c.weight * bottom[c.high];
      out.values.push_back((1 - r.weight) * above + r.weight * below);
    }
  }
  return out;
}

Tensor resize_masks(const Tensor& masks, int64_t height, int64_t width) {
  constexpr const char* op = "resize_masks";
  check<ShapeError>(masks.ndim() == 3, op, "expects [G, H, W], got ", masks.shape());
  check<DtypeError>(masks.dtype() == Dtype::uint8, op, "expects uint8, got ", masks.dtype());
  check<ValueError>(height >= 1 && width >= 1 && masks.size(1) >= 1 && masks.size(2) >= 1, op,
                    "expects pixels, got ", masks.shape(), " to ", height, " x ", width);
  const Tensor from = masks.to(Device::cpu()).contiguous();
  const int64_t h = from.size(1), w = from.size(2);
  const Tensor out = Tensor::empty({from.size(0), height, width}, Dtype::uint8);
  std::vector<int64_t> columns(static_cast<size_t>(width));
  for (int64_t j = 0; j < width; ++j) columns[static_cast<size_t>(j)] = j * w / width;
  parallel_for(from.size(0) * height, 64, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t g = row / height, i = row % height;
      const uint8_t* source = from.data<uint8_t>() + (g * h + i * h / height) * w;
      uint8_t* to = out.data<uint8_t>() + row * width;
      for (int64_t j = 0; j < width; ++j) to[j] = source[columns[static_cast<size_t>(j)]];
    }
  });
  return out;
}

}  // namespace cytograd::detection
