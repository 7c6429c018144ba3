#include "cytograd/data/stain.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cytograd/core/error.h"
#include "cytograd/data/transform.h"
#include "cytograd/io/text.h"
#include "kernels/pixel.h"

namespace cytograd {

namespace {

using Vec = std::array<double, 3>;
using Matrix = std::array<Vec, 3>;

constexpr int64_t most_samples = 6400;
constexpr double flat = 8;            // grey values
constexpr double dark = 60;           // of the background
constexpr double tissue_from = 0.15;  // mean density
constexpr double least_tissue = 0.01;
constexpr double least_angle_cosine = 0.99;  // 8 degrees between the dyes
constexpr double most_scaling = 3;

double dot(const Vec& a, const Vec& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
Vec cross(const Vec& a, const Vec& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}
Vec unit(const Vec& v) {
  const double n = std::sqrt(dot(v, v));
  return n > 0 ? Vec{v[0] / n, v[1] / n, v[2] / n} : v;
}

// The percentile q in 0..1 with linear interpolation; reorders.
double percentile(std::vector<float>& values, double q) {
  const double at = q * static_cast<double>(values.size() - 1);
  const auto k = static_cast<std::ptrdiff_t>(at);
  std::nth_element(values.begin(), values.begin() + k, values.end());
  const auto low = static_cast<double>(values[static_cast<size_t>(k)]);
  if (static_cast<size_t>(k) + 1 >= values.size()) return low;
  const auto high = static_cast<double>(*std::min_element(values.begin() + k + 1, values.end()));
  return low + (at - static_cast<double>(k)) * (high - low);
}

struct Pixels {
  std::vector<float> r, g, b, grey;
  size_t size() const { return r.size(); }
};

// The pixels of a regular grid over the part of the region that lies in the image.
Pixels take_samples(const Image& image, const Region& region) {
  const int64_t y0 = std::clamp<int64_t>(region.y, 0, image.height),
                x0 = std::clamp<int64_t>(region.x, 0, image.width),
                y1 = std::clamp<int64_t>(region.y + region.height, y0, image.height),
                x1 = std::clamp<int64_t>(region.x + region.width, x0, image.width);
  int64_t step = 1;
  const auto count = [&](int64_t n) { return (n + step - 1 - step / 2) / step; };
  while (count(y1 - y0) * count(x1 - x0) > most_samples) ++step;
  Pixels out;
  for (int64_t y = y0 + step / 2; y < y1; y += step)
    for (int64_t x = x0 + step / 2; x < x1; x += step) {
      const uint8_t* p = image.at(y, x);
      out.r.push_back(p[0]);
      out.g.push_back(p[1]);
      out.b.push_back(p[2]);
      out.grey.push_back(pixel::grey(out.r.back(), out.g.back(), out.b.back()));
    }
  return out;
}

// l, alpha, beta of the logarithms of cone responses: an orthonormal basis.
const Matrix& opponents() {
  static const Matrix m = [] {
    const double a = 1 / std::sqrt(3.0), b = 1 / std::sqrt(6.0), c = 1 / std::sqrt(2.0);
    return Matrix{{{a, a, a}, {b, b, -2 * b}, {c, -c, 0}}};
  }();
  return m;
}

void measure_spread(const Pixels& p, StainStats& out) {
  const size_t n = p.size();
  std::vector<std::array<float, 3>> cones(n);
  for (size_t i = 0; i < n; ++i) {
    float x = p.r[i], y = p.g[i], z = p.b[i];
    pixel::to_cones(x, y, z);
    cones[i] = {x, y, z};
  }
  for (size_t c = 0; c < 3; ++c) {
    const Vec& row = opponents()[c];
    const auto value = [&](size_t i) {
      return row[0] * static_cast<double>(cones[i][0]) + row[1] * static_cast<double>(cones[i][1]) +
             row[2] * static_cast<double>(cones[i][2]);
    };
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; ++i) sum += value(i);
    out.mean[c] = sum / static_cast<double>(n);
    for (size_t i = 0; i < n; ++i) squares += (value(i) - out.mean[c]) * (value(i) - out.mean[c]);
    out.spread[c] = std::sqrt(squares / static_cast<double>(n));
  }
}

// The mean colour of the brightest twentieth.
Vec measure_light(const Pixels& p, double bright) {
  Vec sum{};
  double n = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    if (static_cast<double>(p.grey[i]) < bright) continue;
    sum[0] += static_cast<double>(p.r[i]);
    sum[1] += static_cast<double>(p.g[i]);
    sum[2] += static_cast<double>(p.b[i]);
    n += 1;
  }
  for (double& v : sum) v /= n;
  return sum;
}

// The two largest components of a symmetric matrix, by Jacobi rotations.
std::array<Vec, 2> largest_components(Matrix m) {
  Matrix v{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};  // columns
  for (int sweep = 0; sweep < 30; ++sweep)
    for (size_t pair = 0; pair < 3; ++pair) {
      const size_t p = pair / 2, q = pair == 0 ? 1 : 2;
      if (std::abs(m[p][q]) < 1e-300) continue;
      const double theta = (m[q][q] - m[p][p]) / (2 * m[p][q]);
      const double t = (theta < 0 ? -1 : 1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
      const double c = 1 / std::sqrt(t * t + 1), s = t * c;
      for (size_t k = 0; k < 3; ++k) {
        const double a = m[k][p], b = m[k][q];
        m[k][p] = c * a - s * b;
        m[k][q] = s * a + c * b;
      }
      for (size_t k = 0; k < 3; ++k) {
        const double a = m[p][k], b = m[q][k];
        m[p][k] = c * a - s * b;
        m[q][k] = s * a + c * b;
      }
      for (size_t k = 0; k < 3; ++k) {
        const double a = v[k][p], b = v[k][q];
        v[k][p] = c * a - s * b;
        v[k][q] = s * a + c * b;
      }
    }
  std::array<size_t, 3> order = {0, 1, 2};
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return m[a][a] > m[b][b]; });
  std::array<Vec, 2> out;
  for (size_t i = 0; i < 2; ++i)
    for (size_t k = 0; k < 3; ++k) out[i][k] = v[k][order[i]];
  // Densities are positive, so all of them lie on one side of the first.
  if (out[0][0] + out[0][1] + out[0][2] < 0)
    for (double& x : out[0]) x = -x;
  return out;
}

