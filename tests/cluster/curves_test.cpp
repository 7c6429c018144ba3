#include "cytograd/cluster/curves.h"

#include <limits>

#include "cluster/cluster_support.h"
#include "cytograd/core/random.h"
#include "support/kernel_case.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::cluster;
using test::check_op_error;
using test::close_values;
using test::curves;
using test::half_digit;

namespace {

std::vector<double> z(const std::vector<double>& values) {
  return z_normalised(curves({values})).values;
}

// By the definition: no products of matrices.
ShapeMatch slow_match(std::span<const double> x, std::span<const double> y) {
  const auto n = static_cast<int64_t>(x.size());
  double squares_x = 0, squares_y = 0;
  for (const double v : x) squares_x += v * v;
  for (const double v : y) squares_y += v * v;
  const auto at = [&](int64_t s) {
    double sum = 0;
    for (int64_t l = 0; l < n; ++l)
      if (l + s >= 0 && l + s < n) sum += x[static_cast<size_t>(l + s)] * y[static_cast<size_t>(l)];
    return sum / std::sqrt(squares_x * squares_y);
  };
  double largest = -1;
  for (int64_t s = 1 - n; s < n; ++s) largest = std::max(largest, at(s));
  for (int64_t s = 0; s < n; ++s)
    for (const int64_t sign : {-1, 1})
      if (at(sign * s) >= largest - 1e-9) return {std::max(0.0, 1 - largest), sign * s};
  return {};
}

}  // namespace

TEST_CASE("shape distance: a turned ramp, the ramp's negative, raw curves") {
  const auto ramp = z({1, 2, 3, 4, 5}), turned = z({5, 1, 2, 3, 4});
  close_values(ramp, {-1.414214, -.707107, 0, .707107, 1.414214}, half_digit);
  close_values(cross_correlation(ramp, turned), {-.2, -.1, .2, .6, 0, -.3, -.4, -.2, .4}, 1e-12);
  const ShapeMatch m = shape_match(ramp, turned);
  CHECK(m.shift == -1);
  close_values({m.distance}, {.4}, 1e-12);
  close_values(shifted(turned, m.shift), {turned[1], turned[2], turned[3], turned[4], 0}, 0);
  std::vector<double> falling = ramp;
  for (double& v : falling) v = -v;
  // Four shifts tie.
  CHECK(shape_match(ramp, falling).shift == -3);
  close_values({shape_match(ramp, falling).distance}, {.6}, 1e-12);
  const std::vector<double> a = {1, 2, 3}, b = {0, 1, 2};
  close_values(cross_correlation(a, b), {.239046, .597614, .956183, .358569, 0}, half_digit);
  close_values({shape_match(a, b).distance}, {.043817}, half_digit);
}

TEST_CASE("shape distance: ramps, a sigmoid and shifted bells of 100 points") {
  std::vector<double> up, down, sigmoid, early, late;
  for (int i = 0; i < 100; ++i) {
    const double t = i / 99.0;
    up.push_back(t);
    down.push_back(-t);
    sigmoid.push_back(1 / (1 + std::exp(6 - 12 * t)));
    early.push_back(std::exp(-(t - .5) * (t - .5) / .01));
    late.push_back(std::exp(-(t - .7) * (t - .7) / .01));
  }
  close_values({shape_match(z(up), z(down)).distance}, {.585752}, half_digit);
  close_values({shape_match(z(up), z(sigmoid)).distance}, {.035941}, half_digit);
  const ShapeMatch bells = shape_match(z(early), z(late));
  close_values({bells.distance}, {.066280}, half_digit);
  CHECK(bells.shift == -20);
}

TEST_CASE("shape distance: tables agree with the definition, scale and offset do not count") {
  Rng rng(3, "curves");
  Curves x{70, 13, {}}, y{11, 13, {}};
  for (int64_t i = 0; i < 70 * 13; ++i) x.values.push_back(rng.normal());
  for (int64_t i = 0; i < 11 * 13; ++i) y.values.push_back(rng.normal());
  const Curves zx = z_normalised(x), zy = z_normalised(y);
  const auto table = shape_matches(zx, zy);
  Curves changed = x;
  for (double& v : changed.values) v = 3 * v + 7;
  const auto same = shape_matches(z_normalised(changed), zy), swapped = shape_matches(zy, zx);
  for (int64_t i = 0; i < 70; ++i)
    for (int64_t j = 0; j < 11; ++j) {
      const auto at = static_cast<size_t>(i * 11 + j);
      const ShapeMatch slow = slow_match(zx.row(i), zy.row(j));
      CHECK(std::abs(table[at].distance - slow.distance) < 1e-12);
      CHECK(table[at].shift == slow.shift);
      CHECK(std::abs(same[at].distance - slow.distance) < 1e-12);
      CHECK(std::abs(swapped[static_cast<size_t>(j * 70 + i)].distance - slow.distance) < 1e-12);
    }
  for (int64_t i = 0; i < 70; ++i) {
    CHECK(shape_match(zx.row(i), zx.row(i)).distance < 1e-14);
    CHECK(shape_match(zx.row(i), zx.row(i)).shift == 0);
  }
  CHECK(test::same_for_any_threads([&] {
    std::vector<double> out;
    for (const ShapeMatch& m : shape_matches(zx, zy)) out.push_back(m.distance);
    return out;
  }));
}

