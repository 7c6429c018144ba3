#include "cytograd/multimodal/morphology.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "cytograd/core/error.h"
#include "multimodal/morphology_shape.h"

namespace cytograd::multimodal {
namespace {

using detection::BinaryMask;

// Darkness in green, where haematological stains absorb most, and which pixels are the cell.
struct Cell {
  std::vector<double> dark;
  BinaryMask pixels;
  int64_t count = 0;
};

Cell cell_of(const char* op, const std::vector<float>& rgb, const std::vector<float>& mask,
             int64_t side) {
  check<ValueError>(side >= 1, op, "side expects at least 1 pixel, got ", side);
  check<ValueError>(static_cast<int64_t>(mask.size()) == side * side, op, "mask expects ", side,
                    " x ", side, " values, got ", mask.size());
  check<ValueError>(static_cast<int64_t>(rgb.size()) == 3 * side * side, op, "rgb expects ", side,
                    " x ", side, " x 3 values, got ", rgb.size());
  Cell cell{std::vector<double>(mask.size()), {side, side, std::vector<uint8_t>(mask.size())}, 0};
  for (size_t i = 0; i < mask.size(); ++i) {
    check<ValueError>(std::isfinite(rgb[3 * i + 1]) && std::isfinite(mask[i]), op,
                      "expects finite values, got green ", rgb[3 * i + 1], " and mask ", mask[i],
                      " at pixel ", i);
    cell.dark[i] = 1 - static_cast<double>(rgb[3 * i + 1]);
    cell.pixels.values[i] = mask[i] >= 0.5F ? 1 : 0;
    cell.count += cell.pixels.values[i];
  }
  return cell;
}

// Otsu's threshold (1979) over 256 bins between the least and the largest value: the values above
// it are dark. Where several thresholds part the same pixels, the middle one. Infinite for a cell
// of one darkness.
double otsu_threshold(const Cell& cell) {
  constexpr size_t bins = 256;
  double least = std::numeric_limits<double>::infinity(), largest = -least;
  for (size_t i = 0; i < cell.dark.size(); ++i) {
    if (!cell.pixels.values[i]) continue;
    least = std::min(least, cell.dark[i]);
    largest = std::max(largest, cell.dark[i]);
  }
  // Rounding of 8-bit values to float is no contrast.
  if (!(largest - least > 1e-6)) return std::numeric_limits<double>::infinity();
  const double scale = static_cast<double>(bins) / (largest - least);
  std::vector<double> counts(bins, 0.0);
  for (size_t i = 0; i < cell.dark.size(); ++i)
    if (cell.pixels.values[i])
      ++counts[std::min(bins - 1, static_cast<size_t>((cell.dark[i] - least) * scale))];
  double sum = 0;
  for (size_t b = 0; b < bins; ++b) sum += static_cast<double>(b) * counts[b];
  const auto total = static_cast<double>(cell.count);
  double below = 0, sum_below = 0, best = -1;
  size_t first = 0, last = 0;
  for (size_t b = 0; b + 1 < bins; ++b) {
    below += counts[b];
    sum_below += static_cast<double>(b) * counts[b];
    const double difference = sum * below - sum_below * total;
    const double between = difference * difference / (below * (total - below));
    if (between > best) {
      best = between;
      first = b;
    }
    if (between == best) last = b;
  }
  return least + (static_cast<double>(first + last) / 2 + 1) / scale;
}

BinaryMask nucleus_in(const Cell& cell) {
  BinaryMask nucleus = cell.pixels;
  if (cell.count == 0) return nucleus;
  const double threshold = otsu_threshold(cell);
  for (size_t i = 0; i < cell.dark.size(); ++i)
    nucleus.values[i] = cell.pixels.values[i] && cell.dark[i] > threshold ? 1 : 0;
  remove_small_parts(nucleus, 0.005 * static_cast<double>(cell.count));
  detection::fill_holes(nucleus);
  for (size_t i = 0; i < cell.dark.size(); ++i)  // a hole of the cell is no nucleus
    nucleus.values[i] = nucleus.values[i] & cell.pixels.values[i];
  return nucleus;
}

void measure_cytoplasm(const Cell& cell, const BinaryMask& nucleus, Morphology& out) {
  BinaryMask cytoplasm = cell.pixels;
  int64_t count = 0;
  for (size_t i = 0; i < cytoplasm.values.size(); ++i) {
    if (nucleus.values[i]) cytoplasm.values[i] = 0;
    count += cytoplasm.values[i];
  }
  if (count == 0) return;
  const auto sum_of = [&cytoplasm](const std::vector<double>& values) {
    double sum = 0;
    for (size_t i = 0; i < values.size(); ++i)
      if (cytoplasm.values[i]) sum += values[i];
    return sum;
  };
  const double all = sum_of(cell.dark);
  out.basophilia = all / static_cast<double>(count);
  if (!(all > 0)) return;
  out.granularity = 0;
  double before = all;
  for (int64_t radius = 1; radius <= 3; ++radius) {
    const double after = sum_of(opened(cell.dark, cytoplasm, radius));
    out.granularity += (before - after) / all;
    before = after;
  }
}

}  // namespace

std::vector<uint8_t> nucleus_of(const std::vector<float>& rgb, const std::vector<float>& mask,
                                int64_t side) {
  return nucleus_in(cell_of("nucleus_of", rgb, mask, side)).values;
}

Morphology measure_morphology(const std::vector<float>& rgb, const std::vector<float>& mask,
                              int64_t side, double microns_per_pixel) {
  check<ValueError>(microns_per_pixel > 0 && std::isfinite(microns_per_pixel), "measure_morphology",
                    "microns_per_pixel expects a number > 0, got ", microns_per_pixel);
  const Cell cell = cell_of("measure_morphology", rgb, mask, side);
  const double none = std::numeric_limits<double>::quiet_NaN();
  Morphology out{none, none, none, none, none, none};
  if (cell.count == 0) return out;
  out.cell_area = static_cast<double>(cell.count) * microns_per_pixel * microns_per_pixel;
  const BinaryMask nucleus = nucleus_in(cell);
  const auto area = static_cast<double>(
      std::accumulate(nucleus.values.begin(), nucleus.values.end(), int64_t{0}));
  if (area > 0) {
    out.nucleus_area = area / static_cast<double>(cell.count);
    out.lobes = static_cast<double>(count_lobes(nucleus, 1.5, 0.15));
    out.solidity = area / static_cast<double>(hull_pixels(nucleus));
  }
  measure_cytoplasm(cell, nucleus, out);
  return out;
}

}  // namespace cytograd::multimodal
