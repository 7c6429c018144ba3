#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "cytograd/core/device.h"
#include "cytograd/core/tensor.h"

/// @file
/// Devices other than the CPU. A build for the CPU has none, and every call that needs one throws
/// DeviceError [gpu.none].

namespace cytograd {

/// Was this library built for such devices at all?
bool cuda_built();
/// Is there one that can be used? Never throws; false without a driver.
bool cuda_available();
int cuda_device_count();
/// The device that "cpu", "cuda", "cuda:1" or "auto" names; auto is the first CUDA device if there
/// is one. @throws ValueError for other words, DeviceError gpu.none if it is not there
Device choose_device(const std::string& text);
/// "cpu" or "cuda:0 (NVIDIA H200)".
std::string describe(Device device);
/// Why there is none: no driver, an old one, no supported card. Empty if there is one.
std::string cuda_absence();

/// What is known of a device.
struct CudaDevice {
  std::string name;
  int major = 0, minor = 0;  ///< compute capability
  int multiprocessors = 0;
  size_t memory = 0, free_memory = 0;  ///< bytes
};
/// @throws DeviceError if there is no such device
CudaDevice cuda_device(int index);

/// Waits until everything that was asked of the device is done; the CPU always is.
/// @throws DeviceError with what went wrong there since the last wait
void synchronize(Device device);

/// Lets matrix products and convolutions of float32 tensors round their inputs to TF32 (10 bits of
/// mantissa) for the tensor cores. Off by default: float32 is exact float32. For the whole process;
/// not for use while other threads compute.
void set_tf32(bool on);
bool tf32();

/// Whose kernels compute matrix products and convolutions on a device: our own, or cuBLASLt's and
/// cuDNN's where they offer a deterministic algorithm for float32 (or TF32) and bfloat16. Own by
/// default. For the whole process; not for use while other threads compute.
enum class CudaKernels { own, vendor };
/// @throws DeviceError gpu.vendor if this build or machine has no such libraries
void set_cuda_kernels(CudaKernels kernels);
CudaKernels cuda_kernels();
/// The same by the names of --kernels: "own" or "vendor".
/// @throws ValueError for other words, and for "vendor" on the CPU
void choose_kernels(Device device, const std::string& text);

/// Is this thread inside CudaGraph::capture? Work then is recorded, not done.
bool cuda_capturing();

/// A sequence of device work that was recorded once and runs again with one call, without the cost
/// of starting its kernels one by one.
///
/// `capture` runs the function, which records its kernels instead of running them. They are bound
/// to the memory they were given: what the function read must stay alive and be refilled in place
/// (`copy_`) between replays; what it made, including gradients, is found in the same tensors after
/// each replay. Its temporary memory belongs to the graph. The function must not look at values
/// (`item`, `to_vector`), nor wait for the device; run it once before, so that nothing is made for
/// the first time while capturing. Not for several threads.
class CudaGraph {
 public:
  CudaGraph();
  ~CudaGraph();
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;

  /// @throws StateError if this holds a graph already, or the function waited for the device;
  ///         DeviceError, and whatever the function throws
  void capture(Device device, const std::function<void()>& function);
  /// Puts the work behind what the current stream of the device has. @throws StateError if empty
  void replay() const;
  bool captured() const;
  /// Kernels and copies in it.
  size_t nodes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Copies from the host that run beside the work of a device, on a stream of their own: the next
/// batch while a step computes.
///
///     upload.start({images, labels});  // returns when the tensors were read
///     ...                              // other work of the device
///     Tensors there = upload.take();   // later work of the current stream waits for the copies
///     input.copy_(there[0]);
///     upload.release();                // work after this uses them no more
///
/// The memory belongs to this object and is used again. Not for several threads.
class CudaUpload {
 public:
  /// @throws DeviceError unless this is a cuda device that is there
  explicit CudaUpload(Device device);
  ~CudaUpload();
  CudaUpload(const CudaUpload&) = delete;
  CudaUpload& operator=(const CudaUpload&) = delete;

  /// Drops what was started before and not taken.
  void start(const Tensors& sources);
  Tensors take();
  void release();

 private:
  struct State;
  Device device_;
  std::unique_ptr<State> state_;
};

}  // namespace cytograd
