#include <sstream>

#include "core/device_memory.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"

/// @file
/// What a build for the CPU says about other devices.

namespace cytograd {
namespace {

[[noreturn]] void refuse(Device device) {
  std::ostringstream found;
  found << "this build has no " << device;
  throw DeviceError({.id = "gpu.none",
                     .file = "",
                     .place = "",
                     .found = found.str() + "; it was built for the CPU",
                     .expected = "",
                     .hint = "pass --device cpu, or build for the device"});
}

}  // namespace

namespace device {

void* allocate(Device device, size_t) { refuse(device); }
void release(Device, void*) noexcept {}
MemoryStats stats(Device device) { refuse(device); }
void reset_peak(Device device) { refuse(device); }
void empty_cache(Device device) { refuse(device); }
void copy_from_host(Device device, void*, const void*, size_t) { refuse(device); }
void copy_to_host(Device device, void*, const void*, size_t) { refuse(device); }
void copy_across(Device to_device, void*, Device, const void*, size_t) { refuse(to_device); }

}  // namespace device

bool cuda_built() { return false; }
bool cuda_available() { return false; }
int cuda_device_count() { return 0; }
std::string cuda_absence() { return "this build has no device; it was built for the CPU"; }
CudaDevice cuda_device(int index) { refuse(Device::cuda(index)); }
void synchronize(Device device) {
  if (device.type != DeviceType::cpu) refuse(device);
}
void set_tf32(bool) {}
bool tf32() { return false; }
void set_cuda_kernels(CudaKernels kernels) {
  if (kernels == CudaKernels::vendor) refuse(Device::cuda());
}
CudaKernels cuda_kernels() { return CudaKernels::own; }
bool cuda_capturing() { return false; }

struct CudaGraph::State {};
CudaGraph::CudaGraph() = default;
CudaGraph::~CudaGraph() = default;
void CudaGraph::capture(Device device, const std::function<void()>&) { refuse(device); }
void CudaGraph::replay() const { refuse(Device::cuda()); }
bool CudaGraph::captured() const { return false; }
size_t CudaGraph::nodes() const { return 0; }

struct CudaUpload::State {};
CudaUpload::CudaUpload(Device device) : device_(device) { refuse(device); }
CudaUpload::~CudaUpload() = default;
void CudaUpload::start(const Tensors&) {}
Tensors CudaUpload::take() { return {}; }
void CudaUpload::release() {}

}  // namespace cytograd