// Densities of the pixels that light had to pass something for.
std::vector<std::array<float, 3>> tissue_densities(const Pixels& p, const Vec& light) {
  std::array<float, 3> white{};
  for (size_t c = 0; c < 3; ++c) white[c] = pixel::fast_log(static_cast<float>(light[c]) + 1);
  std::vector<std::array<float, 3>> out;
  for (size_t i = 0; i < p.size(); ++i) {
    const std::array<float, 3> d = {std::max(0.0f, white[0] - pixel::fast_log(p.r[i] + 1)),
                                    std::max(0.0f, white[1] - pixel::fast_log(p.g[i] + 1)),
                                    std::max(0.0f, white[2] - pixel::fast_log(p.b[i] + 1))};
    if (static_cast<double>(d[0] + d[1] + d[2]) >= 3 * tissue_from) out.push_back(d);
  }
  return out;
}

// @return false if the dyes cannot be told apart
bool measure_dyes(const std::vector<std::array<float, 3>>& tissue, StainStats& out) {
  Matrix moment{};
  for (const auto& d : tissue)
    for (size_t i = 0; i < 3; ++i)
      for (size_t j = 0; j < 3; ++j)
        moment[i][j] += static_cast<double>(d[i]) * static_cast<double>(d[j]);
  const auto plane = largest_components(moment);
  const auto along = [](const std::array<float, 3>& d, const Vec& v) {
    return dot({static_cast<double>(d[0]), static_cast<double>(d[1]), static_cast<double>(d[2])},
               v);
  };
  std::vector<float> slope;  // tangents of the angles
  for (const auto& d : tissue)
    slope.push_back(static_cast<float>(along(d, plane[1]) / std::max(along(d, plane[0]), 1e-6)));
  for (size_t k = 0; k < 2; ++k) {
    const double t = percentile(slope, k == 0 ? 0.01 : 0.99);
    Vec v{};
    for (size_t c = 0; c < 3; ++c) v[c] = std::max(0.0, plane[0][c] + t * plane[1][c]);
    out.dyes[k] = unit(v);
  }
  // Azure dyes on chromatin let blue light pass; eosin and haemoglobin absorb it. Red, by which
  // haematoxylin is told from eosin, differs too little in blood.
  if (out.dyes[0][2] > out.dyes[1][2]) std::swap(out.dyes[0], out.dyes[1]);
  const double cosine = dot(out.dyes[0], out.dyes[1]);
  if (!(cosine < least_angle_cosine)) return false;
  std::array<std::vector<float>, 2> amount;
  for (const auto& d : tissue) {
    const double a = along(d, out.dyes[0]), b = along(d, out.dyes[1]);
    const double det = 1 - cosine * cosine;
    amount[0].push_back(static_cast<float>((a - cosine * b) / det));
    amount[1].push_back(static_cast<float>((b - cosine * a) / det));
  }
  for (size_t k = 0; k < 2; ++k) out.amounts[k] = percentile(amount[k], 0.99);
  return out.amounts[0] > 0.05 && out.amounts[1] > 0.05;
}

