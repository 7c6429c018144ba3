#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "cytograd/core/tensor.h"
#include "cytograd/umap/neighbors.h"

/// @file
/// Data set B of the specification: 15 classes on the guide of hematopoiesis, 40 samples each, 16
/// components.

namespace cytograd::test {

inline umap::Points view(const Tensor& x) { return {x.data<float>(), x.size(0), x.size(1)}; }

class SplitMix {
 public:
  explicit SplitMix(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    state_ += 0x9E3779B97F4A7C15u;
    uint64_t z = state_;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
  }
  double uniform() { return (static_cast<double>(next() >> 11) + 0.5) * 0x1p-53; }
  double normal() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(2 * 3.14159265358979323846 * uniform());
  }

 private:
  uint64_t state_;
};

inline constexpr double guide[15][2] = {{0, 0}, {0, 1},      {0, 2},     {0, 3},  {0, 4},
                                        {0, 5}, {-2, 3.464}, {2, 3.464}, {-2, 0}, {-4, 0},
                                        {4, 0}, {0, -1},     {0, -2},    {0, -3}, {0, -4}};

struct DataB {
  Tensor rows, labels, start;  ///< [600, 16], [600], T(guide) [600, 2]
  DataB() {
    SplitMix random(42);
    std::vector<float> values, places;
    std::vector<int64_t> classes;
    for (int c = 0; c < 15; ++c)
      for (int i = 0; i < 40; ++i) {
        for (int k = 0; k < 16; ++k)
          values.push_back(static_cast<float>((k < 2 ? guide[c][k] : 0) + 0.35 * random.normal()));
        classes.push_back(c);
        for (const float v : place(c)) places.push_back(v);
      }
    rows = Tensor::from(values, {600, 16});
    labels = Tensor::from(classes);
    start = Tensor::from(places, {600, 2});
  }
  /// The guide in the frame [0, 10].
  static std::vector<float> place(int c) {
    return {static_cast<float>(10 * (guide[c][0] + 4) / 8),
            static_cast<float>(10 * (guide[c][1] + 4) / 9)};
  }
};

}  // namespace cytograd::test
