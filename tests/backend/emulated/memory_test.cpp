#include <doctest/doctest.h>

#include "bench/models/model_work.h"
#include "bench/support/device.h"
#include "cuda/emulation/runtime.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"
#include "cytograd/core/memory.h"
#include "cytograd/train/trainer.h"
#include "support/program.h"
#include "support/temp_folder.h"

using namespace cytograd;

namespace {

// The device has so many bytes beyond what is in use now.
class MemoryLimit {
 public:
  explicit MemoryLimit(size_t bytes) : before_(cuda::emulated_machine().memory) {
    synchronize(Device::cuda());
    empty_cache(Device::cuda());
    const CudaDevice d = cuda_device(0);
    cuda::emulated_machine().memory = d.memory - d.free_memory + bytes;
  }
  ~MemoryLimit() { cuda::emulated_machine().memory = before_; }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

 private:
  size_t before_;
};

int64_t number_after(const std::string& text, const std::string& words) {
  const size_t at = text.find(words);
  return at == std::string::npos ? -1 : std::stoll(text.substr(at + words.size()));
}

}  // namespace

TEST_CASE("the largest size that fits is estimated and tried") {
  const Device device = Device::cuda();
  const MemoryLimit limit(size_t{10} << 20);
  const auto run = [&](int64_t n) {
    const Tensor fixed = Tensor::empty({size_t{1} << 20}, Dtype::uint8, device);
    const Tensor each = Tensor::empty({n * 100000}, Dtype::uint8, device);
  };
  CHECK_THROWS_AS(run(1000), DeviceError);
  const int64_t most = largest_that_fits(device, 1000, run);
  CHECK(most >= 80);
  CHECK(most <= 94);
  CHECK_NOTHROW(run(most));
  CHECK(largest_that_fits(device, 2,
                          [](int64_t n) { check<ValueError>(n > 5, "run", "too small"); }) == 0);
  CHECK(largest_that_fits(device, 1, run) == 0);
}

TEST_CASE("training in too little memory names the batch that fits, and the device goes on") {
  const TempFolder folder;
  const std::string data = folder / "data";
  test::write_discs(data, {"large", "small"}, 30, 12);
  TrainConfig config;
  config.data = {data};
  config.model = "resnet20";
  config.image_size = 8;
  config.batch = 32;
  config.device = "cuda";
  const Task task = load_task(config, {});
  int64_t most = 0;
  {
    Trainer trainer(config, task);
    const MemoryLimit limit(size_t{15} << 18);
    try {
      trainer.measure();
      FAIL("32 images fit");
    } catch (const DeviceError& e) {
      CHECK(e.fault().id == "gpu.oom");
      INFO(std::string(e.what()));
      most = number_after(e.what(), "the largest batch that fits is ");
      CHECK(most >= 2);
      CHECK(most < 32);
      CHECK(number_after(e.what(), "pass --batch ") == most);
    }
  }
  // With that batch it trains, in the same memory.
  config.batch = most;
  config.capture = false;
  Trainer trainer(config, task);
  const MemoryLimit limit(size_t{15} << 18);
  CHECK(trainer.measure().peak_bytes > 0);
}

#ifndef CYTOGRAD_INSTRUMENTED
TEST_CASE("a benchmark in too little memory names the batch that fits") {
  bench::set_device(Device::cuda(), bench::Precision::float32);
  {
    const MemoryLimit limit(size_t{12} << 20);
    bench::ModelSetting setting;
    setting.model = "resnet20";
    setting.train = true;
    setting.batch = 64;
    setting.size = 8;
    setting.classes = 3;
    try {
      bench::run_model(setting, 1, 0);
      FAIL("64 images fit");
    } catch (const DeviceError& e) {
      const int64_t most = number_after(e.what(), "pass --batch ");
      INFO(std::string(e.what()));
      CHECK(most >= 2);
      setting.batch = most;
    }
    CHECK_NOTHROW(bench::run_model(setting, 1, 0));
  }
  bench::set_device(Device::cpu(), bench::Precision::float32);
}
#endif
