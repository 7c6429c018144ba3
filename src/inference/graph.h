#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cytograd/core/tensor.h"
#include "kernels/conv2d.h"
#include "kernels/pool2d.h"
#include "kernels/unary.h"
#include "kernels/upsample.h"

/// @file
/// A network as a list of steps over values, each a batch of arrays. Built by `trace`, rewritten by
/// the passes, run by `Program`.

namespace cytograd::inference {

/// A batch of arrays: the shape of one, whose last axis is the channels.
struct Value {
  Shape shape;
  /// Read or written by a step that knows no channel slices.
  bool packed = false;
};

enum class Kind {
  conv,          ///< also linear layers, as 1x1 convolutions
  grouped_conv,  ///< plain kernels; nothing is joined to it
  affine,        ///< x*scale + shift per channel
  unary,
  add,
  max_pool,
  avg_pool,
  upsample_nearest,
  upsample_bilinear,
  concat,  ///< of channels
};

struct Step {
  Kind kind;
  std::vector<int> inputs;
  int output;
  bool relu = false;  ///< applied to the result: conv, affine, add

  // conv
  kernels::Conv2dShape conv{};
  Tensor weight{}, bias{};  ///< bias may be undefined
  Tensor channel_scale{};   ///< of the filters, not yet applied to weight; undefined for 1
  int residual = -1;        ///< value added to the sum
  bool affine_input = false;

  // affine, or what a conv does to its input (then ReLU)
  Tensor scale{}, shift{};

  kernels::PoolWindows windows{};
  kernels::Taps taps{};
  int function = 0;  ///< unary
  kernels::UnaryParams params{};
};

struct Graph {
  std::vector<Value> values;  ///< 0 is the input
  std::vector<Step> steps;
  int output = 0;
  Shape result;  ///< of one image: the output's elements as the function shaped them
  Dtype dtype = Dtype::float32;

  /// Index of the step that makes `value`, -1 for the input.
  int producer(int value) const;
  /// How many steps read it; the output of the network counts as a reader.
  int readers(int value) const;
};

/// Runs f once on zeros [2, ...image] of the device; the tensors of the steps are on the host.
/// @throws ValueError, StateError as `compile` says
Graph trace(const std::function<Tensor(const Tensor&)>& f, const Shape& image, Dtype dtype,
            Device device);

/// Batch norms into convolutions, activations and sums into what makes them, norms in front of
/// pointwise convolutions into how those read; pooling before pointwise convolutions, which
/// commute.
void simplify(Graph& graph);

}  // namespace cytograd::inference
