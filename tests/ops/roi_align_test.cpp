#include "cytograd/ops/roi_align.h"

#include <cmath>

#include <doctest/doctest.h>

#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

// The formula of ops/roi_align.h sample by sample; the weight of a cell is the triangle around it.
double weight(double at, int64_t cell, int64_t cells) {
  if (!(at >= -1 && at <= static_cast<double>(cells))) return 0;
  at = std::min(std::max(at, 0.0), static_cast<double>(cells - 1));
  return std::max(0.0, 1 - std::abs(at - static_cast<double>(cell)));
}

struct Samples {
  double start, bin;
  int64_t grid;
  Samples(double from, double to, int64_t bins, const RoiAlignOptions& o) {
    start = from * o.spatial_scale - (o.aligned ? 0.5 : 0);
    double size = (to - from) * o.spatial_scale;
    if (!o.aligned) size = std::max(size, 1.0);
    bin = size / static_cast<double>(bins);
    grid = o.sampling_ratio > 0 ? o.sampling_ratio
                                : static_cast<int64_t>(std::max(0.0, std::ceil(bin)));
  }
  double at(int64_t p, int64_t s) const {
    return start + static_cast<double>(p) * bin +
           (static_cast<double>(s) + 0.5) * bin / static_cast<double>(grid);
  }
};

Ref reference(const Ref& x, const Ref& rois, const RoiAlignOptions& o) {
  const int64_t h = x.shape[1], w = x.shape[2], c = x.shape[3];
  Ref y({rois.shape[0], o.height, o.width, c});
  for (int64_t m = 0; m < rois.shape[0]; ++m) {
    const auto n = static_cast<int64_t>(rois({m, 0}));
    const Samples rows(rois({m, 2}), rois({m, 4}), o.height, o),
        columns(rois({m, 1}), rois({m, 3}), o.width, o);
    const double count = static_cast<double>(std::max<int64_t>(1, rows.grid * columns.grid));
    for (int64_t p = 0; p < o.height; ++p)
      for (int64_t q = 0; q < o.width; ++q)
        for (int64_t sy = 0; sy < rows.grid; ++sy)
          for (int64_t sx = 0; sx < columns.grid; ++sx)
            for (int64_t i = 0; i < h; ++i)
              for (int64_t j = 0; j < w; ++j) {
                const double share =
                    weight(rows.at(p, sy), i, h) * weight(columns.at(q, sx), j, w) / count;
                if (share == 0) continue;
                for (int64_t k = 0; k < c; ++k) y({m, p, q, k}) += share * x({n, i, j, k});
              }
  }
  return y;
}

void check_boxes(const std::string& name, const Shape& features, const std::vector<double>& boxes,
                 const RoiAlignOptions& o) {
  const Shape shape{static_cast<int64_t>(boxes.size() / 5), 5};
  const Tensor rois = Tensor::from(boxes, shape);
  Ref given(shape);
  given.values = boxes;
  OpCase c;
  c.name = "roi_align " + name;
  c.inputs = {{features}};
  c.op = [=](const Tensors& in) {
    return roi_align(in[0], rois.to(in[0].dtype()).to(in[0].device()), o);
  };
  c.reference = [=](const std::vector<Ref>& in) { return reference(in[0], given, o); };
  c.float32_tolerance = 2e-5;  // places are rounded too: about 10 * 6e-8 of a cell each
  c.float32_grad_tolerance = 1e-4;
  c.nan_may_spread = true;  // 0 * NaN where a sample lies on a cell's centre
  check_op(c);
}

// x[i][j] = 4 i + j, one image, one channel.
std::vector<double> of_ramp(const std::vector<double>& box, const RoiAlignOptions& o) {
  Tensor x = Tensor::empty({1, 4, 4, 1}, Dtype::float64);
  for (int i = 0; i < 16; ++i) x.data<double>()[i] = i;
  std::vector<double> roi{0};
  roi.insert(roi.end(), box.begin(), box.end());
  return roi_align(x, Tensor::from(roi, {1, 5}), o).to_vector<double>();
}