Matrix columns(const Vec& a, const Vec& b, const Vec& c) {
  return {{{a[0], b[0], c[0]}, {a[1], b[1], c[1]}, {a[2], b[2], c[2]}}};
}

Matrix inverse(const Matrix& m) {
  const Vec a = cross(m[1], m[2]), b = cross(m[2], m[0]), c = cross(m[0], m[1]);
  const double det = dot(m[0], a);
  return {{{a[0] / det, b[0] / det, c[0] / det},
           {a[1] / det, b[1] / det, c[1] / det},
           {a[2] / det, b[2] / det, c[2] / det}}};
}

double scaling(double target, double mine) {
  return std::clamp(target / std::max(mine, 1e-9), 1 / most_scaling, most_scaling);
}

// left * diag(scale) * right
Matrix sandwich(const Matrix& left, const Vec& scale, const Matrix& right) {
  Matrix out{};
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = 0; j < 3; ++j)
      for (size_t k = 0; k < 3; ++k) out[i][j] += left[i][k] * scale[k] * right[k][j];
  return out;
}

Matrix transposed(const Matrix& m) { return columns(m[0], m[1], m[2]); }

// y = m (x - from) + to
StainChange affine(StainMethod method, const Matrix& m, const Vec& from, const Vec& to) {
  StainChange out{method, {}, {}};
  for (size_t i = 0; i < 3; ++i) {
    out.offset[i] = static_cast<float>(to[i] - dot(m[i], from));
    for (size_t j = 0; j < 3; ++j) out.matrix[i * 3 + j] = static_cast<float>(m[i][j]);
  }
  return out;
}

}  // namespace

StainMethod stain_method(const std::string& name) {
  if (name == "none") return StainMethod::none;
  if (name == "reinhard") return StainMethod::reinhard;
  if (name == "macenko") return StainMethod::macenko;
  throw ConfigError({.id = "cfg",
                     .file = {},
                     .place = "--stain",
                     .found = "\"" + name + "\"",
                     .expected = "none, reinhard or macenko",
                     .hint = {}});
}

StainStats measure_stain(const Image& image, const Region& region) {
  StainStats out;
  if (image.channels != 3) return out;
  const Pixels pixels = take_samples(image, region);
  if (pixels.size() < 4) return out;
  std::vector<float> grey = pixels.grey;
  const double low = percentile(grey, 0.05), high = percentile(grey, 0.95);
  if (high - low < flat) return out;
  out.light = measure_light(pixels, high);
  if (dot(out.light, {0.299, 0.587, 0.114}) < dark) return out;
  measure_spread(pixels, out);
  const auto tissue = tissue_densities(pixels, out.light);
  const bool enough = static_cast<double>(tissue.size()) >=
                      std::max(16.0, least_tissue * static_cast<double>(pixels.size()));
  out.trust = enough && measure_dyes(tissue, out) ? StainStats::all : StainStats::background;
  return out;
}

StainStats typical_stain(const std::vector<StainStats>& images) {
  StainStats out;
  out.trust = StainStats::all;
  bool any = false;
  const auto median = [&](const auto& value) {
    std::vector<float> values;
    for (const StainStats& s : images)
      if (s.trust == StainStats::all) values.push_back(static_cast<float>(value(s)));
    if (values.empty()) return 0.0;
    any = true;
    return percentile(values, 0.5);
  };
  for (size_t c = 0; c < 3; ++c) {
    out.mean[c] = median([c](const StainStats& s) { return s.mean[c]; });
    out.spread[c] = median([c](const StainStats& s) { return s.spread[c]; });
    out.light[c] = median([c](const StainStats& s) { return s.light[c]; });
    for (size_t k = 0; k < 2; ++k)
      out.dyes[k][c] = median([c, k](const StainStats& s) { return s.dyes[k][c]; });
  }
  for (size_t k = 0; k < 2; ++k) {
    out.amounts[k] = median([k](const StainStats& s) { return s.amounts[k]; });
    out.dyes[k] = unit(out.dyes[k]);
  }
  if (!any)
    throw DataError({"stain.none", "", "", "no image that shows two dyes",
                     "an image with cells in colour", "choose another --stain-target"});
  return out;
}

