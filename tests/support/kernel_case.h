#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "cytograd/core/cpu.h"
#include "cytograd/core/parallel.h"
#include "cytograd/core/random.h"

/// @file
/// What the tests of the raw CPU kernels share.

namespace cytograd::test {

template <class T>
std::vector<T> random_values(const std::string& name, int64_t count) {
  Rng rng(11, name);
  std::vector<T> values(static_cast<size_t>(count));
  for (T& v : values) v = static_cast<T>(rng.normal());
  return values;
}

/// A sum in float64 and the sum of the absolute values of its terms.
struct Sum {
  double value = 0, magnitude = 0;
  int64_t terms = 0;
  void add(double x) {
    value += x;
    magnitude += x < 0 ? -x : x;
    ++terms;
  }
  /// One rounding per product and per addition, each at most half an ulp of the magnitude.
  template <class T>
  bool close_to(T computed) const {
    const double bound = static_cast<double>(terms + 2) * std::numeric_limits<T>::epsilon();
    const double difference = static_cast<double>(computed) - value;
    return (difference < 0 ? -difference : difference) <= bound * magnitude;
  }
};

/// Runs `f` once for every instruction set of this machine, and restores the choice.
template <class F>
void for_each_isa(const F& f) {
  const std::string before = isa_name();
  for (const std::string& isa : available_isas()) {
    set_isa(isa);
    f(isa);
  }
  set_isa(before);
}

/// The results of `f()` with 1, 2 and 3 threads have the same bits.
template <class F>
bool same_for_any_threads(const F& f) {
  const int before = num_threads();
  set_num_threads(1);
  const auto expected = f();
  bool same = true;
  for (const int count : {2, 3}) {
    set_num_threads(count);
    same = same && f() == expected;
  }
  set_num_threads(before);
  return same;
}

}  // namespace cytograd::test
