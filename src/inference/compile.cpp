#include "cytograd/inference/compile.h"

#include <sstream>
#include <utility>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/memory.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/shape.h"
#include "inference/program.h"
#include "kernels/elementwise.h"

namespace cytograd::inference {

Tensor slice_of(const Tensor& memory, int64_t begin, const Place& place, const Shape& shape) {
  Shape strides = shape;
  int64_t stride = place.pitch;
  strides[shape.ndim() - 1] = 1;
  for (int d = shape.ndim() - 2; d >= 0; stride *= shape[d--]) strides[d] = stride;
  return memory.as_strided(shape, strides, begin + place.offset);
}

namespace {

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

// Larger batches run in parts: on the CPU measured no slower, and the workspace stays small. A
// device wants many at once.
int64_t CompiledModel::Program::images_at_once() const {
  return device.type == DeviceType::cpu ? 8 : 256;
}

std::unique_ptr<Workspace> CompiledModel::Program::borrow(int64_t n, const void* stream) const {
  std::unique_ptr<Workspace> w;
  {
    const std::lock_guard lock(mutex);
    // One that fits as it is, else any.
    auto best = idle.end();
    for (auto at = idle.begin(); at != idle.end(); ++at)
      if ((*at)->stream == stream && (best == idle.end() || (*at)->n == n)) best = at;
    if (best != idle.end()) {
      w = std::move(*best);
      idle.erase(best);
    }
  }
  if (!w) w = std::make_unique<Workspace>();
  w->stream = stream;
  if (w->n == n) return w;
  w->values.clear();
  if (w->room < n) {
    w->arena = Tensor{};
    w->arena = Tensor::empty({plan.size * n}, storage, device);
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
  if (device.type != DeviceType::cpu) return {weight.to(storage).to(device)};
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

// Biases and maps go where the filters are.
void CompiledModel::Program::upload() {
  for (Step& step : graph.steps) {
    if (step.bias.defined()) step.bias = step.bias.to(storage).to(device);
    if (step.scale.defined()) step.scale = step.scale.to(device);
    if (step.shift.defined()) step.shift = step.shift.to(device);
  }
}

void CompiledModel::Program::give_back(std::unique_ptr<Workspace> workspace) const {
  const std::lock_guard lock(mutex);
  idle.push_back(std::move(workspace));
}

void CompiledModel::Program::run(const Tensor& x, const Tensor& y,
                                 std::span<double> seconds) const {
  if (x.size(0) == 0) return;
  const int64_t most = images_at_once();
  if (x.size(0) > most) {
    for (int64_t begin = 0; begin < x.size(0); begin += most) {
      const int64_t end = std::min(begin + most, x.size(0));
      run(slice(x, 0, begin, end), slice(y, 0, begin, end), seconds);
    }
    return;
  }
  if (storage == graph.dtype)
    return on_device(x, [&](auto ctx) { run_steps(ctx, *this, x, y, seconds); });
  const NoGrad no_grad;
  const Tensor from = x.to(storage), to = Tensor::empty(y.shape(), storage, device);
  on_device(x, [&](auto ctx) {
    run_steps(ctx, *this, from, to, seconds);
    kernels::copy(ctx, y, to);
  });
}

CompiledModel::CompiledModel(std::shared_ptr<const Program> program)
    : program_(std::move(program)) {}

Tensor CompiledModel::operator()(const Tensor& x) const {
  check<ShapeError>(x.ndim() >= 1, "compiled model", "expects a batch, got ", x.shape());
  const Tensor y = Tensor::empty(batched(x.size(0), output_shape()), dtype(), device());
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
  check<DeviceError>(x.device() == device() && result.device() == device(), op,
                     "expects tensors on ", device(), ", got ", x.device(), " and ",
                     result.device());
  check<ValueError>(seconds.empty() || seconds.size() == program_->costs.size(), op,
                    "seconds expects ", program_->costs.size(), " elements, got ", seconds.size());
  program_->run(x.detach().contiguous(), result, seconds);
}

const Shape& CompiledModel::input_shape() const { return program_->value(0).shape; }
const Shape& CompiledModel::output_shape() const { return program_->graph.result; }
Dtype CompiledModel::dtype() const { return program_->graph.dtype; }
Device CompiledModel::device() const { return program_->device; }
int64_t CompiledModel::workspace_bytes(int64_t n) const {
  return program_->plan.size * std::min(n, program_->images_at_once()) *
         static_cast<int64_t>(size_of(program_->storage));
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
  const bool on_cpu = options.device.type == DeviceType::cpu;
  check<DtypeError>(on_cpu || options.dtype == Dtype::float32, "compile",
                    "expects a float32 model on a device, got ", options.dtype);
  check<ValueError>(!on_cpu || !options.bfloat16, "compile",
                    "bfloat16 is stored on a device only, not on the CPU");
  const FreeMemory free_memory;
  auto program = std::make_shared<CompiledModel::Program>();
  Graph& graph = program->graph;
  program->device = options.device;
  program->storage = options.bfloat16 ? Dtype::bfloat16 : options.dtype;
  graph = trace(f, image, options.dtype, options.device);
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
    program->filters[i] = program->pack(step, std::min(options.batch, program->images_at_once()));
    step.weight = step.channel_scale = Tensor{};
    free_memory.trim();
  }
  if (!on_cpu) program->upload();
  return CompiledModel(std::move(program));
}

}  // namespace cytograd::inference
