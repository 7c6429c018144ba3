#include "cuda/emulation/runtime.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <vector>

#include "cuda/emulation/memory.h"
#include "cytograd/core/error.h"

/// @file
/// cuda/core/runtime.h on the emulated device. A stream is a queue that nobody works on until
/// somebody has to wait for it: what a program does too early, or forgets to wait for, shows.

namespace cytograd::cuda {
namespace {

struct Work {
  std::function<void()> run;
  bool bookkeeping = false;  // of events: runs even after an error
};

// Shared with the work that passes it.
struct Mark {
  StreamState* stream = nullptr;
  uint64_t recorded = 0, passed = 0;
  GraphState* graph = nullptr;  // recorded while capturing
};

}  // namespace

struct GraphState {
  std::vector<Work> work;
  std::vector<StreamState*> streams;  // that capture into it
};
struct StreamState {
  int device;
  std::deque<Work> queue;
  GraphState* capture = nullptr;
};
struct EventState {
  std::shared_ptr<Mark> mark = std::make_shared<Mark>();
};

namespace {

struct Machine {
  std::recursive_mutex mutex;
  std::set<StreamState*> streams;
  std::map<const char*, size_t, std::greater<>> host_blocks;
  std::exception_ptr pending;  // of work that ran where nobody could be told
};
Machine& machine() {
  static auto* instance = new Machine;
  return *instance;
}
using Lock = std::lock_guard<std::recursive_mutex>;

thread_local const char* last_operation = "no operation";

template <class T>
T from_environment(const char* name, T otherwise) {
  const char* text = std::getenv(name);
  if (!text) return otherwise;
  T value{};
  const char* end = text + std::strlen(text);
  const auto [at, error] = std::from_chars(text, end, value);
  check<ValueError>(error == std::errc{} && at == end, name, "expects a number, got ", text);
  return value;
}

// Runs the oldest piece of work. After an error only events still pass.
void run_one(StreamState& stream) {
  const Work work = std::move(stream.queue.front());
  stream.queue.pop_front();
  try {
    work.run();
  } catch (...) {
    for (Work& later : std::exchange(stream.queue, {}))
      if (later.bookkeeping) later.run();
    throw;
  }
}

void drain(StreamState& stream) {
  while (!stream.queue.empty()) run_one(stream);
}

void drain_quietly(StreamState& stream) noexcept {
  try {
    drain(stream);
  } catch (...) {
    if (!machine().pending) machine().pending = std::current_exception();
  }
}

void run_until(const Mark& mark, uint64_t place) {
  while (mark.passed < place && !mark.stream->queue.empty()) run_one(*mark.stream);
}

void throw_pending() {
  if (const auto error = std::exchange(machine().pending, nullptr)) std::rethrow_exception(error);
}

void refuse_while_capturing(const StreamState& stream, const char* what) {
  check<StateError>(!stream.capture, what,
                    "the stream is being captured; what it holds has not run");
}

void put(StreamState& stream, Work work) {
  if (stream.capture) return stream.capture->work.push_back(std::move(work));
  stream.queue.push_back(std::move(work));
  if (stream.queue.size() > emulated_machine().longest_queue)
    while (stream.queue.size() > emulated_machine().longest_queue / 2) run_one(stream);
}

bool reachable(const void* p, size_t bytes) {
  const auto* at = static_cast<const char*>(p);
  if (const auto block = simt::device_block_of(p))
    return at + bytes <= static_cast<const char*>(block->memory) + block->bytes;
  const auto host = machine().host_blocks.lower_bound(at);
  return host != machine().host_blocks.end() && at + bytes <= host->first + host->second;
}

void check_reachable(const void* p, size_t bytes, const char* what) {
  check<InternalError>(bytes == 0 || reachable(p, bytes), what,
                       "expects memory of the device or page-locked memory of the host");
}

}  // namespace

EmulatedMachine& emulated_machine() {
  static EmulatedMachine instance = [] {
    EmulatedMachine m;
    m.memory = from_environment("CYTO_EMULATION_MEMORY", m.memory);
    const int capability = from_environment("CYTO_EMULATION_CAPABILITY", 90);
    m.major = capability / 10;
    m.minor = capability % 10;
    return m;
  }();
  return instance;
}

void enqueue(StreamHandle stream, std::function<void()> work) {
  const Lock lock(machine().mutex);
  put(*stream, {std::move(work)});
}

int device_count() { return emulated_machine().devices; }
const std::string& absence() {
  static const std::string none, missing = "the emulated machine has no device";
  return device_count() > 0 ? none : missing;
}

const DeviceProperties& properties(int device) {
  if (device < 0 || device >= device_count())
    throw DeviceError({.id = "gpu.none",
                       .file = "",
                       .place = "",
                       .found = "there is no cuda:" + std::to_string(device) +
                                (absence().empty() ? "" : ": " + absence()),
                       .expected = "one of " + std::to_string(device_count()) + " devices",
                       .hint = "pass --device cpu"});
  thread_local DeviceProperties out;
  const EmulatedMachine& m = emulated_machine();
  out = {"Emulated SIMT device", m.major, m.minor, 4, m.memory, size_t{227} << 10};
  return out;
}

MemoryInfo memory_info(int) {
  const size_t total = emulated_machine().memory, used = simt::device_bytes();
  return {total > used ? total - used : 0, total};
}

void* allocate(int, size_t bytes) {
  const Lock lock(machine().mutex);
  if (simt::device_bytes() + bytes > emulated_machine().memory) return nullptr;
  try {
    return simt::device_allocate(bytes);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void release(int device, void* data) noexcept {
  const Lock lock(machine().mutex);
  for (StreamState* stream : machine().streams)
    if (stream->device == device) drain_quietly(*stream);
  simt::device_free(data);
}

void* allocate_host(size_t bytes) {
  const Lock lock(machine().mutex);
  auto* data = static_cast<char*>(std::malloc(bytes));
  if (data) machine().host_blocks.emplace(data, bytes);
  return data;
}
void release_host(void* data) noexcept {
  const Lock lock(machine().mutex);
  machine().host_blocks.erase(static_cast<const char*>(data));
  std::free(data);
}

StreamHandle create_stream(int device) {
  properties(device);
  const Lock lock(machine().mutex);
  auto* stream = new StreamState{device, {}, nullptr};
  machine().streams.insert(stream);
  return stream;
}
void destroy_stream(StreamHandle stream) noexcept {
  const Lock lock(machine().mutex);
  drain_quietly(*stream);
  machine().streams.erase(stream);
  delete stream;
}
void synchronize(StreamHandle stream) {
  const Lock lock(machine().mutex);
  refuse_while_capturing(*stream, "synchronize");
  drain(*stream);
  throw_pending();
}
void synchronize_device(int device) {
  const Lock lock(machine().mutex);
  for (StreamState* stream : machine().streams)
    if (stream->device == device) refuse_while_capturing(*stream, "synchronize");
  for (StreamState* stream : machine().streams)
    if (stream->device == device) drain(*stream);
  throw_pending();
}

void copy_async(void* to, const void* from, size_t bytes, StreamHandle stream) {
  const Lock lock(machine().mutex);
  check_reachable(to, bytes, "copy_async");
  check_reachable(from, bytes, "copy_async");
  put(*stream, {[=] { std::memcpy(to, from, bytes); }});
}
void set_async(void* to, int byte, size_t bytes, StreamHandle stream) {
  const Lock lock(machine().mutex);
  check_reachable(to, bytes, "set_async");
  put(*stream, {[=] { std::memset(to, byte, bytes); }});
}

EventHandle create_event() { return new EventState; }
void destroy_event(EventHandle event) noexcept { delete event; }
void record(EventHandle event, StreamHandle stream) {
  const Lock lock(machine().mutex);
  const std::shared_ptr<Mark> mark = event->mark;
  mark->graph = stream->capture;
  if (stream->capture) return;
  mark->stream = stream;
  const uint64_t place = ++mark->recorded;
  put(*stream, {[mark, place] { mark->passed = place; }, true});
}
bool done(EventHandle event) {
  const Lock lock(machine().mutex);
  const Mark& mark = *event->mark;
  // Whoever asks sees the device advance a little, not finish.
  if (mark.passed < mark.recorded) run_one(*mark.stream);
  return mark.passed >= mark.recorded;
}
void synchronize(EventHandle event) {
  const Lock lock(machine().mutex);
  const std::shared_ptr<Mark> mark = event->mark;
  check<StateError>(!mark->graph, "synchronize", "the event is in a graph; it has not run");
  run_until(*mark, mark->recorded);
  throw_pending();
}
void wait(StreamHandle stream, EventHandle event) {
  const Lock lock(machine().mutex);
  const std::shared_ptr<Mark> mark = event->mark;
  if (mark->graph) {
    if (stream->capture) return;
    stream->capture = mark->graph;
    mark->graph->streams.push_back(stream);
    return;
  }
  check<StateError>(!stream->capture || mark->passed >= mark->recorded, "wait",
                    "a captured stream cannot wait for work outside of the graph");
  const uint64_t place = mark->recorded;
  if (mark->passed < place) put(*stream, {[=] { run_until(*mark, place); }, true});
}
float elapsed_ms(EventHandle, EventHandle) { return 0; }

void begin_capture(StreamHandle stream) {
  const Lock lock(machine().mutex);
  refuse_while_capturing(*stream, "begin_capture");
  stream->capture = new GraphState{{}, {stream}};
}
GraphHandle end_capture(StreamHandle stream, size_t* nodes) {
  const Lock lock(machine().mutex);
  GraphState* graph = stream->capture;
  check<InternalError>(graph != nullptr, "end_capture", "the stream is not being captured");
  for (StreamState* joined : std::exchange(graph->streams, {})) joined->capture = nullptr;
  *nodes = graph->work.size();
  return graph;
}
void abandon_capture(StreamHandle stream) noexcept {
  const Lock lock(machine().mutex);
  GraphState* graph = stream->capture;
  if (!graph) return;
  for (StreamState* joined : graph->streams) joined->capture = nullptr;
  delete graph;
}
void launch_graph(GraphHandle graph, StreamHandle stream) {
  const Lock lock(machine().mutex);
  for (const Work& work : graph->work) put(*stream, work);
}
void destroy_graph(GraphHandle graph) noexcept {
  const Lock lock(machine().mutex);
  for (StreamState* stream : machine().streams) drain_quietly(*stream);
  delete graph;
}

void set_operation(const char* name) { last_operation = name; }
const char* operation() { return last_operation; }

}  // namespace cytograd::cuda
