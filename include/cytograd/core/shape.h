#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>

namespace cytograd {

/// Largest number of axes of a tensor.
inline constexpr int max_rank = 8;

/// A short list of int64 (sizes or strides) that never allocates. Rank 0 is a scalar.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
  /// @throws ShapeError if there are more than `max_rank` sizes
  explicit Shape(std::span<const int64_t> sizes);
  static Shape filled(int ndim, int64_t value);

  int ndim() const { return ndim_; }
  bool empty() const { return ndim_ == 0; }
  int64_t operator[](int i) const { return sizes_[i]; }
  int64_t& operator[](int i) { return sizes_[i]; }
  const int64_t* begin() const { return sizes_.data(); }
  const int64_t* end() const { return sizes_.data() + ndim_; }
  int64_t back() const { return sizes_[ndim_ - 1]; }
  /// Product of the sizes; 1 for a scalar. @throws ShapeError on overflow
  int64_t numel() const;
  /// Adds an axis at the end. @throws ShapeError beyond `max_rank`
  void push_back(int64_t size);
  bool operator==(const Shape& other) const {
    return ndim_ == other.ndim_ && std::equal(begin(), end(), other.begin());
  }

 private:
  std::array<int64_t, max_rank> sizes_{};
  int ndim_ = 0;
};

/// Row-major strides in elements. @throws ShapeError if the sizes, those that are 0 aside, have a
/// product beyond int64
Shape contiguous_strides(const Shape& shape);
/// Maps a possibly negative axis to 0..ndim-1. @throws ShapeError naming `op` if out of range
int normalize_dim(int dim, int ndim, const char* op);
/// The common shape under NumPy's broadcasting rule. @throws ShapeError naming `op`
Shape broadcast_shapes(const Shape& a, const Shape& b, const char* op);
/// Prints `[8, 64, 56, 56]`.
std::ostream& operator<<(std::ostream& out, const Shape& shape);

}  // namespace cytograd
