#include <map>
#include <string_view>
#include <tuple>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/autograd/trace.h"
#include "cytograd/core/error.h"
#include "inference/graph.h"
#include "kernels/row_stride.h"
#include "ops/traced_params.h"

namespace cytograd::inference {
namespace {

constexpr int64_t kBatch = 2;  // not 1, so that an axis of length 1 is not taken for the batch

// Steps are rewritten on the host.
Tensor at_hand(const Tensor& t) { return t.detach().contiguous().to(Device{}); }

class GraphTracer final : public autograd::Tracer {
 public:
  GraphTracer(Graph& graph, const Tensor& input) : graph_(graph) { define(input); }

  void operation(const char* name, const Tensors& inputs, const Tensor& output,
                 const Tensors& saved, const autograd::TracedParams& params) override {
    bool on_constants = true;
    for (const Tensor& x : inputs) on_constants &= !x.defined() || find(x) < 0;
    if (!on_constants) translate(name, inputs, output, saved, params);
  }

  int value_of(const Tensor& t) const {
    const int value = find(t);
    check<ValueError>(value >= 0, "compile",
                      "the result does not come from the input by operations that are recorded");
    return value;
  }

 private:
  // The same data seen with the same shape is the same value, whichever handle shows it.
  using Key = std::tuple<const void*, int64_t, std::vector<int64_t>>;
  static Key key(const Tensor& t) {
    return {t.storage().get(), t.offset(), {t.shape().begin(), t.shape().end()}};
  }
  int find(const Tensor& t) const {
    const auto at = values_.find(key(t));
    return at == values_.end() || at->second.storage.expired() ? -1 : at->second.value;
  }
  void remember(const Tensor& t, int value) { values_[key(t)] = {value, t.storage()}; }

  int define(const Tensor& t) {
    check<ValueError>(t.ndim() >= 2 && t.size(0) == kBatch && row_stride(t) >= 0, "compile",
                      "expects every result to be a packed batch of arrays, got one of shape ",
                      t.shape());
    const int value = new_value(t);
    remember(t, value);
    return value;
  }
  // A value shaped as t, which need not exist.
  int new_value(const Tensor& t) {
    const Shape shape(std::span<const int64_t>(t.shape().begin() + 1, t.shape().end()));
    graph_.values.push_back({shape});
    return static_cast<int>(graph_.values.size()) - 1;
  }

  Step& add_step(Kind kind, std::vector<int> inputs, const Tensor& output) {
    const int value = define(output);
    graph_.steps.push_back({.kind = kind, .inputs = std::move(inputs), .output = value});
    return graph_.steps.back();
  }
  // One more step that takes over the output of the last one.
  Step& then(Kind kind, const Tensor& output) {
    Step& before = graph_.steps.back();
    const int result = before.output, between = new_value(output);
    before.output = between;
    graph_.steps.push_back({.kind = kind, .inputs = {between}, .output = result});
    return graph_.steps.back();
  }

  void translate(std::string_view name, const Tensors& inputs, const Tensor& output,
                 const Tensors& saved, const autograd::TracedParams& params);
  void linear(const Tensors& inputs, const Tensor& output);
  void batch_norm(const Tensors& inputs, const Tensor& output, const Tensors& saved,
                  const BatchNormCall& call);

  [[noreturn]] static void refuse(std::string_view name) {
    throw ValueError("compile: the operation " + std::string(name) +
                     " has no inference form; run the model itself");
  }

