#include "cytograd/core/tensor.h"

#include <cstring>

#include "core/device_memory.h"
#include "cytograd/autograd/record.h"
#include "kernels/elementwise.h"

namespace cytograd {

struct Tensor::Impl {
  std::shared_ptr<Storage> storage;
  Shape shape, strides;
  int64_t offset = 0, numel = 0;
  Dtype dtype = Dtype::float32;
  bool contiguous = true;
  std::shared_ptr<autograd::Node> node;
};

namespace {

bool packed(const Shape& shape, const Shape& strides) {
  int64_t expected = 1;
  for (int i = shape.ndim() - 1; i >= 0; --i) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

void check_sizes(const char* op, const Shape& shape) {
  for (const int64_t size : shape)
    check<ShapeError>(size >= 0, op, "sizes must be >= 0, got ", shape);
}

// Are the first and the last element of a view in 0..capacity-1?
bool reaches_within(const Shape& shape, const Shape& strides, int64_t offset, int64_t capacity) {
  int64_t low = offset, high = offset;
  for (int i = 0; i < shape.ndim(); ++i) {
    int64_t reach;
    if (__builtin_mul_overflow(shape[i] - 1, strides[i], &reach)) return false;
    int64_t& end = reach < 0 ? low : high;
    if (__builtin_add_overflow(end, reach, &end)) return false;
  }
  return low >= 0 && high < capacity;
}

// Between two devices; both packed, of one dtype and shape.
void copy_bytes(const Tensor& to, const Tensor& from) {
  if (to.bytes() == 0) return;
  if (from.device().type == DeviceType::cpu)
    device::copy_from_host(to.device(), to.raw_data(), from.raw_data(), to.bytes());
  else if (to.device().type == DeviceType::cpu)
    device::copy_to_host(from.device(), to.raw_data(), from.raw_data(), to.bytes());
  else
    device::copy_across(to.device(), to.raw_data(), from.device(), from.raw_data(), to.bytes());
}

// An element behind several indices has no one value after a parallel write.
void check_writable(const Tensor& t, const char* op) {
  check<StateError>(!grad_enabled() || !t.requires_grad(), op,
                    "in-place change of a tensor that requires a gradient");
  for (int d = 0; d < t.ndim(); ++d)
    check<ValueError>(t.numel() == 0 || t.shape()[d] == 1 || t.strides()[d] != 0, op,
                      "the tensor repeats its elements along dim ", d, "; clone it first");
}

}  // namespace

Tensor::Impl& Tensor::impl(const char* op) const {
  check<StateError>(impl_ != nullptr, op, "the tensor is undefined");
  return *impl_;
}

Tensor Tensor::empty(const Shape& shape, Dtype dtype, Device device) {
  check_sizes("tensor", shape);
  auto impl = std::make_shared<Impl>();
  impl->shape = shape;
  impl->strides = contiguous_strides(shape);
  impl->numel = shape.numel();
  impl->dtype = dtype;
  size_t bytes = 0;
  check<ShapeError>(
      !__builtin_mul_overflow(static_cast<size_t>(impl->numel), size_of(dtype), &bytes) &&
          bytes <= PTRDIFF_MAX,
      "tensor", "too many bytes in ", dtype, " ", shape);
  impl->storage = std::make_shared<Storage>(bytes, device);
  return Tensor(std::move(impl));
}

Tensor Tensor::empty_like(const Tensor& other) {
  return empty(other.shape(), other.dtype(), other.device());
}

Tensor Tensor::full(const Shape& shape, double value, Dtype dtype, Device device) {
  Tensor out = empty(shape, dtype, device);
  out.fill_(value);
  return out;
}
Tensor Tensor::zeros(const Shape& shape, Dtype dtype, Device device) {
  return full(shape, 0, dtype, device);
}
Tensor Tensor::ones(const Shape& shape, Dtype dtype, Device device) {
  return full(shape, 1, dtype, device);
}
Tensor Tensor::zeros_like(const Tensor& other) {
  return zeros(other.shape(), other.dtype(), other.device());
}
Tensor Tensor::scalar(double value, Dtype dtype) { return full({}, value, dtype); }

template <class T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape) {
  check<ShapeError>(shape.numel() == static_cast<int64_t>(values.size()), "tensor", "shape ", shape,
                    " expects ", shape.numel(), " values, got ", values.size());
  Tensor out = empty(shape, dtype_of<T>);
  if (!values.empty()) std::memcpy(out.raw_data(), values.data(), values.size_bytes());
  return out;
}

const Shape& Tensor::shape() const { return impl("shape").shape; }
const Shape& Tensor::strides() const { return impl("strides").strides; }
int64_t Tensor::size(int dim) const { return shape()[normalize_dim(dim, ndim(), "size")]; }
int64_t Tensor::numel() const { return impl("numel").numel; }
Dtype Tensor::dtype() const { return impl("dtype").dtype; }
Device Tensor::device() const { return impl("device").storage->device(); }
bool Tensor::is_contiguous() const { return impl("is_contiguous").contiguous; }
const std::shared_ptr<Storage>& Tensor::storage() const { return impl("storage").storage; }
int64_t Tensor::offset() const { return impl("offset").offset; }
bool Tensor::is_unshared() const { return impl_.use_count() == 1 && storage().use_count() == 1; }

void* Tensor::raw_data() const {
  const Impl& i = impl("data");
  return static_cast<char*>(i.storage->data()) + static_cast<size_t>(i.offset) * size_of(i.dtype);
}

template <class T>
T* Tensor::data() const {
  check<DtypeError>(dtype() == dtype_of<T>, "data", "expects ", dtype_of<T>, ", the tensor holds ",
                    dtype());
  return static_cast<T*>(raw_data());
}

Tensor Tensor::contiguous() const { return is_contiguous() ? *this : clone(); }

Tensor Tensor::clone() const {
  Tensor out = empty_like(*this);
  on_device(*this, [&](auto ctx) { kernels::copy(ctx, out, *this); });
  return record("clone", {*this}, out, {},
                [](const auto&, const Tensor& dy) -> Grads { return {dy}; });
}

Tensor Tensor::to(Dtype dtype) const {
  if (dtype == this->dtype()) return *this;
  Tensor out = empty(shape(), dtype, device());
  on_device(*this, [&](auto ctx) { kernels::copy(ctx, out, *this); });
  if (!is_floating(dtype)) return out;
  return record("to", {*this}, out, {}, this->dtype(),
                [](const auto& back, const Tensor& dy) -> Grads { return {dy.to(back.params)}; });
}

Tensor Tensor::to(Device device) const {
  if (device == this->device()) return *this;
  const Tensor out = empty(shape(), dtype(), device);
  copy_bytes(out, detach().contiguous());
  if (!is_floating(dtype())) return out;
  return record("to", {*this}, out, {}, this->device(),
                [](const auto& back, const Tensor& dy) -> Grads { return {dy.to(back.params)}; });
}

Tensor Tensor::detach() const {
  auto copy = std::make_shared<Impl>(impl("detach"));
  copy->node = nullptr;
  return Tensor(std::move(copy));
}

double Tensor::item() const {
  check<ShapeError>(numel() == 1, "item", "one element is expected, got ", shape());
  return to_vector<double>()[0];
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  const NoGrad no_grad;
  const Tensor packed_copy = to(dtype_of<T>).to(Device::cpu()).contiguous();
  const T* values = packed_copy.template data<T>();
  return std::vector<T>(values, values + packed_copy.numel());
}

Tensor Tensor::as_strided(const Shape& shape, const Shape& strides, int64_t offset) const {
  const Impl& source = impl("as_strided");
  check<ShapeError>(shape.ndim() == strides.ndim(), "as_strided", "shape ", shape, " and strides ",
                    strides, " differ in length");
  check_sizes("as_strided", shape);
  auto out = std::make_shared<Impl>();
  out->storage = source.storage;
  out->shape = shape;
  out->strides = strides;
  out->offset = offset;
  out->numel = shape.numel();
  out->dtype = source.dtype;
  out->contiguous = packed(shape, strides);
  const auto capacity = static_cast<int64_t>(source.storage->bytes() / size_of(source.dtype));
  check<ShapeError>(out->numel == 0 || reaches_within(shape, strides, offset, capacity),
                    "as_strided", "shape ", shape, " strides ", strides, " offset ", offset,
                    " reach past the ", capacity, " elements of the storage");
  return Tensor(std::move(out));
}

void Tensor::fill_(double value) const {
  check_writable(*this, "fill_");
  on_device(*this, [&](auto ctx) { kernels::fill(ctx, *this, value); });
  storage()->bump_version();
}

void Tensor::copy_(const Tensor& source) const {
  check_writable(*this, "copy_");
  check<ShapeError>(source.shape() == shape(), "copy_", "source expects shape ", shape(), ", got ",
                    source.shape());
  // Elements that are read after they were written would depend on the order.
  const bool overlaps = source.storage() == storage() &&
                        !(source.offset() == offset() && source.strides() == strides());
  Tensor from = overlaps ? source.detach().clone() : source.detach();
  if (from.device() != device()) {
    if (from.dtype() == dtype() && is_contiguous()) {
      copy_bytes(*this, from.contiguous());
      return storage()->bump_version();
    }
    from = from.to(device());
  }
  on_device(*this, [&](auto ctx) { kernels::copy(ctx, *this, from); });
  storage()->bump_version();
}

bool Tensor::requires_grad() const { return impl("requires_grad").node != nullptr; }

const Tensor& Tensor::set_requires_grad(bool value) const {
  Impl& i = impl("set_requires_grad");
  check<DtypeError>(!value || is_floating(i.dtype), "set_requires_grad",
                    "expects a floating dtype, got ", i.dtype);
  check<StateError>(!i.node || i.node->sequence == 0, "set_requires_grad",
                    "this tensor is the result of ", i.node ? i.node->name : "",
                    "; detach it first");
  if (value && !i.node) {
    i.node = std::make_shared<autograd::Node>();
    i.node->name = "leaf";
    i.node->shape = i.shape;
    i.node->dtype = i.dtype;
  } else if (!value) {
    i.node = nullptr;
  }
  return *this;
}

Tensor Tensor::grad() const {
  const Impl& i = impl("grad");
  return i.node ? i.node->leaf_grad : Tensor{};
}

void Tensor::set_grad(const Tensor& grad) const {
  Impl& i = impl("set_grad");
  if (!i.node && !grad.defined()) return;
  check<StateError>(i.node && i.node->sequence == 0, "set_grad",
                    "only a leaf that requires a gradient keeps one");
  check<ShapeError>(!grad.defined() || grad.shape() == i.shape, "set_grad", "expects shape ",
                    i.shape);
  if (i.node->home && grad.defined()) {
    const NoGrad no_grad;
    i.node->home->place.copy_(grad);
    i.node->leaf_grad = i.node->home->place;
    return;
  }
  i.node->leaf_grad = grad;
}

const std::shared_ptr<autograd::Node>& Tensor::node() const { return impl("node").node; }
void Tensor::set_node(std::shared_ptr<autograd::Node> node) const {
  impl("set_node").node = std::move(node);
}

#define CYTOGRAD_INSTANTIATE(T)                                      \
  template Tensor Tensor::from<T>(std::span<const T>, const Shape&); \
  template T* Tensor::data<T>() const;                               \
  template std::vector<T> Tensor::to_vector<T>() const;
CYTOGRAD_INSTANTIATE(float)
CYTOGRAD_INSTANTIATE(double)
CYTOGRAD_INSTANTIATE(bfloat16)
CYTOGRAD_INSTANTIATE(int64_t)
CYTOGRAD_INSTANTIATE(uint8_t)
#undef CYTOGRAD_INSTANTIATE

}  // namespace cytograd
