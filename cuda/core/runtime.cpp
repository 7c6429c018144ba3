#include "cuda/core/runtime.h"

#include <cuda_runtime_api.h>

#include <vector>

#include "cytograd/core/error.h"

/// @file
/// cuda/core/runtime.h on the CUDA runtime.

namespace cytograd::cuda {

struct StreamState {
  int device;
  cudaStream_t stream;
};
struct EventState {
  cudaEvent_t event = nullptr;
  int device = -1;  // made on the device of the stream that records it first
};
struct GraphState {
  int device;
  cudaGraphExec_t graph;
};

/// What launch.cuh passes.
struct LaunchShape {
  unsigned grid[3], block[3];
  size_t dynamic_shared;
};
void launch_kernel(const char* operation, const void* kernel, const LaunchShape& shape,
                   void** arguments, StreamHandle stream);
/// What cuda/vendor passes to other libraries.
cudaStream_t native_stream(StreamHandle stream);

namespace {

thread_local const char* last_operation = "no operation";

void require(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // the next call reports its own
  throw DeviceError({.id = "gpu.failed",
                     .file = "",
                     .place = "",
                     .found = std::string(what) + ": " + cudaGetErrorName(error) + ": " +
                              cudaGetErrorString(error) + "; started last: " + last_operation,
                     .expected = "",
                     .hint = "CUDA_LAUNCH_BLOCKING=1 names the operation that failed"});
}

// The kernels are compiled for these.
bool supported(const cudaDeviceProp& p) { return p.major == 8 || p.major == 9; }

struct Machine {
  std::vector<int> ordinals;
  std::vector<DeviceProperties> devices;
  std::string absence;

  Machine() {
    int count = 0;
    const cudaError_t error = cudaGetDeviceCount(&count);
    cudaGetLastError();
    if (error == cudaErrorInsufficientDriver)
      absence = "the driver is missing or older than this build needs (CUDA " +
                std::to_string(CUDART_VERSION / 1000) + ")";
    else if (error != cudaSuccess)
      absence = std::string("no device: ") + cudaGetErrorString(error);
    for (int i = 0; error == cudaSuccess && i < count; ++i) add(i);
    if (devices.empty() && absence.empty()) absence = "there is no card";
    if (!devices.empty()) absence.clear();
  }

