#pragma once

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "cytograd/core/error.h"
#include "cytograd/core/tensor.h"

/// @file
/// One description of an operation drives every check that all operations owe (docs/numerics.md).

namespace cytograd::test {

/// A row-major float64 array for reference loops.
struct Ref {
  Shape shape;
  std::vector<double> values;
  Ref() = default;
  explicit Ref(const Shape& s, double value = 0)
      : shape(s), values(static_cast<size_t>(s.numel()), value) {}
  /// Element at a full index, e.g. x({n, y, x, c}).
  double& operator()(std::initializer_list<int64_t> index);
  double operator()(std::initializer_list<int64_t> index) const;
};

/// How one input is drawn: uniform in [low, high], at least `gap` away from every kink.
struct Input {
  Shape shape;
  double low = -2, high = 2;
  std::vector<double> kinks = {};
  double gap = 1e-3;
  Dtype dtype = Dtype::float64;  ///< float64: also run in float32; int64: drawn as whole numbers in
                                 ///< [low, high]
};

struct OpCase {
  std::string name;
  std::vector<Input> inputs;
  std::function<Tensor(const Tensors&)> op;
  /// Naive loops from the formula, independent of the kernel.
  std::function<Ref(const std::vector<Ref>&)> reference;
  /// Bound on |float32 - reference| / max(1, |reference|): the number of roundings times 6e-8.
  double float32_tolerance = 2e-6;
  double float64_tolerance = 1e-12;
  /// The same bound for float32 gradients against float64 ones.
  double float32_grad_tolerance = 2e-5;
  bool differentiable = true;
  /// NaN in one element of each input must give NaN where the reference does.
  bool check_nan = true;
  /// Where the build has a device: the same there. Off for cases whose size is about CPU threads.
  bool on_cuda = true;
  /// NaN may also appear where a padding zero met it (0 * NaN).
  bool nan_may_spread = false;
};

/// Runs the properties of docs/numerics.md on one case.
void check_op(const OpCase& op_case);

/// `call` must throw E with exactly `message`.
template <class E, class F>
void check_op_error(F&& call, const std::string& message) {
  std::string got = "no exception";
  bool right_type = false;
  try {
    call();
  } catch (const E& error) {
    right_type = true;
    got = error.what();
  } catch (const std::exception& error) {
    got = std::string("another exception: ") + error.what();
  }
  INFO("got: ", got);
  CHECK(right_type);
  CHECK(got == message);
}

}  // namespace cytograd::test
