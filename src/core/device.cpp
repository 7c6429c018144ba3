#include "cytograd/core/device.h"

#include <charconv>
#include <ostream>

#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"

namespace cytograd {

Device parse_device(const std::string& text) {
  if (text == "cpu") return Device::cpu();
  if (text == "cuda") return Device::cuda();
  int index = -1;
  if (text.starts_with("cuda:")) {
    const char* last = text.data() + text.size();
    const auto [end, ec] = std::from_chars(text.data() + 5, last, index);
    if (ec == std::errc{} && end == last && index >= 0) return Device::cuda(index);
  }
  throw ValueError("device: expected cpu, cuda or cuda:N, got \"" + text + "\"");
}

Device choose_device(const std::string& text) {
  if (text == "auto") return cuda_available() ? Device::cuda() : Device::cpu();
  const Device device = parse_device(text);
  if (device.type == DeviceType::cuda) (void)cuda_device(device.index);
  return device;
}

void choose_kernels(Device device, const std::string& text) {
  check<ValueError>(text == "own" || text == "vendor", "kernels", "expected own or vendor, got \"",
                    escape_control(text), "\"");
  const bool vendor = text == "vendor";
  check<ValueError>(!vendor || device.type == DeviceType::cuda, "kernels",
                    "vendor goes with a cuda device, got ", device);
  set_cuda_kernels(vendor ? CudaKernels::vendor : CudaKernels::own);
}

std::string describe(Device device) {
  if (device.type == DeviceType::cpu) return "cpu";
  return "cuda:" + std::to_string(device.index) + " (" + cuda_device(device.index).name + ")";
}

std::ostream& operator<<(std::ostream& out, Device device) {
  if (device.type == DeviceType::cpu) return out << "cpu";
  return out << "cuda:" << device.index;
}

}  // namespace cytograd