  void add(int ordinal) {
    cudaDeviceProp p;
    if (cudaGetDeviceProperties(&p, ordinal) != cudaSuccess) return;
    if (!supported(p)) {
      absence = std::string(p.name) + " has compute capability " + std::to_string(p.major) + "." +
                std::to_string(p.minor) + "; this build is for 8.0 to 9.0";
      return;
    }
    ordinals.push_back(ordinal);
    devices.push_back({p.name, p.major, p.minor, p.multiProcessorCount, p.totalGlobalMem,
                       p.sharedMemPerBlockOptin});
  }
};
const Machine& machine() {
  static const auto* instance = new Machine;
  return *instance;
}

void select(int device) {
  thread_local int selected = -1;
  if (device == selected) return;
  properties(device);
  require(cudaSetDevice(machine().ordinals[static_cast<size_t>(device)]), "cudaSetDevice");
  selected = device;
}

}  // namespace

int device_count() { return static_cast<int>(machine().devices.size()); }
const std::string& absence() { return machine().absence; }

const DeviceProperties& properties(int device) {
  if (device >= 0 && device < device_count()) return machine().devices[static_cast<size_t>(device)];
  throw DeviceError({.id = "gpu.none",
                     .file = "",
                     .place = "",
                     .found = "there is no cuda:" + std::to_string(device) +
                              (absence().empty() ? "" : ": " + absence()),
                     .expected = "one of " + std::to_string(device_count()) + " devices",
                     .hint = "pass --device cpu"});
}

MemoryInfo memory_info(int device) {
  select(device);
  MemoryInfo out;
  require(cudaMemGetInfo(&out.free, &out.total), "cudaMemGetInfo");
  return out;
}

void* allocate(int device, size_t bytes) {
  select(device);
  void* data = nullptr;
  const cudaError_t error = cudaMalloc(&data, bytes);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  require(error, "cudaMalloc");
  return data;
}
void release(int, void* data) noexcept { cudaFree(data); }

void* allocate_host(size_t bytes) {
  void* data = nullptr;
  if (cudaMallocHost(&data, bytes) == cudaSuccess) return data;
  cudaGetLastError();
  return nullptr;
}
void release_host(void* data) noexcept { cudaFreeHost(data); }

StreamHandle create_stream(int device) {
  select(device);
  cudaStream_t stream;
  require(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
  return new StreamState{device, stream};
}
void destroy_stream(StreamHandle stream) noexcept {
  cudaStreamSynchronize(stream->stream);
  cudaStreamDestroy(stream->stream);
  delete stream;
}
void synchronize(StreamHandle stream) {
  select(stream->device);
  require(cudaStreamSynchronize(stream->stream), "waiting for the device");
}
void synchronize_device(int device) {
  select(device);
  require(cudaDeviceSynchronize(), "waiting for the device");
}

void copy_async(void* to, const void* from, size_t bytes, StreamHandle stream) {
  select(stream->device);
  require(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream->stream), "cudaMemcpyAsync");
}
void set_async(void* to, int byte, size_t bytes, StreamHandle stream) {
  select(stream->device);
  require(cudaMemsetAsync(to, byte, bytes, stream->stream), "cudaMemsetAsync");
}

EventHandle create_event() { return new EventState; }
void destroy_event(EventHandle event) noexcept {
  if (event->event) cudaEventDestroy(event->event);
  delete event;
}
void record(EventHandle event, StreamHandle stream) {
  select(stream->device);
  if (event->device != stream->device) {
    if (event->event) cudaEventDestroy(event->event);
    event->event = nullptr;
    require(cudaEventCreate(&event->event), "cudaEventCreate");
    event->device = stream->device;
  }
  require(cudaEventRecord(event->event, stream->stream), "cudaEventRecord");
}
bool done(EventHandle event) {
  if (!event->event) return true;
  const cudaError_t error = cudaEventQuery(event->event);
  if (error == cudaErrorNotReady) {
    cudaGetLastError();
    return false;
  }
  require(error, "cudaEventQuery");
  return true;
}
void synchronize(EventHandle event) {
  if (event->event) require(cudaEventSynchronize(event->event), "waiting for the device");
}
void wait(StreamHandle stream, EventHandle event) {
  select(stream->device);
  if (event->event)
    require(cudaStreamWaitEvent(stream->stream, event->event, 0), "cudaStreamWaitEvent");
}
float elapsed_ms(EventHandle begin, EventHandle end) {
  float out = 0;
  require(cudaEventElapsedTime(&out, begin->event, end->event), "cudaEventElapsedTime");
  return out;
}

void begin_capture(StreamHandle stream) {
  select(stream->device);
  // Relaxed: memory may be allocated meanwhile, which does not touch the stream.
  require(cudaStreamBeginCapture(stream->stream, cudaStreamCaptureModeRelaxed),
          "cudaStreamBeginCapture");
}
GraphHandle end_capture(StreamHandle stream, size_t* nodes) {
  select(stream->device);
  cudaGraph_t graph = nullptr;
  require(cudaStreamEndCapture(stream->stream, &graph), "cudaStreamEndCapture");
  cudaGraphExec_t ready = nullptr;
  cudaError_t error = cudaGraphGetNodes(graph, nullptr, nodes);
  if (error == cudaSuccess) error = cudaGraphInstantiate(&ready, graph, 0);
  cudaGraphDestroy(graph);
  require(error, "cudaGraphInstantiate");
  return new GraphState{stream->device, ready};
}
void abandon_capture(StreamHandle stream) noexcept {
  cudaGraph_t graph = nullptr;
  cudaStreamEndCapture(stream->stream, &graph);
  if (graph) cudaGraphDestroy(graph);
  cudaGetLastError();
}
void launch_graph(GraphHandle graph, StreamHandle stream) {
  select(stream->device);
  require(cudaGraphLaunch(graph->graph, stream->stream), "cudaGraphLaunch");
}
void destroy_graph(GraphHandle graph) noexcept {
  cudaDeviceSynchronize();
  cudaGraphExecDestroy(graph->graph);
  delete graph;
}

cudaStream_t native_stream(StreamHandle stream) {
  select(stream->device);
  return stream->stream;
}

void set_operation(const char* name) { last_operation = name; }
const char* operation() { return last_operation; }

void launch_kernel(const char* operation, const void* kernel, const LaunchShape& shape,
                   void** arguments, StreamHandle stream) {
  select(stream->device);
  constexpr size_t usual_shared = size_t{48} << 10;
  if (shape.dynamic_shared > usual_shared)
    require(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(shape.dynamic_shared)),
            operation);
  const dim3 grid(shape.grid[0], shape.grid[1], shape.grid[2]);
  const dim3 block(shape.block[0], shape.block[1], shape.block[2]);
  require(cudaLaunchKernel(kernel, grid, block, arguments, shape.dynamic_shared, stream->stream),
          operation);
}

}  // namespace cytograd::cuda
