#include "cytograd/inference/compile.h"

#include <chrono>
#include <mutex>
#include <sstream>
#include <utility>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/memory.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/shape.h"
#include "inference/plan.h"
#include "kernels/affine.h"
#include "kernels/binary.h"
#include "kernels/elementwise.h"

namespace cytograd::inference {
namespace {

// Larger batches run in parts: measured no slower, and the workspace stays small.
constexpr int64_t kImagesAtOnce = 8;

/// Memory of one call: an arena for n images and views of the values in it.
struct Workspace {
  int64_t n = -1, room = 0;
  Tensor arena;
  Tensors values;  ///< undefined for the caller's tensors
};

Shape batched(int64_t n, const Shape& shape) {
  Shape out{n};
  for (const int64_t size : shape) out.push_back(size);
  return out;
}

// The value of that shape at its place in the buffer that begins at element `begin`.
Tensor slice_of(const Tensor& memory, int64_t begin, const Place& place, const Shape& shape) {
  Shape strides = shape;
  int64_t stride = place.pitch;
  strides[shape.ndim() - 1] = 1;
  for (int d = shape.ndim() - 2; d >= 0; stride *= shape[d--]) strides[d] = stride;
  return memory.as_strided(shape, strides, begin + place.offset);
}

}  // namespace

struct CompiledModel::Program {
  Graph graph;
  Plan plan;
  std::vector<kernels::PackedFilters> filters;  ///< of each step
  std::vector<StepCost> costs;
  mutable std::mutex mutex;
  mutable std::vector<std::unique_ptr<Workspace>> idle;

  const Value& value(int v) const { return graph.values[static_cast<size_t>(v)]; }
  const Place& place(int v) const { return plan.places[static_cast<size_t>(v)]; }

  std::unique_ptr<Workspace> borrow(int64_t n) const;
  void give_back(std::unique_ptr<Workspace> workspace) const;
  kernels::PackedFilters pack(const Step& conv, int64_t images) const;
  void run(const Tensor& x, const Tensor& y, std::span<double> seconds) const;
};

namespace {

using Program = CompiledModel::Program;

/// One pass through the steps.
template <class T>
class Run {
 public:
  Run(const Program& program, const Workspace& workspace, const Tensor& x, const Tensor& y)
      : program_(program), workspace_(workspace), x_(x), y_(y), n_(x.size(0)) {}

  // Adds the time of each step to `seconds`, unless that is empty.
  void steps(std::span<double> seconds) const {
    using Clock = std::chrono::steady_clock;
    Clock::time_point begin = Clock::now();
    for (size_t i = 0; i < program_.graph.steps.size(); ++i) {
      step(program_.graph.steps[i], i);
      if (seconds.empty()) continue;
      const Clock::time_point end = Clock::now();
      seconds[i] += std::chrono::duration<double>(end - std::exchange(begin, end)).count();
    }
    if (program_.graph.output == 0) kernels::copy(CpuContext{}, y_, x_);
  }

 private:
  Tensor view(int v) const {
    const Place& p = program_.place(v);
    if (p.buffer >= 0) return workspace_.values[static_cast<size_t>(v)];
    const Tensor& t = p.buffer == kInput ? x_ : y_;
    return slice_of(t, t.offset(), p, batched(n_, program_.value(v).shape));
  }
  T* data(int v) const {
    const Place& p = program_.place(v);
    if (p.buffer == kInput) return x_.data<T>();
    if (p.buffer == kResult) return y_.data<T>() + p.offset;
    return workspace_.arena.data<T>() + program_.plan.buffers[static_cast<size_t>(p.buffer)] * n_ +
           p.offset;
  }
  int64_t pitch(int v) const { return program_.place(v).pitch; }

  static const T* data_or_null(const Tensor& t) { return t.defined() ? t.data<T>() : nullptr; }

