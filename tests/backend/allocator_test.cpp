#include <doctest/doctest.h>

#include <string>

#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"
#include "cytograd/core/memory.h"
#include "cytograd/core/tensor.h"
#include "cytograd/ops/elementwise.h"

using namespace cytograd;

namespace {
const Device device = Device::cuda();
}

TEST_CASE("freed memory of the device is used again, counted, and given back") {
  empty_cache(device);
  const MemoryStats before = memory_stats(device);
  const void* first;
  {
    const Tensor x = Tensor::empty({1000}, Dtype::float32, device);
    first = x.raw_data();
    CHECK(memory_stats(device).in_use == before.in_use + 4096);
  }
  CHECK(memory_stats(device).in_use == before.in_use);
  CHECK(memory_stats(device).cached == before.cached + 4096);
  {
    const Tensor y = Tensor::empty({900}, Dtype::float32, device);  // within twice its size
    CHECK(y.raw_data() == first);
    CHECK(memory_stats(device).allocations == before.allocations + 1);
    const Tensor small = Tensor::empty({1}, Dtype::float32, device);
    CHECK(small.raw_data() != first);
  }
  reset_peak_memory(device);
  CHECK(memory_stats(device).peak == memory_stats(device).in_use);
  empty_cache(device);
  CHECK(memory_stats(device).cached == 0);
}

TEST_CASE("gpu.oom: a full device is an error with numbers, and the device stays usable") {
  const size_t live = memory_stats(device).in_use;
  fail_allocation_at(1);
  std::string message;
  try {
    Tensor::empty({1024}, Dtype::float32, device);
  } catch (const DeviceError& e) {
    message = e.what();
    CHECK(e.exit_code() == ExitCode::resource);
    CHECK(e.fault().id == "gpu.oom");
  }
  CHECK(message.find("out of memory on cuda:0: asked for 4096 bytes, ") != std::string::npos);
  CHECK(message.find(" in use, ") != std::string::npos);
  CHECK(message.find(" cached, ") != std::string::npos);
  CHECK(memory_stats(device).in_use == live);
  CHECK_THROWS_AS(Tensor::empty({int64_t{1} << 40}, Dtype::float32, device), DeviceError);
  CHECK(Tensor::full({2}, 3, Dtype::float32, device).to_vector<float>() ==
        std::vector<float>{3, 3});
}

TEST_CASE("an operation whose result does not fit leaves nothing behind") {
  const Tensor x = Tensor::ones({64}, Dtype::float32, device);
  x.set_requires_grad(true);
  const size_t live = memory_stats(device).in_use;
  for (int n = 1; n <= 4; ++n) {
    fail_allocation_at(n);
    try {
      const Tensor y = exp(x * 2.0);
      y.backward(Tensor::ones({64}, Dtype::float32, device));
      x.zero_grad();
    } catch (const DeviceError&) {
      x.zero_grad();
    }
    fail_allocation_at(0);
    CHECK(memory_stats(device).in_use == live);
  }
}