TEST_CASE("shape extraction: three curves") {
  const Curves group = z_normalised(curves({{0, 1, 2, 4, 5}, {1, 1, 2, 3, 5}, {0, 2, 2, 3, 6}}));
  const ExtractedShape shape = extract_shape(group, group.row(0));
  close_values({shape.eigenvalue}, {14.388820}, 1e-6);
  close_values(shape.curve, {-1.209640, -.680432, -.268520, .499676, 1.658916}, half_digit);
  std::vector<double> distances;
  for (int64_t i = 0; i < 3; ++i)
    distances.push_back(shape_match(group.row(i), shape.curve).distance);
  close_values(distances, {.021330, .015610, .024835}, half_digit);
  // Members that are shifted against the reference are aligned first.
  Curves moved = group;
  for (int64_t i = 0; i < 3; ++i) {
    const auto later = shifted(group.row(i), 1);
    std::copy(later.begin(), later.end(), moved.row(i).begin());
  }
  CHECK(shape_match(group.row(0), moved.row(0)).shift == -1);
}

TEST_CASE("shape extraction: the first eigenvector, also where two eigenvalues are close") {
  // Two shapes at right angles, one copy more of the first: the result is one normalised curve all
  // the same.
  const double r = std::sqrt(.5);
  const std::vector<double> a = {1, -1, 1, -1}, b = {1, 1, -1, -1};
  Curves group{0, 4, {}};
  for (int i = 0; i < 201; ++i) {
    const auto& from = i % 2 ? b : a;
    group.values.insert(group.values.end(), from.begin(), from.end());
    ++group.rows;
  }
  const std::vector<double> reference = {r, r, -r, -r};
  const ExtractedShape shape = extract_shape(group, reference);
  CHECK(shape.curve.size() == 4);
  double squares = 0;
  for (const double v : shape.curve) squares += v * v;
  CHECK(std::abs(squares - 4) < 1e-12);
  const Curves nothing{2, 3, std::vector<double>(6, 0.0)};
  CHECK(extract_shape(nothing, nothing.row(0)).curve == std::vector<double>{0, 0, 0});
}

TEST_CASE("curves: constant rows, one point, bad input") {
  CHECK(z({2, 2, 2}) == std::vector<double>{0, 0, 0});
  CHECK(z({.1, .1, .1}) == std::vector<double>{0, 0, 0});
  CHECK(shape_match(z({2, 2, 2}), z({1, 2, 3})).distance == 1);
  CHECK(shape_match(z({2, 2, 2}), z({1, 2, 3})).shift == 0);
  CHECK(shape_match(z({4}), z({4})).distance == 1);
  const Curves few = curves({{1, 2, 3}, {3, 2, 2}});
  check_op_error<ValueError>(
      [] {
        z_normalised(curves({{1, 2}, {1, std::numeric_limits<double>::infinity()}}));
      },
      "z_normalised: curve 1 expects finite values, got inf");
  check_op_error<ShapeError>(
      [&] {
        shape_matches(few, curves({{1, 2}}));
      },
      "shape_matches: expects curves of one length, got 3 and 2");
  check_op_error<ShapeError>(
      [] {
        z_normalised({2, 3, {1, 2, 3}});
      },
      "z_normalised: expects curves [rows, length] with length >= 1, got [2, 3] with 3 values");
  check_op_error<ShapeError>(
      [&] {
        extract_shape({0, 3, {}}, few.row(0));
      },
      "extract_shape: expects at least one curve, and a reference of length "
      "3, got 0 and length 3");
  check_op_error<ShapeError>(
      [&] {
        cross_correlation(few.row(0), z({1, 2}));
      },
      "cross_correlation: expects two curves of one length, got 3 and 2");
}