  void step(const Step& s, size_t i) const {
    constexpr CpuContext ctx;
    const int in = s.inputs[0], out = s.output;
    switch (s.kind) {
      case Kind::conv:
        return conv(s, i);
      case Kind::grouped_conv: {
        kernels::Conv2dShape shape = s.conv;
        shape.n = n_;
        return kernels::conv2d_forward<T>(shape, data(in), program_.filters[i].data.data<T>(),
                                          data(out),
                                          {.bias = data_or_null(s.bias), .relu = s.relu});
      }
      case Kind::affine: {
        const Shape& shape = program_.value(out).shape;
        return kernels::affine<T>(n_ * shape.numel() / shape.back(), shape.back(), data(in),
                                  pitch(in), s.scale.data<T>(), s.shift.data<T>(), s.relu,
                                  data(out), pitch(out));
      }
      case Kind::unary:
        return kernels::unary(ctx, s.function, s.params, view(in), view(out));
      case Kind::add:
        return sum(s);
      case Kind::max_pool:
        return kernels::max_pool2d(ctx, view(in), s.windows, view(out), Tensor{});
      case Kind::avg_pool:
        return kernels::avg_pool2d(ctx, view(in), s.windows, view(out));
      case Kind::upsample_nearest:
        return kernels::upsample_nearest(ctx, view(in), s.taps, view(out));
      case Kind::upsample_bilinear:
        return kernels::upsample_bilinear(ctx, view(in), s.taps, view(out));
      case Kind::concat:
        return concat(s);
    }
  }

  void conv(const Step& s, size_t i) const {
    const int in = s.inputs[0], out = s.output;
    kernels::Conv2dShape shape = s.conv;
    shape.n = n_;
    // A linear layer reads the axes of an image as channels: then the value is packed.
    shape.x_pitch = program_.value(in).packed ? 0 : pitch(in);
    shape.y_pitch = pitch(out);
    if (s.residual >= 0 && !program_.plan.same_memory(s.residual, out))
      kernels::copy(CpuContext{}, view(out), view(s.residual));
    kernels::Conv2dInput<T> input;
    if (s.affine_input) input = {s.scale.data<T>(), s.shift.data<T>()};
    kernels::conv2d_fused<T>(shape, data(in), program_.filters[i], data(out), input,
                             s.residual >= 0, {.bias = data_or_null(s.bias), .relu = s.relu});
  }

  void sum(const Step& s) const {
    constexpr CpuContext ctx;
    const Tensor y = view(s.output);
    kernels::binary(ctx, kernels::BinaryFunctions::index<kernels::Add>(), view(s.inputs[0]),
                    view(s.inputs[1]), y);
    if (s.relu) kernels::unary(ctx, kernels::UnaryFunctions::index<kernels::Relu>(), {}, y, y);
  }

  // Copies the parts that do not stand in their place already.
  void concat(const Step& s) const {
    const Tensor whole = view(s.output);
    int64_t offset = 0;
    for (const int part : s.inputs) {
      const Tensor from = view(part);
      Shape strides = whole.strides();
      const Tensor to = whole.as_strided(from.shape(), strides, whole.offset() + offset);
      if (from.storage() != to.storage() || from.offset() != to.offset())
        kernels::copy(CpuContext{}, to, from);
      offset += from.size(-1);
    }
  }

