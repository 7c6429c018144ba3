#pragma once

#include <memory>
#include <span>
#include <vector>

#include "cytograd/core/device.h"
#include "cytograd/core/dtype.h"
#include "cytograd/core/memory.h"
#include "cytograd/core/shape.h"

namespace cytograd {

namespace autograd {
struct Node;
}

/// An n-dimensional array: a shared handle to storage with shape, strides, offset and, where it
/// takes part in differentiation, the node of the graph that made it. Copying a Tensor copies the
/// handle. A default-made Tensor is undefined: it has no storage.
///
/// A const Tensor promises not to change which data it refers to; the data itself is shared.
class Tensor {
 public:
  Tensor() = default;

  /// Uninitialised. @throws ShapeError for a negative size, DeviceError when memory is full
  static Tensor empty(const Shape& shape, Dtype dtype = Dtype::float32, Device device = {});
  static Tensor empty_like(const Tensor& other);
  static Tensor zeros(const Shape& shape, Dtype dtype = Dtype::float32, Device device = {});
  static Tensor ones(const Shape& shape, Dtype dtype = Dtype::float32, Device device = {});
  static Tensor full(const Shape& shape, double value, Dtype dtype = Dtype::float32,
                     Device device = {});
  static Tensor zeros_like(const Tensor& other);
  /// Copies `values` (row-major). @throws ShapeError if their number is not shape.numel()
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape);
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape) {
    return from(std::span<const T>(values), shape);
  }
  template <class T>
  static Tensor from(const std::vector<T>& values) {
    return from(std::span<const T>(values), Shape{static_cast<int64_t>(values.size())});
  }
  static Tensor scalar(double value, Dtype dtype = Dtype::float32);

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const;
  const Shape& strides() const;  ///< in elements
  int64_t size(int dim) const;   ///< negative counts from the end
  int ndim() const { return shape().ndim(); }
  int64_t numel() const;
  Dtype dtype() const;
  Device device() const;
  bool is_contiguous() const;

  /// First element. @throws DtypeError if T is not the element type; undefined for CUDA tensors on
  /// the host
  template <class T>
  T* data() const;
  void* raw_data() const;
  size_t bytes() const { return static_cast<size_t>(numel()) * size_of(dtype()); }
  const std::shared_ptr<Storage>& storage() const;
  int64_t offset() const;
  /// True if no other handle or view can see this data: it may be overwritten without a copy.
  bool is_unshared() const;

  /// This tensor if it is contiguous, else a packed copy. Differentiable.
  Tensor contiguous() const;
  /// A packed copy with its own storage. Differentiable.
  Tensor clone() const;
  /// Converts the element type; rounds to nearest. Values beyond an integer type become its nearest
  /// value, NaN becomes 0. Differentiable between floating types.
  Tensor to(Dtype dtype) const;
  /// A copy on another device, or this tensor if it is there already. Differentiable. From the host
  /// to a device the copy may still run when this returns; later work there waits for it.
  /// @throws DeviceError without such a device, or when it is full
  Tensor to(Device device) const;
  /// The same data outside the graph.
  Tensor detach() const;
  /// The one element as a double. @throws ShapeError unless numel() == 1
  double item() const;
  /// Row-major copy, converted. For tests, logs and small results.
  template <class T>
  std::vector<T> to_vector() const;

  /// A view of the same storage. Not differentiable: the view operations in ops/shape.h record
  /// themselves. @throws ShapeError if an element would lie outside the storage
  Tensor as_strided(const Shape& shape, const Shape& strides, int64_t offset) const;

  /// In-place changes; they bump the storage version. @throws StateError if this tensor takes part
  /// in differentiation and recording is on, ValueError if it repeats its elements (stride 0)
  void fill_(double value) const;
  /// Same shape; converts the element type as `to`, from any device. `source` may overlap this
  /// tensor; its graph is not followed.
  void copy_(const Tensor& source) const;

  // Differentiation.
  bool requires_grad() const;
  /// Makes this tensor a leaf whose gradient is kept. @throws StateError on a recorded result,
  /// DtypeError on integers
  const Tensor& set_requires_grad(bool value) const;
  /// The gradient of the last backward, or an undefined tensor.
  Tensor grad() const;
  void set_grad(const Tensor& grad) const;
  void zero_grad() const { set_grad({}); }
  /// Runs backward from this scalar with gradient 1, adding into the gradients of leaves.
  /// @throws ShapeError unless numel() == 1, StateError if the graph was consumed already
  void backward() const;
  /// The same from any tensor, with the gradient of its elements.
  void backward(const Tensor& grad_output) const;
  const std::shared_ptr<autograd::Node>& node() const;
  /// Used by record(): this handle becomes the output of `node`.
  void set_node(std::shared_ptr<autograd::Node> node) const;

 private:
  struct Impl;
  explicit Tensor(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  Impl& impl(const char* op) const;
  std::shared_ptr<Impl> impl_;
};

using Tensors = std::vector<Tensor>;

}  // namespace cytograd
