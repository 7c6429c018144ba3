#pragma once

#include <functional>

#include "cuda/core/runtime.h"
#include "cytograd/core/device.h"

namespace cytograd::cuda {

class Event;

/// A queue of work of one device.
class Stream {
 public:
  explicit Stream(int device) : device_(device), handle_(create_stream(device)) {}
  ~Stream() { destroy_stream(handle_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  int device() const { return device_; }
  StreamHandle handle() const { return handle_; }
  void synchronize() const { cuda::synchronize(handle_); }
  /// Later work here waits for the event.
  void wait(const Event& event) const;

 private:
  int device_;
  StreamHandle handle_;
};

/// A place in a stream.
class Event {
 public:
  Event() : handle_(create_event()) {}
  ~Event() { destroy_event(handle_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(const Stream& stream) { cuda::record(handle_, stream.handle()); }
  bool done() const { return cuda::done(handle_); }
  void synchronize() const { cuda::synchronize(handle_); }
  EventHandle handle() const { return handle_; }

 private:
  EventHandle handle_;
};

inline void Stream::wait(const Event& event) const { cuda::wait(handle_, event.handle()); }

/// The stream that operations of this thread use: that of the innermost StreamScope, else one per
/// device that all threads share. @throws DeviceError gpu.none without such a device
Stream& current_stream(int device);

/// Operations of this thread use `stream`. What another stream made must be waited for by hand.
class StreamScope {
 public:
  explicit StreamScope(Stream& stream);
  ~StreamScope();
  StreamScope(const StreamScope&) = delete;
  StreamScope& operator=(const StreamScope&) = delete;

 private:
  Stream* outer_;
};

}  // namespace cytograd::cuda
