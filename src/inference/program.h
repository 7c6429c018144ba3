#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "cytograd/inference/compile.h"
#include "inference/plan.h"
#include "kernels/context.h"

/// @file
/// A compiled network: the steps, their weights and where values live; run_cpu.cpp and run_cuda.cpp
/// go through the steps.

namespace cytograd::inference {

inline Shape batched(int64_t n, const Shape& shape) {
  Shape out{n};
  for (const int64_t size : shape) out.push_back(size);
  return out;
}

/// The value of that shape at its place in the buffer that begins at element `begin`.
Tensor slice_of(const Tensor& memory, int64_t begin, const Place& place, const Shape& shape);

/// Memory of one call: an arena for n images and views of the values in it.
struct Workspace {
  int64_t n = -1, room = 0;
  const void* stream = nullptr;  ///< whose launches may still use it; null on the CPU
  Tensor arena;
  Tensors values;  ///< undefined for the caller's tensors
};

struct CompiledModel::Program {
  Graph graph;
  Plan plan;
  Device device{};
  Dtype storage = Dtype::float32;  ///< of values and filters; input and result have graph.dtype
  std::vector<kernels::PackedFilters> filters;  ///< of each step; on a device as the model has them
  std::vector<StepCost> costs;
  mutable std::mutex mutex;
  mutable std::vector<std::unique_ptr<Workspace>> idle;

  const Value& value(int v) const { return graph.values[static_cast<size_t>(v)]; }
  const Place& place(int v) const { return plan.places[static_cast<size_t>(v)]; }

  int64_t images_at_once() const;
  std::unique_ptr<Workspace> borrow(int64_t n, const void* stream) const;
  void give_back(std::unique_ptr<Workspace> workspace) const;
  kernels::PackedFilters pack(const Step& conv, int64_t images) const;
  void upload();
  void run(const Tensor& x, const Tensor& y, std::span<double> seconds) const;
};

/// One pass through the steps: y from x, both of the storage dtype. Adds the time of each step to
/// `seconds`, unless that is empty.
void run_steps(CpuContext, const CompiledModel::Program& program, const Tensor& x, const Tensor& y,
               std::span<double> seconds);
void run_steps(CudaContext, const CompiledModel::Program& program, const Tensor& x, const Tensor& y,
               std::span<double> seconds);

}  // namespace cytograd::inference