StainChange stain_change(const StainStats& image, const StainStats& target, StainMethod method) {
  if (method == StainMethod::none || image.trust == StainStats::nothing) return {};
  if (method == StainMethod::reinhard) {
    Vec scale{};
    for (size_t c = 0; c < 3; ++c) scale[c] = scaling(target.spread[c], image.spread[c]);
    const Matrix back = transposed(opponents());
    const auto cones = [&](const Vec& v) {
      return Vec{dot(back[0], v), dot(back[1], v), dot(back[2], v)};
    };
    return affine(method, sandwich(back, scale, opponents()), cones(image.mean),
                  cones(target.mean));
  }
  Matrix m{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  if (image.trust == StainStats::all)
    m = sandwich(
        columns(target.dyes[0], target.dyes[1], unit(cross(target.dyes[0], target.dyes[1]))),
        {scaling(target.amounts[0], image.amounts[0]), scaling(target.amounts[1], image.amounts[1]),
         1},
        inverse(columns(image.dyes[0], image.dyes[1], unit(cross(image.dyes[0], image.dyes[1])))));
  // Densities against 256 of the two backgrounds.
  Vec from{}, to{};
  for (size_t c = 0; c < 3; ++c) {
    from[c] = std::log(256 / (image.light[c] + 1));
    to[c] = std::log(256 / (target.light[c] + 1));
  }
  return affine(method, m, from, to);
}

Image normalise_stain(const Image& image, const StainChange& change) {
  if (change.method == StainMethod::none || image.channels != 3) return image;
  Image out = image;
  const float white = pixel::fast_log(256.0f);
  for (size_t i = 0; i + 2 < out.pixels.size(); i += 3) {
    uint8_t* p = out.pixels.data() + i;
    float r = p[0], g = p[1], b = p[2];
    if (change.method == StainMethod::macenko)
      pixel::stain(change.matrix.data(), change.offset.data(), white, r, g, b);
    else
      pixel::cones(change.matrix.data(), change.offset.data(), r, g, b);
    p[0] = static_cast<uint8_t>(r + 0.5f);
    p[1] = static_cast<uint8_t>(g + 0.5f);
    p[2] = static_cast<uint8_t>(b + 0.5f);
  }
  return out;
}

std::string stain_text(const StainStats& s) {
  std::string out;
  const auto add = [&](double v) { out += (out.empty() ? "" : " ") + format_double(v); };
  for (const auto* values : {&s.mean, &s.spread, &s.light, &s.dyes[0], &s.dyes[1]})
    for (const double v : *values) add(v);
  for (const double v : s.amounts) add(v);
  return out;
}

StainStats parse_stain(const std::string& text, const std::string& file) {
  std::vector<double> v;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    const auto number = parse_double(text.substr(at, end - at));
    if (!number || !std::isfinite(*number) || v.size() == 17)
      throw DataError(
          {"stain.form", file, "", "stain \"" + text.substr(0, 80) + "\"", "17 numbers", ""});
    v.push_back(*number);
    at = end + 1;
  }
  if (v.size() != 17)
    throw DataError(
        {"stain.form", file, "", "a stain of " + std::to_string(v.size()) + " numbers", "17", ""});
  StainStats out;
  out.trust = StainStats::all;
  size_t k = 0;
  for (auto* values : {&out.mean, &out.spread, &out.light, &out.dyes[0], &out.dyes[1]})
    for (double& x : *values) x = v[k++];
  for (double& x : out.amounts) x = v[k++];
  return out;
}

const StainStats& builtin_stain() {
  // cyto domains --data PBC_dataset_normal_DIB --stain macenko --json, "text" of the domain.
  static const StainStats stats = parse_stain(
      "9.08793 0.0369916 0.024467 0.439325 0.16387 0.0130842 254.897 230.379 202.575 "
      "0.467896 0.87679 0.110967 0.528865 0.668044 0.523468 2.73501 0.682672",
      "built-in");
  return stats;
}

}  // namespace cytograd
