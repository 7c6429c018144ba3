// Draws what RoIAlign does to a box: a smear with a white cell, the cells of a feature map over it,
// the bins of the cell's box, the points where the map is read, and the result; beside it the
// result for the box rounded to whole cells, as older networks had it. Writes an SVG picture (first
// argument, roi-align.svg by default). Expected: of a map that grows evenly the bins hold the
// values at their centres, to 1e-5, which the rounded box misses by tenths of a cell. A second.

#include <cytograd/ops/roi_align.h>
#include <cytograd/synth/smears.h>
#include <cytograd/train/report.h>

#include <cmath>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>

using namespace cytograd;

namespace {

constexpr int64_t kStride = 8, kBins = 7, kSamples = 2;
constexpr double kCell = 18, kBin = 26;  // sides of a feature cell and of a result in the picture
const char* const kBoxStyle = "stroke=\"#d55e00\" stroke-width=\"2\"";
const char* const kRoundedStyle =
    "stroke=\"#0072b2\" stroke-width=\"1.5\" stroke-dasharray=\"6 4\"";

using Box = std::vector<float>;  // x1, y1, x2, y2 in pixels

// A smear with a white cell in its middle, and the cell's box.
std::pair<Image, Box> smear_with_cell() {
  for (uint64_t index = 0;; ++index) {
    const synth::Smear smear = synth::draw_smear({.seed = 4,
                                                  .index = index,
                                                  .width = 160,
                                                  .height = 112,
                                                  .microns_per_pixel = 0.16,
                                                  .white_cells = 1,
                                                  .classes = {}});
    const synth::SmearObject& cell = smear.objects.at(0);
    if (cell.instance == 0 || cell.truncated || std::abs(cell.x1 + cell.x2 - 160) > 24 ||
        std::abs(cell.y1 + cell.y2 - 112) > 24)
      continue;
    return {smear.image,
            {static_cast<float>(cell.x1), static_cast<float>(cell.y1),
             static_cast<float>(cell.x2 + 1), static_cast<float>(cell.y2 + 1)}};
  }
}

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

std::vector<float> pooled(const Tensor& features, const Box& box) {
  const Tensor roi = Tensor::from(Box{0, box[0], box[1], box[2], box[3]}, {1, 5});
  return roi_align(features, roi,
                   {.height = kBins,
                    .width = kBins,
                    .spatial_scale = 1.0 / kStride,
                    .sampling_ratio = kSamples})
      .to_vector<float>();
}

// To whole feature cells.
Box rounded(Box box) {
  for (float& v : box) v = std::round(v / kStride) * kStride;
  return box;
}

class Picture {
 public:
  void rectangle(double x, double y, double w, double h, const std::string& style) {
    svg_ << "<rect x=\"" << x << "\" y=\"" << y << "\" width=\"" << w << "\" height=\"" << h
         << "\" " << style << "/>\n";
  }
  void frame(double x, double y, double w, double h, const std::string& style) {
    rectangle(x, y, w, h, "fill=\"none\" " + style);
  }
  void point(double x, double y) {
    svg_ << "<circle r=\"1.6\" fill=\"#0072b2\" cx=\"" << x << "\" cy=\"" << y << "\"/>\n";
  }
  void words(double x, double y, const std::string& text) {
    svg_ << "<text x=\"" << x << "\" y=\"" << y
         << "\" font-family=\"Helvetica,Arial,sans-serif\" font-size=\"13\">" << text
         << "</text>\n";
  }
  void image(double x, double y, double w, double h, const Image& pixels) {
    svg_ << "<image x=\"" << x << "\" y=\"" << y << "\" width=\"" << w << "\" height=\"" << h
         << "\" href=\"data:image/jpeg;base64," << base64(encode_jpeg(pixels, 85)) << "\"/>\n";
  }
  // Values row by row, dark where they are large.
  void grid(double x, double y, double side, int64_t columns, const std::vector<float>& values) {
    for (size_t i = 0; i < values.size(); ++i) {
      const int grey = 255 - static_cast<int>(std::lround(255 * std::min(1.f, 1.1f * values[i])));
      const std::string level = std::to_string(grey);
      const auto n = static_cast<int64_t>(i);
      rectangle(x + static_cast<double>(n % columns) * side,
                y + static_cast<double>(n / columns) * side, side, side,
                "fill=\"rgb(" + level + "," + level + "," + level + ")\" stroke=\"#cccccc\"");
    }
  }
  std::string text(double width, double height) const {
    std::ostringstream out;
    out << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << width << " " << height
        << "\" width=\"" << width << "\" height=\"" << height
        << "\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
        << svg_.str() << "</svg>\n";
    return out.str();
  }

