#include "cytograd/detection/rle.h"

#include <algorithm>
#include <limits>

#include "cytograd/core/error.h"

namespace cytograd::detection {
namespace {

int64_t pixels_of(const char* op, int64_t height, int64_t width) {
  check<ValueError>(height >= 0 && width >= 0 &&
                        (height == 0 || width <= std::numeric_limits<uint32_t>::max() / height),
                    op, "expects an image of less than 2^32 pixels, got ", height, " x ", width);
  return height * width;
}

}  // namespace

Rle encode_mask(std::span<const uint8_t> mask, int64_t height, int64_t width) {
  const int64_t pixels = pixels_of("encode_mask", height, width);
  check<ValueError>(static_cast<int64_t>(mask.size()) == pixels, "encode_mask", "expects ", pixels,
                    " values, got ", mask.size());
  Rle out{height, width, {}};
  bool inside = false;
  uint32_t run = 0;
  for (int64_t x = 0; x < width; ++x)
    for (int64_t y = 0; y < height; ++y) {
      const bool on = mask[static_cast<size_t>(y * width + x)] != 0;
      if (on != inside) {
        out.counts.push_back(run);
        run = 0;
        inside = on;
      }
      ++run;
    }
  if (pixels > 0) out.counts.push_back(run);
  return out;
}

std::vector<uint8_t> decode_mask(const Rle& mask) {
  std::vector<uint8_t> out(static_cast<size_t>(mask.height * mask.width), 0);
  int64_t at = 0;
  bool inside = false;
  for (const uint32_t count : mask.counts) {
    for (const int64_t end = at + count; inside && at < end; ++at)
      out[static_cast<size_t>(at % mask.height * mask.width + at / mask.height)] = 1;
    if (!inside) at += count;
    inside = !inside;
  }
  return out;
}

int64_t area(const Rle& mask) {
  int64_t sum = 0;
  for (size_t i = 1; i < mask.counts.size(); i += 2) sum += mask.counts[i];
  return sum;
}

int64_t intersection(const Rle& a, const Rle& b) {
  check<ValueError>(a.height == b.height && a.width == b.width, "intersection",
                    "expects masks of one size, got ", a.height, " x ", a.width, " and ", b.height,
                    " x ", b.width);
  int64_t sum = 0, left_a = 0, left_b = 0;
  size_t i = 0, j = 0;  // runs begun; those of odd number belong to the object
  for (;;) {
    while (left_a == 0 && i < a.counts.size()) left_a = a.counts[i++];
    while (left_b == 0 && j < b.counts.size()) left_b = b.counts[j++];
    const int64_t step = std::min(left_a, left_b);
    if (step == 0) return sum;
    if (i % 2 == 0 && j % 2 == 0) sum += step;
    left_a -= step;
    left_b -= step;
  }
}

std::string rle_to_text(const Rle& mask) {
  std::string out;
  for (size_t i = 0; i < mask.counts.size(); ++i) {
    int64_t value = mask.counts[i];
    if (i > 2) value -= mask.counts[i - 2];
    // Five bits at a time, the lowest first; the highest of the last five is the sign.
    for (bool more = true; more;) {
      int64_t bits = value & 0x1f;
      value >>= 5;
      more = (bits & 0x10) != 0 ? value != -1 : value != 0;
      if (more) bits |= 0x20;
      out.push_back(static_cast<char>(bits + 48));
    }
  }
  return out;
}

Rle rle_from_text(std::string_view text, int64_t height, int64_t width) {
  constexpr const char* op = "rle_from_text";
  const int64_t pixels = pixels_of(op, height, width);
  Rle out{height, width, {}};
  int64_t sum = 0;
  for (size_t at = 0; at < text.size();) {
    int64_t value = 0;
    int shift = 0;
    for (bool more = true; more; shift += 5) {
      check<ValueError>(at < text.size(), op, "ends within a number");
      const int64_t bits = static_cast<unsigned char>(text[at]) - 48;
      check<ValueError>(bits >= 0 && bits < 64 && shift <= 35, op, "character ", at,
                        " is not one of such a text");
      ++at;
      value |= (bits & 0x1f) << shift;
      more = (bits & 0x20) != 0;
      if (!more && (bits & 0x10) != 0) value |= -(int64_t{1} << (shift + 5));
    }
    if (out.counts.size() > 2) value += out.counts[out.counts.size() - 2];
    check<ValueError>(value >= 0 && value <= pixels - sum, op, "run ", out.counts.size(), " of ",
                      value, " pixels does not fit an image of ", pixels);
    sum += value;
    out.counts.push_back(static_cast<uint32_t>(value));
  }
  check<ValueError>(sum == pixels, op, "expects runs of ", pixels, " pixels, got ", sum);
  return out;
}

}  // namespace cytograd::detection
