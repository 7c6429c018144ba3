#include <algorithm>

#include "cytograd/ops/elementwise.h"
#include "inference/graph.h"

namespace cytograd::inference {

int Graph::producer(int value) const {
  for (size_t i = 0; i < steps.size(); ++i)
    if (steps[i].output == value) return static_cast<int>(i);
  return -1;
}

int Graph::readers(int value) const {
  int count = value == output;
  for (const Step& step : steps) {
    count += static_cast<int>(std::count(step.inputs.begin(), step.inputs.end(), value));
    count += step.residual == value;
  }
  return count;
}

namespace {

constexpr int kRelu = kernels::UnaryFunctions::index<kernels::Relu>();

Step& at(Graph& graph, int index) { return graph.steps[static_cast<size_t>(index)]; }

void erase(Graph& graph, int index) { graph.steps.erase(graph.steps.begin() + index); }

// The step that makes `value` for this one reader only, or -1.
int sole_producer(const Graph& graph, int value) {
  return graph.readers(value) == 1 ? graph.producer(value) : -1;
}

bool is_bare(const Step& step) { return !step.relu && step.residual < 0; }

bool is_pointwise(const Step& step) {
  const kernels::Conv2dShape& s = step.conv;
  return step.kind == Kind::conv && s.kh == 1 && s.kw == 1 && s.stride_h == 1 && s.stride_w == 1 &&
         s.pad_h == 0 && s.pad_w == 0;
}

// The filters times scale, bias scale + shift. The filters themselves are scaled when they are
// packed, so that no second copy of all of them exists.
void scale_filters(Step& conv, const Tensor& scale, const Tensor& shift) {
  conv.channel_scale = conv.channel_scale.defined() ? conv.channel_scale * scale : scale;
  conv.bias = conv.bias.defined() ? conv.bias * scale + shift : shift;
}

// Each pass looks at step `i` and says whether it changed the graph.

bool fold_affine(Graph& graph, int i) {
  const Step& affine = at(graph, i);
  if (affine.kind != Kind::affine || affine.relu) return false;
  const int maker = sole_producer(graph, affine.inputs[0]);
  if (maker < 0) return false;
  Step& conv = at(graph, maker);
  if ((conv.kind != Kind::conv && conv.kind != Kind::grouped_conv) || !is_bare(conv)) return false;
  scale_filters(conv, affine.scale, affine.shift);
  conv.output = affine.output;
  erase(graph, i);
  return true;
}

bool join_relu(Graph& graph, int i) {
  const Step& step = at(graph, i);
  if (step.kind != Kind::unary || step.function != kRelu) return false;
  const int maker = sole_producer(graph, step.inputs[0]);
  if (maker < 0) return false;
  Step& before = at(graph, maker);
  if (before.relu || (before.kind != Kind::conv && before.kind != Kind::affine &&
                      before.kind != Kind::add && before.kind != Kind::grouped_conv))
    return false;
  before.relu = true;
  before.output = step.output;
  erase(graph, i);
  return true;
}

// The later of the two summands, so that the other is there when it is made.
bool join_sum(Graph& graph, int i) {
  const Step add = at(graph, i);
  if (add.kind != Kind::add || add.inputs[0] == add.inputs[1]) return false;
  const int a = graph.producer(add.inputs[0]), b = graph.producer(add.inputs[1]);
  const int later = std::max(a, b), which = later == a ? 0 : 1;
  if (later < 0) return false;
  Step& conv = at(graph, later);
  if (conv.kind != Kind::conv || !is_bare(conv) || graph.readers(conv.output) != 1) return false;
  conv.residual = add.inputs[static_cast<size_t>(1 - which)];
  conv.relu = add.relu;
  conv.output = add.output;
  erase(graph, i);
  return true;
}

// mean(conv1x1(x)) = conv1x1(mean(x)) where every window counts what it sums.
bool pool_first(Graph& graph, int i) {
  const Step& pool = at(graph, i);
  if (pool.kind != Kind::avg_pool) return false;
  for (const auto* axis : {&pool.windows.rows, &pool.windows.columns})
    for (const kernels::PoolWindow& w : *axis)
      if (w.divisor != w.end - w.begin) return false;
  const int maker = sole_producer(graph, pool.inputs[0]);
  if (maker < 0 || !is_pointwise(at(graph, maker)) || !is_bare(at(graph, maker))) return false;
  const auto rows = static_cast<int64_t>(pool.windows.rows.size()),
             columns = static_cast<int64_t>(pool.windows.columns.size());
  Step first = pool, second = at(graph, maker);
  if (second.conv.h * second.conv.w <= rows * columns) return false;
  first.inputs = second.inputs;
  first.output = second.output;
  graph.values[static_cast<size_t>(first.output)].shape = {rows, columns, second.conv.c_in};
  second.inputs = {first.output};
  second.output = pool.output;
  second.conv.h = rows;
  second.conv.w = columns;
  at(graph, maker) = first;
  at(graph, i) = second;
  return true;
}

bool join_input(Graph& graph, int i) {
  Step& conv = at(graph, i);
  if (!is_pointwise(conv) || conv.affine_input) return false;
  const int maker = sole_producer(graph, conv.inputs[0]);
  if (maker < 0) return false;
  const Step& affine = at(graph, maker);
  const bool same_image =
      graph.values[static_cast<size_t>(affine.output)].shape.back() == conv.conv.c_in;
  if (affine.kind != Kind::affine || !affine.relu || !same_image) return false;
  conv.affine_input = true;
  conv.scale = affine.scale;
  conv.shift = affine.shift;
  conv.inputs = affine.inputs;
  erase(graph, maker);
  return true;
}

void repeat(Graph& graph, bool (*pass)(Graph&, int)) {
  for (int i = 0; i < static_cast<int>(graph.steps.size()); ++i)
    if (pass(graph, i)) i = std::max(i - 2, -1);  // what moved to this place, and what now precedes
}

}  // namespace

void simplify(Graph& graph) {
  for (const auto pass : {fold_affine, join_relu, join_sum, join_relu, pool_first, join_input})
    repeat(graph, pass);
}

}  // namespace cytograd::inference