  const Program& program_;
  const Workspace& workspace_;
  const Tensor &x_, &y_;
  int64_t n_;
};

std::string describe(const Graph& graph, const Step& s) {
  static constexpr const char* names[] = {"conv2d",   "conv2d",   "affine",   "elementwise",
                                          "add",      "max_pool", "avg_pool", "upsample_nearest",
                                          "upsample", "concat"};
  std::ostringstream out;
  out << names[static_cast<size_t>(s.kind)];
  if (s.kind == Kind::conv || s.kind == Kind::grouped_conv)
    out << ' ' << s.conv.kh << 'x' << s.conv.kw;
  if (s.affine_input) out << " of relu(affine)";
  for (const int in : s.inputs) out << ' ' << graph.values[static_cast<size_t>(in)].shape;
  out << " -> " << graph.values[static_cast<size_t>(s.output)].shape;
  if (s.residual >= 0) out << " + residual";
  if (s.relu) out << ", relu";
  return out.str();
}

// [c_out, ...] times the scale of each filter.
Tensor scaled_filters(const Step& s) {
  if (!s.channel_scale.defined()) return s.weight;
  Shape per_filter = Shape::filled(s.weight.ndim(), 1);
  per_filter[0] = s.weight.size(0);
  return s.weight * reshape(s.channel_scale, per_filter);
}

/// Gives free memory back to the system while a network is compiled, as soon as there is markedly
/// more of it than before: blocks of weights seldom fit packed ones, and nobody asks for them
/// again.
class FreeMemory {
 public:
  void trim() const {
    constexpr size_t kept = size_t{4} << 20;
    if (memory_stats().cached > before_ + kept) empty_cache();
  }

