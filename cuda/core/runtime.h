#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

/// @file
/// The device as plain functions: the only place that names the CUDA runtime
/// (cuda/core/runtime.cpp) or the emulated device (cuda/emulation/runtime.cpp). Errors of the
/// device become DeviceError with the operation that was started last; nothing here takes a lock of
/// this library.

namespace cytograd::cuda {

struct DeviceProperties {
  std::string name;
  int major = 0, minor = 0, multiprocessors = 0;
  size_t memory = 0;
  size_t dynamic_shared = 0;  ///< most that one block may have, bytes
};

/// 0 without a driver, with an old one, or without a card; `absence` then says which.
int device_count();
const std::string& absence();
/// @throws DeviceError gpu.none unless 0 <= device < device_count()
const DeviceProperties& properties(int device);
struct MemoryInfo {
  size_t free = 0, total = 0;
};
MemoryInfo memory_info(int device);

/// A queue of work of one device; what runs on it, runs in order.
struct StreamState;
using StreamHandle = StreamState*;
/// A place in a stream.
struct EventState;
using EventHandle = EventState*;
/// Work that was captured, ready to run.
struct GraphState;
using GraphHandle = GraphState*;

/// Memory of the device, aligned to 256 bytes, or null when it is full.
void* allocate(int device, size_t bytes);
/// Waits for all work that may use it.
void release(int device, void* data) noexcept;
/// Page-locked memory of the host, or null when there is none.
void* allocate_host(size_t bytes);
void release_host(void* data) noexcept;

StreamHandle create_stream(int device);
/// Waits for what is on it.
void destroy_stream(StreamHandle stream) noexcept;
void synchronize(StreamHandle stream);
/// Waits for every stream of the device.
void synchronize_device(int device);

/// Host memory must be page-locked and stay as it is until the stream has passed.
void copy_async(void* to, const void* from, size_t bytes, StreamHandle stream);
void set_async(void* to, int byte, size_t bytes, StreamHandle stream);

EventHandle create_event();
void destroy_event(EventHandle event) noexcept;
void record(EventHandle event, StreamHandle stream);
/// Has the work before the event finished? True for one that was never recorded.
bool done(EventHandle event);
void synchronize(EventHandle event);
/// Later work on `stream` waits for the event.
void wait(StreamHandle stream, EventHandle event);
/// Milliseconds from one event to another, both done and made with timing. The emulated device has
/// no time: 0.
float elapsed_ms(EventHandle begin, EventHandle end);

/// Until `end_capture`, work put on `stream`, or on streams that wait for it, is kept instead of
/// run.
void begin_capture(StreamHandle stream);
/// @param nodes  how many pieces of work there are
GraphHandle end_capture(StreamHandle stream, size_t* nodes);
/// After an error while capturing.
void abandon_capture(StreamHandle stream) noexcept;
void launch_graph(GraphHandle graph, StreamHandle stream);
/// Waits for the runs of the graph.
void destroy_graph(GraphHandle graph) noexcept;

/// The operation that error messages name: what this thread started last.
void set_operation(const char* name);
const char* operation();

}  // namespace cytograd::cuda
