#include "cytograd/cluster/curves.h"

#include <algorithm>
#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "kernels/gemm.h"

namespace cytograd::cluster {
namespace {

double norm_of(std::span<const double> x) {
  double squares = 0;
  for (const double v : x) squares += v * v;
  return std::sqrt(squares);
}

std::vector<double> norms_of(const Curves& curves) {
  std::vector<double> out;
  for (int64_t i = 0; i < curves.rows; ++i) out.push_back(norm_of(curves.row(i)));
  return out;
}

// Rows first .. first + count - 1 as a matrix [n, count (2n - 1)] whose product with curves
// [rows, n] is every cross-correlation: row m has curve j backwards from column j (2n - 1) + m on.
void fill_shifts(const Curves& curves, int64_t first, int64_t count, std::vector<double>& out) {
  const int64_t n = curves.length, width = 2 * n - 1, step = count * width;
  out.assign(static_cast<size_t>(n * step), 0.0);
  for (int64_t j = 0; j < count; ++j) {
    const std::span<const double> y = curves.row(first + j);
    for (int64_t m = 0; m < n; ++m)
      std::reverse_copy(y.begin(), y.end(), out.begin() + m * step + j * width + m);
  }
}

// The best of correlations [2n - 1], already divided by the norms; `swapped`: of y with x, not of x
// with y, so that shifts have the other sign.
ShapeMatch best_match(const double* correlation, int64_t n, bool swapped = false) {
  const double* middle = correlation + n - 1;
  const double largest = *std::max_element(correlation, correlation + 2 * n - 1);
  ShapeMatch out;
  out.distance = std::max(0.0, 1 - largest);
  for (int64_t s = 0; s < n; ++s) {
    if (middle[swapped ? s : -s] >= largest - 1e-9) {
      out.shift = -s;
      break;
    }
    if (middle[swapped ? -s : s] >= largest - 1e-9) {
      out.shift = s;
      break;
    }
  }
  return out;
}

void scale(double* values, int64_t count, double product_of_norms) {
  const double factor = product_of_norms < 1e-9 ? 0 : 1 / product_of_norms;
  for (int64_t i = 0; i < count; ++i) values[i] *= factor;
}

void z_normalise(std::span<double> x) {
  const auto n = static_cast<double>(x.size());
  double mean = 0, squares = 0;
  for (const double v : x) mean += v / n;
  for (double& v : x) {
    v -= mean;
    squares += v * v;
  }
  const double deviation = std::sqrt(squares / n);
  // What rounding leaves of a constant row is 0, not noise made large.
  const bool flat = deviation <= 1e-13 * std::abs(mean) || deviation == 0;
  for (double& v : x) v = flat ? 0 : v / deviation;
}

// Matches of x with y for all pairs, or of y with x.
std::vector<ShapeMatch> all_matches(const Curves& x, const Curves& y, bool swapped) {
  const int64_t n = x.length, width = 2 * n - 1;
  const std::vector<double> norms_x = norms_of(x), norms_y = norms_of(y);
  std::vector<ShapeMatch> out(static_cast<size_t>(x.rows * y.rows));
  constexpr int64_t rows = 128, columns = 4;  // products of a tile stay in the second cache
  parallel_for(x.rows, rows, [&](int64_t begin, int64_t end) {
    std::vector<double> shifts, products;
    for (int64_t first = 0; first < y.rows; first += columns) {
      const int64_t count = std::min(columns, y.rows - first), step = count * width;
      fill_shifts(y, first, count, shifts);
      products.resize(static_cast<size_t>((end - begin) * step));
      kernels::gemm<double>(false, false, end - begin, step, n, x.values.data() + begin * n, n,
                            shifts.data(), step, products.data(), step);
      for (int64_t i = begin; i < end; ++i)
        for (int64_t j = 0; j < count; ++j) {
          double* correlation = products.data() + (i - begin) * step + j * width;
          scale(correlation, width,
                norms_x[static_cast<size_t>(i)] * norms_y[static_cast<size_t>(first + j)]);
          out[static_cast<size_t>(i * y.rows + first + j)] = best_match(correlation, n, swapped);
        }
    }
  });
  return out;
}

// The eigenvector of the largest eigenvalue of a matrix [n, n] without negative ones. Each
// squaring squares the ratios of its eigenvalues, so that soon one of them is left, unless the
// largest two agree in all digits. Then two steps with the matrix itself.
std::vector<double> first_eigenvector(const std::vector<double>& matrix, int64_t n,
                                      double& eigenvalue) {
  const auto trace = [n](const std::vector<double>& m) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += m[static_cast<size_t>(i * n + i)];
    return sum;
  };
  std::vector<double> power = matrix, next(matrix.size());
  std::vector<double> v(static_cast<size_t>(n), 0.0);
  eigenvalue = 0;
  if (!(trace(matrix) > 0)) return v;
  for (int squaring = 0; squaring < 60; ++squaring) {
    const double size = trace(power);
    for (double& p : power) p /= size;
    kernels::gemm<double>(false, false, n, n, n, power.data(), n, power.data(), n, next.data(), n);
    power.swap(next);
    if (trace(power) >= 1 - 1e-12) break;  // sum of squared shares of the eigenvalues
  }
  int64_t column = 0;
  for (int64_t i = 1; i < n; ++i)
    if (power[static_cast<size_t>(i * n + i)] > power[static_cast<size_t>(column * n + column)])
      column = i;
  for (int64_t i = 0; i < n; ++i)
    v[static_cast<size_t>(i)] = power[static_cast<size_t>(i * n + column)];
  for (int step = 0; step < 2; ++step) {
    std::vector<double> moved(static_cast<size_t>(n));
    kernels::gemm<double>(false, false, n, 1, n, matrix.data(), n, v.data(), 1, moved.data(), 1);
    eigenvalue = norm_of(moved) / norm_of(v);
    const double size = norm_of(moved);
    for (double& m : moved) m /= size;
    v = std::move(moved);
  }
  return v;
}

}  // namespace

