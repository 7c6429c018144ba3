#include "support/op_case.h"

#include <cmath>
#include <cstring>

#include "cytograd/autograd/gradcheck.h"
#include "cytograd/autograd/record.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/parallel.h"
#include "cytograd/core/random.h"

namespace cytograd::test {
namespace {

size_t flat_index(const Shape& shape, std::initializer_list<int64_t> index) {
  REQUIRE(static_cast<int>(index.size()) == shape.ndim());
  int64_t flat = 0;
  int d = 0;
  for (const int64_t i : index) {
    REQUIRE(i >= 0);
    REQUIRE(i < shape[d]);
    flat = flat * shape[d++] + i;
  }
  return static_cast<size_t>(flat);
}

Tensor draw(const Input& input, Rng& rng) {
  if (input.dtype == Dtype::int64) {
    const Tensor x = Tensor::empty(input.shape, Dtype::int64);
    const auto low = static_cast<int64_t>(input.low), high = static_cast<int64_t>(input.high);
    for (int64_t i = 0; i < x.numel(); ++i) x.data<int64_t>()[i] = low + rng.below(high - low + 1);
    return x;
  }
  const Tensor x = Tensor::empty(input.shape, Dtype::float64);
  for (int64_t i = 0; i < x.numel(); ++i) {
    double value;
    bool close;
    do {
      // Representable in float32, so that both precisions see the same input.
      value = static_cast<float>(rng.uniform(input.low, input.high));
      close = false;
      for (const double kink : input.kinks) close |= std::abs(value - kink) < input.gap;
    } while (close);
    x.data<double>()[i] = value;
  }
  return x;
}

Ref to_ref(const Tensor& x) {
  Ref out;
  out.shape = x.shape();
  out.values = x.to_vector<double>();
  return out;
}

Tensors with_dtype(const Tensors& inputs, Dtype dtype) {
  Tensors out;
  for (const Tensor& x : inputs) out.push_back(x.dtype() == Dtype::float64 ? x.to(dtype) : x);
  return out;
}

Tensors on(Device device, const Tensors& inputs) {
  Tensors out;
  for (const Tensor& x : inputs) out.push_back(x.to(device));
  return out;
}

void check_close(const std::vector<double>& got, const std::vector<double>& want, double tolerance,
                 const char* what) {
  REQUIRE(got.size() == want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    const double difference = std::abs(got[i] - want[i]);
    if (!(difference <= tolerance * std::max(1.0, std::abs(want[i])))) {
      CAPTURE(what);
      CAPTURE(i);
      CAPTURE(got[i]);
      CAPTURE(want[i]);
      CHECK(difference <= tolerance * std::max(1.0, std::abs(want[i])));
      return;
    }
  }
}

// NaN equals itself.
bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

// The gradients of every floating input for a fixed random output gradient, one after the other.
std::vector<double> gradients(const OpCase& c, const Tensors& inputs, Dtype dtype) {
  Tensors leaves;
  for (const Tensor& x : with_dtype(inputs, dtype)) {
    leaves.push_back(x.detach());
    if (is_floating(x.dtype())) leaves.back().set_requires_grad(true);
  }
  const Tensor y = c.op(leaves);
  REQUIRE(y.requires_grad());
  const Tensor dy = Tensor::empty(y.shape(), Dtype::float64);
  Rng rng(1, "dy");
  for (int64_t i = 0; i < dy.numel(); ++i)
    dy.data<double>()[i] = static_cast<float>(rng.uniform(-1, 1));
  y.backward(dy.to(dtype).to(y.device()));
  std::vector<double> out;
  for (const Tensor& leaf : leaves) {
    if (!is_floating(leaf.dtype())) continue;
    REQUIRE(leaf.grad().defined());
    REQUIRE(leaf.grad().dtype() == dtype);
    REQUIRE(leaf.grad().shape() == leaf.shape());
    REQUIRE(leaf.grad().device() == leaf.device());
    const std::vector<double> grad = leaf.grad().to_vector<double>();
    out.insert(out.end(), grad.begin(), grad.end());
  }
  return out;
}

// The same values behind other strides: reversed axes, and every second element of a larger tensor
// at an offset.
Tensor as_transposed(const Tensor& x) {
  if (x.ndim() < 2) return x;
  Shape shape, order = x.shape();
  for (int d = x.ndim() - 1; d >= 0; --d) shape.push_back(x.shape()[d]);
  const Tensor base = Tensor::empty(shape, x.dtype(), x.device());
  const Shape base_strides = base.strides();
  Shape strides;
  for (int d = x.ndim() - 1; d >= 0; --d) strides.push_back(base_strides[d]);
  const Tensor view = base.as_strided(order, strides, 0);
  view.copy_(x);
  return view;
}

Tensor as_sliced(const Tensor& x) {
  if (x.ndim() < 1) return x;
  Shape shape = x.shape();
  const int last = x.ndim() - 1;
  shape[last] = 2 * shape[last] + 1;
  const Tensor base = Tensor::full(shape, 1e6, x.dtype(), x.device());
  Shape strides = base.strides();
  strides[last] *= 2;
  const Tensor view = base.as_strided(x.shape(), strides, 1);
  view.copy_(x);
  return view;
}

void check_bits(const OpCase& c, const Tensors& inputs) {
  const auto run = [&] {
    const NoGrad no_grad;
    return c.op(inputs).contiguous();
  };
  const Tensor first = run();
  const std::vector<double> first_grads =
      c.differentiable ? gradients(c, inputs, Dtype::float32) : std::vector<double>{};
  const int before = num_threads();
  for (const int threads : {before, 1, 3}) {
    set_num_threads(threads);
    CAPTURE(threads);
    const Tensor again = run();
    CHECK(std::memcmp(first.raw_data(), again.raw_data(), first.bytes()) == 0);
    if (c.differentiable) CHECK(gradients(c, inputs, Dtype::float32) == first_grads);
  }
  set_num_threads(before);
}

void check_views(const OpCase& c, const Tensors& inputs, const Ref& want) {
  for (const auto view : {as_transposed, as_sliced}) {
    Tensors views;
    for (const Tensor& x : inputs) views.push_back(view(x));
    const NoGrad no_grad;
    check_close(c.op(views).to_vector<double>(), want.values, c.float64_tolerance, "strided input");
    if (!c.differentiable) continue;
    const GradMode on(true);
    check_close(gradients(c, views, Dtype::float64), gradients(c, inputs, Dtype::float64),
                c.float64_tolerance, "gradient of a strided input");
  }
}

void check_nan(const OpCase& c, const Tensors& inputs, Device device) {
  const NoGrad no_grad;
  for (size_t k = 0; k < inputs.size(); ++k) {
    if (inputs[k].dtype() != Dtype::float64 || inputs[k].numel() == 0) continue;
    Tensors poisoned = inputs;
    poisoned[k] = inputs[k].clone();
    poisoned[k].data<double>()[poisoned[k].numel() / 2] = std::numeric_limits<double>::quiet_NaN();
    std::vector<Ref> refs;
    for (const Tensor& x : poisoned) refs.push_back(to_ref(x));
    const Ref want = c.reference(refs);
    for (const Dtype dtype : {Dtype::float64, Dtype::float32}) {
      const std::vector<double> got =
          c.op(on(device, with_dtype(poisoned, dtype))).to_vector<double>();
      size_t lost = 0, invented = 0;
      for (size_t i = 0; i < got.size(); ++i) {
        lost += std::isnan(want.values[i]) && !std::isnan(got[i]);
        invented += !std::isnan(want.values[i]) && std::isnan(got[i]);
      }
      CAPTURE(k);
      CAPTURE(dtype == Dtype::float32);
      CAPTURE(device.type == DeviceType::cuda);
      CHECK(lost == 0);
      if (!c.nan_may_spread) CHECK(invented == 0);
    }
  }
}

// Forward and every gradient on the device, against the reference and the CPU; the same bits again;
// strided inputs; NaN; memory given back.
void check_cuda(const OpCase& c, const Tensors& inputs, const Ref& want) {
  INFO("on the device");
  const Device device = Device::cuda();
  { const Tensor warm = c.op(on(device, inputs)); }
  const size_t live = memory_stats(device).in_use;
  for (const Dtype dtype : {Dtype::float64, Dtype::float32}) {
    const bool wide = dtype == Dtype::float64;
    CAPTURE(wide);
    const Tensors host = with_dtype(inputs, dtype), there = on(device, host);
    const double tolerance = wide ? c.float64_tolerance : c.float32_tolerance;
    const Tensor y = c.op(there);
    CHECK(y.device() == device);
    const std::vector<double> values = y.to_vector<double>();
    check_close(values, want.values, tolerance, "device forward");
    CHECK(same_bits(c.op(there).to_vector<double>(), values));
    if (!wide)
      for (const auto view : {as_transposed, as_sliced}) {
        Tensors views;
        for (const Tensor& x : there) views.push_back(view(x));
        check_close(c.op(views).to_vector<double>(), want.values, tolerance,
                    "strided input on the device");
      }
    if (!c.differentiable) continue;
    const std::vector<double> grads = gradients(c, there, dtype);
    check_close(grads, gradients(c, host, dtype), wide ? 1e-9 : c.float32_grad_tolerance,
                "device gradient");
    CHECK(same_bits(gradients(c, there, dtype), grads));
  }
  if (c.check_nan) check_nan(c, inputs, device);
  CHECK(memory_stats(device).in_use == live);
}

}  // namespace

double& Ref::operator()(std::initializer_list<int64_t> index) {
  return values[flat_index(shape, index)];
}
double Ref::operator()(std::initializer_list<int64_t> index) const {
  return values[flat_index(shape, index)];
}

void check_op(const OpCase& c) {
  INFO("case: ", c.name);
  Rng rng(stream_key(0, c.name), "op case");
  Tensors inputs;
  std::vector<Ref> refs;
  for (const Input& input : c.inputs) {
    inputs.push_back(draw(input, rng));
    refs.push_back(to_ref(inputs.back()));
  }
  { const Tensor warm = c.op(inputs); }  // first use may fill caches that live on
  const size_t live = memory_stats().in_use;
  {
    const Ref want = c.reference(refs);
    const Tensor y64 = c.op(inputs);
    CHECK(y64.shape() == want.shape);
    if (!(y64.shape() == want.shape)) return;
    check_close(y64.to_vector<double>(), want.values, c.float64_tolerance, "float64 forward");
    const Tensors inputs32 = with_dtype(inputs, Dtype::float32);
    check_close(c.op(inputs32).to_vector<double>(), want.values, c.float32_tolerance,
                "float32 forward");
    if (c.differentiable) {
      const GradCheck found = gradcheck(c.op, inputs);
      CAPTURE(found.place);
      CHECK(found.worst <= 1e-5);
      check_close(gradients(c, inputs, Dtype::float32), gradients(c, inputs, Dtype::float64),
                  c.float32_grad_tolerance, "float32 gradient");
    }
    check_views(c, inputs, want);
    check_bits(c, inputs32);
    if (c.check_nan) check_nan(c, inputs, Device::cpu());
    if (c.on_cuda && cuda_available()) check_cuda(c, inputs, want);
  }
  CHECK(memory_stats().in_use == live);
}

}  // namespace cytograd::test
