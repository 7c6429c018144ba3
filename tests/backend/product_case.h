#pragma once

#include <cmath>
#include <string>

#include "cytograd/core/cuda.h"
#include "cytograd/core/random.h"
#include "cytograd/core/tensor.h"
#include "kernels/context.h"

/// @file
/// What the tests of the product kernels on the device share.

namespace cytograd::test {

/// An arithmetic of the product kernels.
struct Arithmetic {
  const char* name;
  Dtype dtype;
  bool tf32;
  double input_error, output_error;  ///< relative, of one rounding on the way in and out
};
inline constexpr Arithmetic arithmetics[] = {
    {"float32", Dtype::float32, false, 0, 0x1p-24},
    {"float64", Dtype::float64, false, 0, 0x1p-53},
    {"bfloat16", Dtype::bfloat16, false, 0, 0x1p-8},
    {"TF32", Dtype::float32, true, 0x1p-11, 0x1p-24},
};
class Tf32Scope {
 public:
  explicit Tf32Scope(bool on) : before_(tf32()) { set_tf32(on); }
  ~Tf32Scope() { set_tf32(before_); }
  Tf32Scope(const Tf32Scope&) = delete;
  Tf32Scope& operator=(const Tf32Scope&) = delete;

 private:
  bool before_;
};

/// Normal values on the CPU that `dtype` holds exactly.
inline Tensor random_tensor(const std::string& name, const Shape& shape, Dtype dtype) {
  Rng rng(11, name);
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (double& v : values) v = rng.normal();
  return Tensor::from(values, shape).to(dtype);
}

inline CudaContext device_context() { return cuda_context(Device::cuda()); }

/// Elements of `got` that are further from the float64 `expected` than rounding explains: each of
/// `terms` products and additions errs by at most one rounding of `magnitude` (the same sum of
/// absolute values), each input by its rounding, the result by its own.
inline int64_t count_wrong(const Arithmetic& a, const Tensor& got, const Tensor& expected,
                           const Tensor& magnitude, int64_t terms) {
  const double sum_error = a.dtype == Dtype::float64 ? 0x1p-53 : 0x1p-24;
  const auto x = got.to(Device{}).to_vector<double>(), y = expected.to_vector<double>(),
             m = magnitude.to_vector<double>();
  int64_t wrong = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    const double bound =
        ((static_cast<double>(terms) + 4) * sum_error + 2.01 * a.input_error + a.output_error) *
            m[i] +
        1e-300;
    wrong += !(std::abs(x[i] - y[i]) <= bound);
  }
  return wrong;
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(Device{}), y = b.to(Device{});
  return x.bytes() == y.bytes() && std::memcmp(x.raw_data(), y.raw_data(), x.bytes()) == 0;
}

/// |x| in float64.
inline Tensor absolute(const Tensor& x) {
  auto values = x.to_vector<double>();
  for (double& v : values) v = std::abs(v);
  return Tensor::from(values, x.shape());
}

}  // namespace cytograd::test
