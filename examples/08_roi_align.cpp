// Draws what RoIAlign does to a box: the cells of a feature map, the bins of the box, the points
// where the map is read, and the result; beside it the result for the box rounded to whole cells,
// as older networks had it. Writes an SVG picture (first argument, roi-align.svg by default).
// Expected: of a map that grows evenly the bins hold the values at their centres, to 1e-5, which
// the rounded box misses by tenths of a cell. A second.

#include <cytograd/ops/roi_align.h>
#include <cytograd/synth/smears.h>

#include <cmath>
#include <fstream>
#include <iostream>

using namespace cytograd;

namespace {

constexpr int64_t kStride = 8, kBins = 7, kSamples = 2;
constexpr double kCell = 18;  // side of a feature cell in the picture

// How dark a smear is in blocks of kStride pixels: a feature map of one channel.
Tensor darkness(const Image& image) {
  const int64_t h = image.height / kStride, w = image.width / kStride;
  std::vector<float> values(static_cast<size_t>(h * w), 0.f);
  for (int64_t y = 0; y < h * kStride; ++y)
    for (int64_t x = 0; x < w * kStride; ++x)
      values[static_cast<size_t>(y / kStride * w + x / kStride)] +=
          (255.f - static_cast<float>(image.at(y, x)[1])) / (255.f * kStride * kStride);
  return Tensor::from(values, {1, h, w, 1});
}

std::vector<float> pooled(const Tensor& features, const std::vector<float>& box) {
  const Tensor roi = Tensor::from(std::vector<float>{0, box[0], box[1], box[2], box[3]}, {1, 5});
  return roi_align(features, roi,
                   {.height = kBins,
                    .width = kBins,
                    .spatial_scale = 1.0 / kStride,
                    .sampling_ratio = kSamples})
      .to_vector<float>();
}

// To whole feature cells.
std::vector<float> rounded(std::vector<float> box) {
  for (float& v : box) v = std::round(v / kStride) * kStride;
  return box;
}

std::string square(double x, double y, double side, float value) {
  const int grey = 255 - static_cast<int>(std::lround(255 * std::min(1.f, 1.4f * value)));
  const std::string level = std::to_string(grey);
  return "<rect x=\"" + std::to_string(x) + "\" y=\"" + std::to_string(y) + "\" width=\"" +
         std::to_string(side) + "\" height=\"" + std::to_string(side) + "\" fill=\"rgb(" + level +
         "," + level + "," + level + ")\" stroke=\"#cccccc\" stroke-width=\"0.5\"/>\n";
}

std::string frame(double x, double y, double w, double h, const char* style) {
  return "<rect x=\"" + std::to_string(x) + "\" y=\"" + std::to_string(y) + "\" width=\"" +
         std::to_string(w) + "\" height=\"" + std::to_string(h) + "\" fill=\"none\" " + style +
         "/>\n";
}

std::string words(double x, double y, const std::string& text) {
  return "<text x=\"" + std::to_string(x) + "\" y=\"" + std::to_string(y) +
         "\" font-family=\"Helvetica,Arial,sans-serif\" font-size=\"13\">" + text + "</text>\n";
}

std::string result(double x, const std::string& name, const std::vector<float>& values) {
  std::string out = words(x, 20, name);
  for (int64_t i = 0; i < kBins; ++i)
    for (int64_t j = 0; j < kBins; ++j)
      out += square(x + static_cast<double>(j) * 26, 32 + static_cast<double>(i) * 26, 26,
                    values[static_cast<size_t>(i * kBins + j)]);
  return out;
}

// Position p of the map reads cell p as if its value lay there, though the cell reaches from p to
// p + 1: everything is drawn half a cell further, over the cells that it reads.
std::string picture(const Tensor& features, const std::vector<float>& box) {
  const int64_t h = features.size(1), w = features.size(2);
  const std::vector<float> values = features.to_vector<float>();
  const double right = 10 + kCell * static_cast<double>(w) + 30;
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" +
                    std::to_string(right + 420) + "\" height=\"" +
                    std::to_string(std::max(42 + kCell * static_cast<double>(h), 230.0)) +
                    "\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n" +
                    words(10, 20, "feature map, box, bins, points");
  for (int64_t i = 0; i < h; ++i)
    for (int64_t j = 0; j < w; ++j)
      out += square(10 + kCell * static_cast<double>(j), 32 + kCell * static_cast<double>(i), kCell,
                    values[static_cast<size_t>(i * w + j)]);
  const auto at = [](double pixels) { return (pixels / kStride + 0.5) * kCell; };
  const double x0 = 10 + at(box[0]), y0 = 32 + at(box[1]), bw = (at(box[2]) - at(box[0])) / kBins,
               bh = (at(box[3]) - at(box[1])) / kBins;
  for (int64_t i = 0; i < kBins; ++i)
    for (int64_t j = 0; j < kBins; ++j) {
      const double x = x0 + static_cast<double>(j) * bw, y = y0 + static_cast<double>(i) * bh;
      out += frame(x, y, bw, bh, "stroke=\"#e69f00\" stroke-width=\"0.8\"");
      for (int64_t s = 0; s < kSamples * kSamples; ++s)
        out += "<circle r=\"1.6\" fill=\"#0072b2\" cx=\"" +
               std::to_string(x + (static_cast<double>(s % kSamples) + 0.5) * bw / kSamples) +
               "\" cy=\"" +
               std::to_string(y + (static_cast<double>(s / kSamples) + 0.5) * bh / kSamples) +
               "\"/>\n";
    }
  out += frame(x0, y0, bw * kBins, bh * kBins, "stroke=\"#d55e00\" stroke-width=\"2\"");
  return out + result(right, "RoIAlign", pooled(features, box)) +
         result(right + 210, "box rounded first", pooled(features, rounded(box))) + "</svg>\n";
}

// The largest difference to the values at the centres of the bins, of a map whose value is its
// column.
double error_of(const std::vector<float>& read, const std::vector<float>& box) {
  std::vector<float> columns;
  for (int64_t i = 0; i < 12; ++i)
    for (int64_t j = 0; j < 20; ++j) columns.push_back(static_cast<float>(j));
  const std::vector<float> values = pooled(Tensor::from(columns, {1, 12, 20, 1}), read);
  double worst = 0;
  for (int64_t j = 0; j < kBins; ++j) {
    const double centre =
        (box[0] + (box[2] - box[0]) * (static_cast<double>(j) + 0.5) / kBins) / kStride;
    worst = std::max(worst, std::abs(centre - static_cast<double>(values[static_cast<size_t>(j)])));
  }
  return worst;
}

}  // namespace

int main(int argc, char** argv) {
  const synth::Smear smear = synth::draw_smear({.seed = 4,
                                                .index = 2,
                                                .width = 160,
                                                .height = 112,
                                                .microns_per_pixel = 0.16,
                                                .white_cells = 1,
                                                .classes = {}});
  const synth::SmearObject& cell = smear.objects.at(0);
  const std::vector<float> box = {static_cast<float>(cell.x1), static_cast<float>(cell.y1),
                                  static_cast<float>(cell.x2 + 1), static_cast<float>(cell.y2 + 1)};
  const std::string file = argc > 1 ? argv[1] : "roi-align.svg";
  std::ofstream(file) << picture(darkness(smear.image), box);
  const std::vector<float> odd = {21, 13, 90, 70};
  const double exact = error_of(odd, odd), coarse = error_of(rounded(odd), odd);
  std::cout << "wrote " << file << "\nlargest error on an even map, in cells: " << exact
            << " with RoIAlign, " << coarse << " with the box rounded first\n";
  return exact < 1e-5 && coarse > 0.1 ? 0 : 1;
}
