#include "bench/support/device.h"

#include "cytograd/core/autocast.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"

namespace cytograd::bench {
namespace {

struct Setting {
  Device device;
  Precision precision = Precision::float32;
};
Setting& setting() {
  static Setting instance;
  return instance;
}

}  // namespace

Precision parse_precision(const std::string& text) {
  if (text == "float32") return Precision::float32;
  if (text == "tf32") return Precision::tf32;
  check<ValueError>(text == "bf16", "precision", "expects float32, tf32 or bf16, got ",
                    escape_control(text));
  return Precision::bf16;
}

void set_device(Device device, Precision precision) {
  check<ValueError>(device.type != DeviceType::cpu || precision == Precision::float32, "precision",
                    "expects float32 on the CPU");
  setting() = {device, precision};
  set_tf32(precision == Precision::tf32);
}

Device device() { return setting().device; }
Precision precision() { return setting().precision; }

Tensor placed(const Tensor& tensor) { return tensor.to(device()); }

void in_precision(const std::function<void()>& run) {
  const Autocast autocast(setting().precision == Precision::bf16);
  run();
}

}  // namespace cytograd::bench