void check_values(const std::vector<double>& got, const std::vector<double>& want) {
  REQUIRE(got.size() == want.size());
  for (size_t i = 0; i < got.size(); ++i) CHECK(got[i] == doctest::Approx(want[i]).epsilon(1e-6));
}

}  // namespace

TEST_CASE("roi_align") {
  const std::vector<double> boxes{1, 0.3, 0.7, 5.2, 3.9, 0, -2, -3, 2.1, 2.4, 0, 4.1, 2.2, 9.3, 8,
                                  1, 3,   3,   1.2, 0.7, 0, 2,  2,  2,   2,   1, 20,  20,  30,  30};
  for (const bool aligned : {false, true})
    for (const int64_t ratio : {0, 1, 2}) {
      const std::string name = std::string(aligned ? "aligned " : "") + std::to_string(ratio);
      check_boxes(name, {2, 5, 7, 3}, boxes, {2, 3, 1, ratio, aligned});
      check_boxes(name + " scaled", {2, 5, 7, 8}, boxes, {3, 2, 0.61, ratio, aligned});
    }
  check_boxes("many boxes", {2, 3, 40, 4},
              [] {
                std::vector<double> many;
                for (int m = 0; m < 300; ++m) {
                  const double at = 0.13 * m;
                  for (const double v : {static_cast<double>(m % 2), at, 0.1, at + 3.7, 2.6})
                    many.push_back(v);
                }
                return many;
              }(),
              {1, 2});
  check_boxes("one cell", {1, 1, 1, 5}, {0, 0, 0, 1, 1}, {2, 2});
  check_boxes("no box", {1, 4, 4, 2}, {}, {2, 2});
}

TEST_CASE("roi_align gives the values of other implementations") {
  const RoiAlignOptions plain{2, 2, 1, 2, false}, aligned{2, 2, 1, 2, true};
  check_values(of_ramp({0, 0, 4, 4}, plain), {5, 6.75, 12, 13.75});
  check_values(of_ramp({0, 0, 4, 4}, aligned), {2.5, 4.5, 10.5, 12.5});
  check_values(of_ramp({0.5, 0.5, 2.7, 3.1}, plain), {5.65, 6.75, 10.85, 11.95});
  check_values(of_ramp({-3, -3, 2, 2}, plain), {0, 0, 0, 3.75});
  check_values(of_ramp({2, 2, 8, 8}, plain), {3.4375, 0, 0, 0});
  check_values(of_ramp({1, 1, 1, 1}, plain), {6.25, 6.75, 8.25, 8.75});
  check_values(of_ramp({1, 1, 1, 1}, aligned), {2.5, 2.5, 2.5, 2.5});
  check_values(of_ramp({3, 3, 1, 1}, plain), {15, 15, 15, 15});
  check_values(of_ramp({0, 0, 4, 3}, {1, 1, 1, 0, false}), {7.875});
}

TEST_CASE("roi_align refuses what it cannot do") {
  const Tensor x = Tensor::zeros({2, 3, 3, 1}), rois = Tensor::zeros({1, 5});
  const auto refuses = [&](const Tensor& f, const Tensor& r, const RoiAlignOptions& o) {
    CHECK_THROWS_AS(roi_align(f, r, o), Error);
  };
  refuses(Tensor::zeros({3, 3, 1}), rois, {});
  refuses(x, Tensor::zeros({1, 4}), {});
  refuses(x, Tensor::zeros({1, 5}, Dtype::float64), {});
  refuses(x, rois, {.height = 0});
  refuses(x, rois, {.spatial_scale = 0});
  refuses(x, rois, {.sampling_ratio = -1});
  check_op_error<ValueError>(
      [&] {
        roi_align(x, Tensor::full({1, 5}, 2));
      },
      "roi_align: batch index 2 of roi 0 is not in 0..1");
  const Tensor tracked = Tensor::zeros({1, 5});
  tracked.set_requires_grad(true);
  check_op_error<StateError>([&] { roi_align(x, tracked); },
                             "roi_align: rois take no gradient; detach them first");
}
