#pragma once

#include <cstdint>
#include <span>
#include <vector>

/// @file
/// Curves of one length and their shape-based distance (Paparrizos and Gravano, "k-Shape",
/// SIGMOD 2015); docs/kshape.md. In float64, the same bits for any number of threads.

namespace cytograd::cluster {

/// Row-major [rows, length].
struct Curves {
  int64_t rows = 0, length = 0;
  std::vector<double> values;
  std::span<const double> row(int64_t i) const {
    return {values.data() + i * length, static_cast<size_t>(length)};
  }
  std::span<double> row(int64_t i) {
    return {values.data() + i * length, static_cast<size_t>(length)};
  }
  /// These rows, in this order.
  Curves subset(std::span<const int64_t> indices) const;
};

/// @throws ShapeError unless there are rows * length values and length >= 1; ValueError naming a
/// row with NaN or infinity
void check_curves(const char* op, const Curves& curves);

/// Each row less its mean, divided by its standard deviation (divisor n; 0 counts as 1).
Curves z_normalised(const Curves& curves);

/// Normalised cross-correlations: entry s + n - 1 is sum_l x[l + s] y[l] / (|x| |y|), for
/// s = 1-n .. n-1; all 0 where |x| |y| < 1e-9. Summed directly: n^2 products, which is faster than
/// transforms for the few hundred points that curves have here.
std::vector<double> cross_correlation(std::span<const double> x, std::span<const double> y);

/// Shape-based distance, 1 - the largest cross-correlation, in [0, 2].
struct ShapeMatch {
  double distance = 1;
  /// y moved right by this fits x best; among values within 1e-9 of the largest the one with the
  /// smallest |shift|, then the negative one.
  int64_t shift = 0;
};
ShapeMatch shape_match(std::span<const double> x, std::span<const double> y);

/// Matches of every row of x with every row of y, as `shape_match`: [x.rows, y.rows].
std::vector<ShapeMatch> shape_matches(const Curves& x, const Curves& y);

/// y moved right by `shift` places, left if it is negative, with zeros moving in.
std::vector<double> shifted(std::span<const double> y, int64_t shift);

/// The shape of a group of curves: they are aligned to `reference`, and the z-normalised first
/// eigenvector of Q A^T A Q is taken, A the aligned curves [rows, n], Q = I - 1 1^T / n, with the
/// sign that is nearer to the curves.
struct ExtractedShape {
  std::vector<double> curve;
  double eigenvalue = 0;  ///< of Q A^T A Q
};
/// @throws ShapeError if the lengths differ or there is no row
ExtractedShape extract_shape(const Curves& members, std::span<const double> reference);

}  // namespace cytograd::cluster