 private:
  size_t before_ = memory_stats().cached;
};

StepCost cost_of(const Graph& graph, const Step& s) {
  const Shape& out = graph.values[static_cast<size_t>(s.output)].shape;
  StepCost cost{describe(graph, s), 0, out.numel() * static_cast<int64_t>(size_of(graph.dtype))};
  if (s.kind == Kind::conv || s.kind == Kind::grouped_conv)
    cost.flops = 2.0 * static_cast<double>(out.numel()) * static_cast<double>(s.conv.kh) *
                 static_cast<double>(s.conv.kw) * static_cast<double>(s.conv.c_in / s.conv.groups);
  return cost;
}

}  // namespace

std::unique_ptr<Workspace> CompiledModel::Program::borrow(int64_t n) const {
  std::unique_ptr<Workspace> w;
  {
    const std::lock_guard lock(mutex);
    // One that fits as it is, else any.
    for (size_t i = idle.size(); i-- > 0 && !w;)
      if (idle[i]->n == n || i == 0) {
        w = std::move(idle[i]);
        idle.erase(idle.begin() + static_cast<std::ptrdiff_t>(i));
      }
  }
  if (!w) w = std::make_unique<Workspace>();
  if (w->n == n) return w;
  w->values.clear();
  if (w->room < n) {
    w->arena = Tensor{};
    w->arena = Tensor::empty({plan.size * n}, graph.dtype);
    w->room = n;
  }
  w->n = n;
  w->values.resize(graph.values.size());
  for (size_t v = 0; v < w->values.size(); ++v) {
    const Place& p = plan.places[v];
    if (p.buffer < 0) continue;
    w->values[v] = slice_of(w->arena, plan.buffers[static_cast<size_t>(p.buffer)] * n, p,
                            batched(n, graph.values[v].shape));
  }
  return w;
}

kernels::PackedFilters CompiledModel::Program::pack(const Step& conv, int64_t images) const {
  const Tensor weight = scaled_filters(conv);
  if (conv.kind == Kind::grouped_conv) return {weight.clone()};  // the model's own may change
  kernels::Conv2dShape shape = conv.conv;
  shape.n = images;
  const int in = conv.inputs[0];
  shape.x_pitch = value(in).packed ? 0 : place(in).pitch;
  kernels::PackedFilters out;
  dispatch_floating(graph.dtype, "compile",
                    [&]<class T>() { out = kernels::pack_filters<T>(shape, weight.data<T>()); });
  return out;
}

void CompiledModel::Program::give_back(std::unique_ptr<Workspace> workspace) const {
  const std::lock_guard lock(mutex);
  idle.push_back(std::move(workspace));
}

void CompiledModel::Program::run(const Tensor& x, const Tensor& y,
                                 std::span<double> seconds) const {
  if (x.size(0) == 0) return;
  if (x.size(0) > kImagesAtOnce) {
    for (int64_t begin = 0; begin < x.size(0); begin += kImagesAtOnce) {
      const int64_t end = std::min(begin + kImagesAtOnce, x.size(0));
      run(slice(x, 0, begin, end), slice(y, 0, begin, end), seconds);
    }
    return;
  }
  std::unique_ptr<Workspace> workspace = borrow(x.size(0));
  dispatch_floating(graph.dtype, "compiled model",
                    [&]<class T>() { Run<T>(*this, *workspace, x, y).steps(seconds); });
  give_back(std::move(workspace));
}

CompiledModel::CompiledModel(std::shared_ptr<const Program> program)
    : program_(std::move(program)) {}

Tensor CompiledModel::operator()(const Tensor& x) const {
  check<ShapeError>(x.ndim() >= 1, "compiled model", "expects a batch, got ", x.shape());
  const Tensor y = Tensor::empty(batched(x.size(0), output_shape()), dtype());
  run(x, y);
  return y;
}

void CompiledModel::run(const Tensor& x, const Tensor& result) const { run(x, result, {}); }

void CompiledModel::run(const Tensor& x, const Tensor& result, std::span<double> seconds) const {
  constexpr const char* op = "compiled model";
  check<ShapeError>(x.ndim() >= 1 && x.shape() == batched(x.size(0), input_shape()), op,
                    "input expects [N, then ", input_shape(), "], got ", x.shape());
  check<ShapeError>(result.shape() == batched(x.size(0), output_shape()) && result.is_contiguous(),
                    op, "result expects ", batched(x.size(0), output_shape()), ", packed, got ",
                    result.shape());
  check<DtypeError>(x.dtype() == dtype() && result.dtype() == dtype(), op, "expects ", dtype(),
                    ", got ", x.dtype(), " and a result of ", result.dtype());
  check<ValueError>(seconds.empty() || seconds.size() == program_->costs.size(), op,
                    "seconds expects ", program_->costs.size(), " elements, got ", seconds.size());
  program_->run(x.detach().contiguous(), result, seconds);
}

const Shape& CompiledModel::input_shape() const { return program_->value(0).shape; }
const Shape& CompiledModel::output_shape() const { return program_->graph.result; }
Dtype CompiledModel::dtype() const { return program_->graph.dtype; }
int64_t CompiledModel::workspace_bytes(int64_t n) const {
  return program_->plan.size * std::min(n, kImagesAtOnce) * static_cast<int64_t>(size_of(dtype()));
}
int64_t CompiledModel::weight_bytes() const {
  size_t bytes = 0;
  for (const kernels::PackedFilters& f : program_->filters)
    if (f.data.defined()) bytes += f.data.bytes();
  return static_cast<int64_t>(bytes);
}
std::vector<StepCost> CompiledModel::steps() const { return program_->costs; }

CompiledModel compile(std::function<Tensor(const Tensor&)> f, const Shape& image,
                      const CompileOptions& options) {
  check<ValueError>(options.batch >= 1, "compile", "batch must be >= 1, got ", options.batch);
  check<ShapeError>(image.ndim() >= 1 && image.numel() > 0, "compile",
                    "expects the shape of one input without the batch, got ", image);
  const FreeMemory free_memory;
  auto program = std::make_shared<Program>();
  Graph& graph = program->graph;
  graph = trace(f, image, options.dtype);
  f = nullptr;  // and the model, if it was the last to hold it: each filter goes as it is packed
  free_memory.trim();
  const NoGrad no_grad;
  simplify(graph);
  program->plan = plan_memory(graph);
  program->filters.resize(graph.steps.size());
  for (size_t i = 0; i < graph.steps.size(); ++i) {
    Step& step = graph.steps[i];
    program->costs.push_back(cost_of(graph, step));
    if (step.kind != Kind::conv && step.kind != Kind::grouped_conv) continue;
    program->filters[i] = program->pack(step, std::min(options.batch, kImagesAtOnce));
    step.weight = step.channel_scale = Tensor{};
    free_memory.trim();
  }
  return CompiledModel(std::move(program));
}

}  // namespace cytograd::inference
