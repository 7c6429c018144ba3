#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/core/random.h"
#include "cytograd/core/tensor.h"

/// @file
/// Initial values of parameters. Each parameter draws from its own random stream, named by the seed
/// and the parameter's full name, in chunks of fixed size: neither the number of threads nor other
/// layers of the model change what it gets. float32 and float64; the tensor must be contiguous.

namespace cytograd::nn::init {

/// The random streams of one module's parameters.
struct Stream {
  uint64_t seed = 0;
  std::string module;  ///< full name of the module, empty for the root

  std::string purpose(std::string_view parameter) const {
    std::string out = "init/";
    if (!module.empty()) out += module + ".";
    return out.append(parameter);
  }
};

/// Which side of a layer keeps its variance: `in` that of the activations, `out` that of the
/// gradients.
enum class Fan { in, out };

/// Connections per output (`in`) or per input (`out`) of a filter [C_out, kH, kW, C_in/groups] or a
/// matrix [out, in]. @throws ShapeError for fewer than two axes
inline double fan(const Tensor& weight, Fan mode) {
  check<ShapeError>(weight.ndim() >= 2, "init.fan", "weight expects at least 2 axes, got ",
                    weight.shape());
  const int64_t first = std::max<int64_t>(weight.size(0), 1);
  const int64_t last = std::max<int64_t>(weight.size(-1), 1);
  return static_cast<double>(weight.numel() / (mode == Fan::in ? first : last));
}

/// Sets each element to `draw(rng)`, a double.
template <class Draw>
void fill(const Tensor& parameter, const Stream& stream, std::string_view name, Draw draw) {
  check<DtypeError>(is_floating(parameter.dtype()) && parameter.dtype() != Dtype::bfloat16, "init",
                    "expects float32 or float64, got ", parameter.dtype());
  check<ValueError>(parameter.is_contiguous(), "init", "the parameter is not contiguous");
  if (parameter.device().type != DeviceType::cpu) {  // the same values as on the CPU
    const Tensor values = Tensor::empty(parameter.shape(), parameter.dtype());
    fill(values, stream, name, draw);
    parameter.detach().copy_(values);
    return;
  }
  constexpr int64_t chunk = 1 << 14;
  const std::string purpose = stream.purpose(name);
  const auto run = [&]<class T>(T* values) {
    parallel_for(parameter.numel(), chunk, [&](int64_t begin, int64_t end) {
      Rng rng(stream.seed, purpose, static_cast<uint64_t>(begin / chunk));
      for (int64_t i = begin; i < end; ++i) values[i] = static_cast<T>(draw(rng));
    });
  };
  if (parameter.dtype() == Dtype::float32)
    run(parameter.data<float>());
  else
    run(parameter.data<double>());
  parameter.storage()->bump_version();
}

inline void uniform(const Tensor& parameter, double low, double high, const Stream& stream,
                    std::string_view name) {
  fill(parameter, stream, name, [=](Rng& rng) { return rng.uniform(low, high); });
}

inline void normal(const Tensor& parameter, double mean, double deviation, const Stream& stream,
                   std::string_view name) {
  fill(parameter, stream, name, [=](Rng& rng) { return mean + deviation * rng.normal(); });
}

/// Normal with variance 2 / fan, for layers before a ReLU (He et al. 2015).
inline void kaiming_normal(const Tensor& weight, Fan mode, const Stream& stream,
                           std::string_view name) {
  normal(weight, 0, std::sqrt(2.0 / fan(weight, mode)), stream, name);
}

/// Uniform in +-sqrt(6 / ((1 + a^2) fan_in)), for layers before a leaky ReLU of slope a. With
/// a = sqrt(5) the bound is 1/sqrt(fan_in), the usual default of linear layers and convolutions.
inline void kaiming_uniform(const Tensor& weight, double a, const Stream& stream,
                            std::string_view name) {
  const double bound = std::sqrt(6.0 / ((1 + a * a) * fan(weight, Fan::in)));
  uniform(weight, -bound, bound, stream, name);
}

/// Uniform with variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010).
inline void xavier_uniform(const Tensor& weight, const Stream& stream, std::string_view name) {
  const double bound = std::sqrt(6.0 / (fan(weight, Fan::in) + fan(weight, Fan::out)));
  uniform(weight, -bound, bound, stream, name);
}

/// Normal with variance 2 / (fan_in + fan_out).
inline void xavier_normal(const Tensor& weight, const Stream& stream, std::string_view name) {
  normal(weight, 0, std::sqrt(2.0 / (fan(weight, Fan::in) + fan(weight, Fan::out))), stream, name);
}

/// How a layer fills its weight.
enum class Weight { uniform_fan_in, he_normal_fan_in, he_normal_fan_out, xavier_uniform };

/// Fills `weight` and, where defined, `bias`: 0 after He and Xavier weights, else uniform in
/// +-1/sqrt(fan_in) as the weight.
inline void layer(const Tensor& weight, const Tensor& bias, Weight method, const Stream& stream) {
  switch (method) {
    case Weight::uniform_fan_in:
      kaiming_uniform(weight, std::sqrt(5.0), stream, "weight");
      break;
    case Weight::he_normal_fan_in:
      kaiming_normal(weight, Fan::in, stream, "weight");
      break;
    case Weight::he_normal_fan_out:
      kaiming_normal(weight, Fan::out, stream, "weight");
      break;
    case Weight::xavier_uniform:
      xavier_uniform(weight, stream, "weight");
      break;
  }
  if (!bias.defined()) return;
  const double bound = method == Weight::uniform_fan_in ? 1 / std::sqrt(fan(weight, Fan::in)) : 0;
  uniform(bias, -bound, bound, stream, "bias");
}

/// A tensor of NaN: what weights hold before they are initialised or loaded, so that forgetting to
/// is seen in the first result.
inline Tensor unset(const Shape& shape) {
  return Tensor::full(shape, std::numeric_limits<double>::quiet_NaN());
}

}  // namespace cytograd::nn::init