  Graph& graph_;
  struct Seen {
    int value;
    std::weak_ptr<Storage> storage;  // an address may come to hold another tensor
  };
  std::map<Key, Seen> values_;
};

void GraphTracer::linear(const Tensors& inputs, const Tensor& output) {
  const Tensor &x = inputs[0], &weight = inputs[1];
  const int value = value_of(x);
  graph_.values[static_cast<size_t>(value)].packed |= x.ndim() == 2;
  Step& step = add_step(Kind::conv, {value}, output);
  step.weight = at_hand(weight);
  step.bias = inputs[2].defined() ? at_hand(inputs[2]).clone() : Tensor{};
  step.conv = {.n = kBatch,
               .h = x.numel() / x.size(-1) / kBatch,
               .w = 1,
               .c_in = x.size(-1),
               .c_out = weight.size(0),
               .kh = 1,
               .kw = 1};
}

// y = (x - mean) rstd weight + bias, from what the operation keeps for backward; then the residual
// and the ReLU as steps of their own.
void GraphTracer::batch_norm(const Tensors& inputs, const Tensor& output, const Tensors& saved,
                             const BatchNormCall& call) {
  check<StateError>(!call.training, "compile",
                    "batch norm is in training mode; call eval() on the model");
  const Tensor &mean = saved[2], &rstd = saved[3];
  const Tensor weight = call.weight ? inputs[1].detach() : Tensor::ones(mean.shape(), mean.dtype());
  const Tensor bias = call.bias ? inputs[call.weight ? 2 : 1].detach() : Tensor::zeros_like(mean);
  Step& step = add_step(Kind::affine, {value_of(inputs[0])}, output);
  step.scale = Tensor::empty(mean.shape(), mean.dtype());
  step.shift = Tensor::empty(mean.shape(), mean.dtype());
  const auto w = weight.to_vector<double>(), b = bias.to_vector<double>(),
             m = mean.to_vector<double>(), r = rstd.to_vector<double>();
  dispatch_floating(mean.dtype(), "compile", [&]<class T>() {
    for (size_t c = 0; c < w.size(); ++c) {
      step.scale.data<T>()[c] = static_cast<T>(w[c] * r[c]);
      step.shift.data<T>()[c] = static_cast<T>(b[c] - m[c] * w[c] * r[c]);
    }
  });
  if (call.residual) then(Kind::add, output).inputs.push_back(value_of(inputs.back()));
  if (call.relu)
    then(Kind::unary, output).function = kernels::UnaryFunctions::index<kernels::Relu>();
}

void GraphTracer::translate(std::string_view name, const Tensors& inputs, const Tensor& output,
                            const Tensors& saved, const autograd::TracedParams& params) {
  if (name == "reshape") {
    const int value = value_of(inputs[0]);
    Value& v = graph_.values[static_cast<size_t>(value)];
    check<ValueError>(output.ndim() >= 2 && output.size(0) == kBatch, "compile",
                      "a reshape mixes images: ", inputs[0].shape(), " to ", output.shape());
    v.packed |= output.size(-1) != v.shape.back();
    return remember(output, value);
  }
  for (const Tensor& x : inputs)
    if (x.defined() && find(x) < 0 && x.ndim() == output.ndim() && name != "conv2d" &&
        name != "linear")
      refuse(std::string(name) + " of a constant");
  if (name == "linear") return linear(inputs, output);
  if (const auto* call = params.get<BatchNormCall>())
    return batch_norm(inputs, output, saved, *call);
  if (const auto* shape = params.get<kernels::Conv2dShape>(); shape && name == "conv2d") {
    Step& step = add_step(shape->groups == 1 ? Kind::conv : Kind::grouped_conv,
                          {value_of(inputs[0])}, output);
    step.conv = *shape;
    step.weight = at_hand(inputs[1]);
    step.bias = inputs[2].defined() ? at_hand(inputs[2]).clone() : Tensor{};
    return;
  }
  if (const auto* call = params.get<UnaryCall>()) {
    Step& step = add_step(Kind::unary, {value_of(inputs[0])}, output);
    step.function = call->function;
    step.params = call->params;
    return;
  }
  if (const auto* windows = params.get<kernels::PoolWindows>()) {
    const bool max = name.find("max") != name.npos;
    add_step(max ? Kind::max_pool : Kind::avg_pool, {value_of(inputs[0])}, output).windows =
        *windows;
    return;
  }
  if (const auto* taps = params.get<kernels::Taps>()) {
    const bool nearest = name == "upsample_nearest";
    add_step(nearest ? Kind::upsample_nearest : Kind::upsample_bilinear, {value_of(inputs[0])},
             output)
        .taps = *taps;
    return;
  }
  if (name == "add" && inputs[0].shape() == inputs[1].shape()) {
    add_step(Kind::add, {value_of(inputs[0]), value_of(inputs[1])}, output);
    return;
  }
  if (name == "channel_buffer") return remember(output, value_of(inputs[0]));
  if (name == "append") {
    add_step(Kind::concat, {value_of(inputs[0]), value_of(inputs[1])}, output);
    return;
  }
  const auto* dim = params.get<int>();
  if (name == "concat" && dim && *dim == output.ndim() - 1) {
    std::vector<int> parts;
    for (const Tensor& x : inputs) parts.push_back(value_of(x));
    add_step(Kind::concat, std::move(parts), output);
    return;
  }
  refuse(name);
}

}  // namespace

Graph trace(const std::function<Tensor(const Tensor&)>& f, const Shape& image, Dtype dtype,
            Device device) {
  Shape shape{kBatch};
  for (const int64_t size : image) shape.push_back(size);
  const Tensor x = Tensor::zeros(shape, dtype, device);
  Graph graph;
  graph.dtype = dtype;
  const NoGrad no_grad;
  GraphTracer tracer(graph, x);
  const Tensor y = f(x);
  check<DtypeError>(y.dtype() == dtype, "compile", "the result is ", y.dtype(), ", expected ",
                    dtype);
  graph.output = tracer.value_of(y);
  graph.result = Shape(std::span<const int64_t>(y.shape().begin() + 1, y.shape().end()));
  return graph;
}

}  // namespace cytograd::inference