 private:
  std::ostringstream svg_ = [] {
    std::ostringstream out;
    out << std::fixed << std::setprecision(1);
    return out;
  }();
};

// The map with the box, its bins and the points. Position p of the map reads cell p as if its value
// lay there, though the cell reaches from p to p + 1: all is drawn half a cell further, over the
// cells that it reads.
void draw_map(Picture& to, double x0, double y0, const Tensor& features, const Box& box) {
  to.grid(x0, y0, kCell, features.size(2), features.to_vector<float>());
  const auto at = [](float pixels) {
    return (static_cast<double>(pixels) / kStride + 0.5) * kCell;
  };
  const auto framed = [&](const Box& b, const char* style) {
    to.frame(x0 + at(b[0]), y0 + at(b[1]), at(b[2]) - at(b[0]), at(b[3]) - at(b[1]), style);
  };
  const double w = (at(box[2]) - at(box[0])) / kBins, h = (at(box[3]) - at(box[1])) / kBins;
  for (int64_t i = 0; i < kBins * kBins; ++i) {
    const double x = x0 + at(box[0]) + static_cast<double>(i % kBins) * w,
                 y = y0 + at(box[1]) + static_cast<double>(i / kBins) * h;
    to.frame(x, y, w, h, "stroke=\"#e69f00\" stroke-width=\"0.8\"");
    for (int64_t s = 0; s < kSamples * kSamples; ++s)
      to.point(x + (static_cast<double>(s % kSamples) + 0.5) * w / kSamples,
               y + (static_cast<double>(s / kSamples) + 0.5) * h / kSamples);
  }
  framed(rounded(box), kRoundedStyle);
  framed(box, kBoxStyle);
}

std::string picture(const Image& smear, const Box& box) {
  const Tensor features = darkness(smear);
  const double w = kCell * static_cast<double>(features.size(2)),
               h = kCell * static_cast<double>(features.size(1)), zoom = kCell / kStride,
               right = 10 + w + 20, below = 32 + h + 30;
  Picture out;
  out.words(10, 22, "a smear and the box of a white cell");
  out.image(10, 32, w, h, smear);
  out.frame(10 + zoom * box[0], 32 + zoom * box[1], zoom * (box[2] - box[0]),
            zoom * (box[3] - box[1]), kBoxStyle);
  out.words(right, 22, "feature map, stride 8: bins and points; dashed: rounded");
  draw_map(out, right, 32, features, box);
  out.words(10, below - 8, "RoIAlign, 7 x 7 bins");
  out.grid(10, below, kBin, kBins, pooled(features, box));
  out.words(right, below - 8, "the same of the rounded box");
  out.grid(right, below, kBin, kBins, pooled(features, rounded(box)));
  return out.text(right + w + 10, below + kBin * kBins + 10);
}

// The largest difference to the values at the centres of the bins, of a map whose value is its
// column.
double error_of(const Box& read, const Box& box) {
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
  const auto [smear, box] = smear_with_cell();
  const std::string file = argc > 1 ? argv[1] : "roi-align.svg";
  std::ofstream(file) << picture(smear, box);
  const Box odd = {21, 13, 90, 70};
  const double exact = error_of(odd, odd), coarse = error_of(rounded(odd), odd);
  std::cout << "wrote " << file << "\nlargest error on an even map, in cells: " << exact
            << " with RoIAlign, " << coarse << " with the box rounded first\n";
  return exact < 1e-5 && coarse > 0.1 ? 0 : 1;
}
