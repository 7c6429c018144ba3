#include <atomic>

#include "core/device_memory.h"
#include "cuda/core/allocator.h"
#include "cuda/core/staging.h"
#include "cuda/vendor/vendor.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"

/// @file
/// What the rest of the library asks of a device.

namespace cytograd {
namespace device {

void* allocate(Device device, size_t bytes) { return cuda::allocate_block(device.index, bytes); }
void release(Device device, void* data) noexcept { cuda::release_block(device.index, data); }
MemoryStats stats(Device device) { return cuda::memory_of(device.index); }
void reset_peak(Device device) { cuda::reset_peak_of(device.index); }
void empty_cache(Device device) { cuda::empty_cache_of(device.index); }

void copy_from_host(Device device, void* to, const void* from, size_t bytes) {
  cuda::stage_in(to, from, bytes, cuda::current_stream(device.index));
}
void copy_to_host(Device device, void* to, const void* from, size_t bytes) {
  cuda::stage_out(to, from, bytes, cuda::current_stream(device.index));
}
void copy_across(Device to_device, void* to, Device from_device, const void* from, size_t bytes) {
  const cuda::Stream &here = cuda::current_stream(from_device.index),
                     &there = cuda::current_stream(to_device.index);
  cuda::Event written, read;
  written.record(here);
  there.wait(written);
  cuda::copy_async(to, from, bytes, there.handle());
  read.record(there);  // later work may overwrite the source
  here.wait(read);
}

}  // namespace device

namespace {
std::atomic<bool> use_tf32{false};
std::atomic<CudaKernels> kernels_in_use{CudaKernels::own};
}  // namespace

bool cuda_built() { return true; }
bool cuda_available() { return cuda::device_count() > 0; }
int cuda_device_count() { return cuda::device_count(); }
std::string cuda_absence() { return cuda::absence(); }
CudaDevice cuda_device(int index) {
  const cuda::DeviceProperties& p = cuda::properties(index);
  const cuda::MemoryInfo memory = cuda::memory_info(index);
  return {p.name, p.major, p.minor, p.multiprocessors, memory.total, memory.free};
}

void synchronize(Device device) {
  if (device.type == DeviceType::cuda) cuda::synchronize_device(device.index);
}
void set_tf32(bool on) { use_tf32 = on; }
bool tf32() { return use_tf32; }
void set_cuda_kernels(CudaKernels kernels) {
  if (kernels == CudaKernels::vendor) cuda::vendor::require();
  kernels_in_use = kernels;
}
CudaKernels cuda_kernels() { return kernels_in_use; }
bool cuda_capturing() { return cuda::capturing(); }

struct CudaGraph::State {
  explicit State(int device) : stream(device) {}
  ~State() {
    if (graph) cuda::destroy_graph(graph);
    cuda::end_pool(stream.device(), pool);
  }
  cuda::Stream stream;  // to capture on: nothing else is on it
  std::shared_ptr<cuda::GraphPool> pool = std::make_shared<cuda::GraphPool>();
  cuda::GraphHandle graph = nullptr;
  size_t nodes = 0;
};

CudaGraph::CudaGraph() = default;
CudaGraph::~CudaGraph() = default;

void CudaGraph::capture(Device device, const std::function<void()>& function) {
  constexpr const char* op = "CudaGraph::capture";
  check<StateError>(!captured(), op, "this holds a graph already");
  check<StateError>(!cuda::capturing(), op, "this thread is capturing another graph");
  check<DeviceError>(device.type == DeviceType::cuda, op, "expects a cuda device, got ", device);
  auto state = std::make_unique<State>(device.index);
  cuda::begin_capture(state->stream.handle());
  try {
    const cuda::StreamScope stream(state->stream);
    const cuda::PoolScope pool(state->pool);
    function();
  } catch (...) {
    cuda::abandon_capture(state->stream.handle());
    throw;
  }
  state->graph = cuda::end_capture(state->stream.handle(), &state->nodes);
  state_ = std::move(state);
}

void CudaGraph::replay() const {
  check<StateError>(captured(), "CudaGraph::replay", "nothing was captured");
  cuda::launch_graph(state_->graph, cuda::current_stream(state_->stream.device()).handle());
}
bool CudaGraph::captured() const { return state_ != nullptr; }
size_t CudaGraph::nodes() const { return state_ ? state_->nodes : 0; }

}  // namespace cytograd