Curves Curves::subset(std::span<const int64_t> indices) const {
  Curves out{static_cast<int64_t>(indices.size()), length, {}};
  out.values.reserve(indices.size() * static_cast<size_t>(length));
  for (const int64_t i : indices) out.values.insert(out.values.end(), row(i).begin(), row(i).end());
  return out;
}

void check_curves(const char* op, const Curves& curves) {
  check<ShapeError>(curves.rows >= 0 && curves.length >= 1 &&
                        static_cast<int64_t>(curves.values.size()) == curves.rows * curves.length,
                    op, "expects curves [rows, length] with length >= 1, got [", curves.rows, ", ",
                    curves.length, "] with ", curves.values.size(), " values");
  for (int64_t i = 0; i < curves.rows; ++i)
    for (const double v : curves.row(i))
      check<ValueError>(std::isfinite(v), op, "curve ", i, " expects finite values, got ", v);
}

Curves z_normalised(const Curves& curves) {
  check_curves("z_normalised", curves);
  Curves out = curves;
  for (int64_t i = 0; i < out.rows; ++i) z_normalise(out.row(i));
  return out;
}

std::vector<double> cross_correlation(std::span<const double> x, std::span<const double> y) {
  check<ShapeError>(x.size() == y.size() && !x.empty(), "cross_correlation",
                    "expects two curves of one length, got ", x.size(), " and ", y.size());
  const auto n = static_cast<int64_t>(x.size());
  const Curves one{1, n, {y.begin(), y.end()}};
  std::vector<double> shifts, out(static_cast<size_t>(2 * n - 1));
  fill_shifts(one, 0, 1, shifts);
  kernels::gemm<double>(false, false, 1, 2 * n - 1, n, x.data(), n, shifts.data(), 2 * n - 1,
                        out.data(), 2 * n - 1);
  scale(out.data(), 2 * n - 1, norm_of(x) * norm_of(y));
  return out;
}

ShapeMatch shape_match(std::span<const double> x, std::span<const double> y) {
  const std::vector<double> correlation = cross_correlation(x, y);
  return best_match(correlation.data(), static_cast<int64_t>(x.size()));
}

std::vector<ShapeMatch> shape_matches(const Curves& x, const Curves& y) {
  check_curves("shape_matches", x);
  check_curves("shape_matches", y);
  check<ShapeError>(x.length == y.length, "shape_matches", "expects curves of one length, got ",
                    x.length, " and ", y.length);
  return all_matches(x, y, false);
}

std::vector<double> shifted(std::span<const double> y, int64_t shift) {
  const auto n = static_cast<int64_t>(y.size());
  std::vector<double> out(y.size(), 0.0);
  for (int64_t l = std::max<int64_t>(0, -shift); l < n && l + shift < n; ++l)
    out[static_cast<size_t>(l + shift)] = y[static_cast<size_t>(l)];
  return out;
}

ExtractedShape extract_shape(const Curves& members, std::span<const double> reference) {
  check_curves("extract_shape", members);
  const int64_t n = members.length;
  check<ShapeError>(members.rows >= 1 && static_cast<int64_t>(reference.size()) == n,
                    "extract_shape", "expects at least one curve, and a reference of length ", n,
                    ", got ", members.rows, " and length ", reference.size());
  const Curves centre{1, n, {reference.begin(), reference.end()}};
  const std::vector<ShapeMatch> matches = all_matches(members, centre, true);
  Curves aligned{members.rows, n, {}};
  for (int64_t i = 0; i < members.rows; ++i) {
    const auto moved = shifted(members.row(i), matches[static_cast<size_t>(i)].shift);
    aligned.values.insert(aligned.values.end(), moved.begin(), moved.end());
  }
  Curves centred = aligned;
  for (int64_t i = 0; i < centred.rows; ++i) {
    double mean = 0;
    for (const double v : centred.row(i)) mean += v / static_cast<double>(n);
    for (double& v : centred.row(i)) v -= mean;
  }
  std::vector<double> moment(static_cast<size_t>(n * n));
  kernels::gemm<double>(true, false, n, n, centred.rows, centred.values.data(), n,
                        centred.values.data(), n, moment.data(), n);
  ExtractedShape out;
  out.curve = first_eigenvector(moment, n, out.eigenvalue);
  double as_is = 0, turned = 0;
  for (int64_t i = 0; i < aligned.rows; ++i) {
    double minus = 0, plus = 0;
    for (int64_t l = 0; l < n; ++l) {
      const double a = aligned.row(i)[static_cast<size_t>(l)],
                   v = out.curve[static_cast<size_t>(l)];
      minus += (a - v) * (a - v);
      plus += (a + v) * (a + v);
    }
    as_is += std::sqrt(minus);
    turned += std::sqrt(plus);
  }
  if (as_is > turned)
    for (double& v : out.curve) v = -v;
  z_normalise(out.curve);
  return out;
}

}  // namespace cytograd::cluster
