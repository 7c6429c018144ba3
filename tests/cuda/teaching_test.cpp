#include <doctest/doctest.h>
#include <cmath>

#include "cuda/device_buffer.h"
#include "cuda/emulation/profile.h"
#include "cuda/emulation/trace.h"
#include "cuda/teaching/teaching.h"

// The teaching kernels: values, the figures that docs/cuda.md quotes, and the trace.

using namespace cytograd;
using test::DeviceBuffer;

namespace {

bool is_transpose(const cuda::TeachingKernel& kernel) { return kernel.name[0] == 't'; }

std::vector<float> inputs(size_t n) {
  std::vector<float> x(n);
  for (size_t i = 0; i < n; ++i) x[i] = static_cast<float>(i * 31 % 97) / 16;
  return x;
}

void check_values(const cuda::TeachingKernel& kernel, int rows, int cols) {
  const auto n = static_cast<size_t>(rows * cols);
  const std::vector<float> x = inputs(n);
  const DeviceBuffer<float> in(x), out(n);
  kernel.run(in, out, rows, cols);
  for (int r = 0; r < rows; ++r) {
    double sum = 0;
    for (int c = 0; c < cols; ++c)
      sum += std::exp(static_cast<double>(x[static_cast<size_t>(r * cols + c)]));
    for (int c = 0; c < cols; ++c) {
      const float value = x[static_cast<size_t>(r * cols + c)];
      const float found = out[is_transpose(kernel) ? c * rows + r : r * cols + c];
      const double expected =
          is_transpose(kernel) ? value : std::exp(static_cast<double>(value)) / sum;
      // Two exponentials, a sum of at most 260 terms and a division in float.
      REQUIRE(std::abs(found - expected) <= (is_transpose(kernel) ? 0 : 3e-6 * expected));
    }
  }
}

// Wavefronts or sectors per request over all lines of this kind.
double per_request(const cuda::TeachingKernel& kernel, bool shared, bool write) {
  const simt::ConfigScope scope;
  simt::config().profile = simt::config().race = true;
  const auto n = static_cast<size_t>(kernel.rows * kernel.cols);
  const DeviceBuffer<float> in(inputs(n)), out(n);
  kernel.run(in, out, kernel.rows, kernel.cols);
  uint64_t moved = 0, requests = 0;
  for (const simt::LineProfile& p : simt::profile()) {
    if (p.shared != shared || p.write != write) continue;
    moved += p.moved;
    requests += p.requests;
  }
  return static_cast<double>(moved) / static_cast<double>(requests);
}

}  // namespace

TEST_CASE("teaching kernels compute what they say, in every order, without a report") {
  const simt::ConfigScope scope;
  simt::config().race = true;
  for (const auto order : {simt::Order::ascending, simt::Order::descending, simt::Order::random}) {
    simt::config().order = order;
    for (const cuda::TeachingKernel& kernel : cuda::teaching_kernels()) {
      CAPTURE(kernel.name);
      check_values(kernel, kernel.rows, kernel.cols);
      check_values(kernel, 3, 260);
      check_values(kernel, 1, 4);
      if (kernel.name != "softmax_5") check_values(kernel, 35, 37);
    }
  }
}

TEST_CASE("the versions save what docs/cuda.md says they save") {
  const auto cost = [](const char* name, bool shared, bool write) {
    return per_request(cuda::teaching_kernel(name), shared, write);
  };
  // Sectors per warp request of global memory; 4 is the least for 32 floats.
  CHECK(cost("transpose_1", false, false) == 4);
  CHECK(cost("transpose_1", false, true) == 32);
  CHECK(cost("transpose_2", false, true) == 4);
  CHECK(cost("softmax_1", false, false) == 32);
  CHECK(cost("softmax_3", false, false) == 4);
  CHECK(cost("softmax_5", false, false) <
        16.1);  // 16 bytes per lane; requests without lanes do not count
  // Wavefronts per warp request of shared memory; 1 is the least.
  CHECK(cost("transpose_2", true, false) == 32);
  CHECK(cost("transpose_3", true, false) == 1);
  CHECK(cost("softmax_2", true, false) > 1.2);
  CHECK(cost("softmax_3", true, false) == 1);
}

TEST_CASE("a trace has the acts of each warp in the order of the run, the same for the same seed") {
  const auto trace = [](const char* name, simt::Order order, uint64_t seed) {
    const simt::ConfigScope scope;
    simt::config().order = order;
    simt::config().seed = seed;
    const cuda::TeachingKernel& kernel = cuda::teaching_kernel(name);
    const auto n = static_cast<size_t>(kernel.rows * kernel.cols);
    const DeviceBuffer<float> in(inputs(n)), out(n);
    simt::Tracer tracer;
    kernel.run(in, out, kernel.rows, kernel.cols);
    std::string text;
    for (const simt::TraceEvent& e : tracer.events())
      text += std::to_string(e.warp) + " " + e.what + " " + std::to_string(e.lanes) + "\n";
    return text;
  };
  const auto random = [&](uint64_t seed) {
    return trace("transpose_3", simt::Order::random, seed);
  };
  CHECK(random(3) == random(3));
  bool differ = false;
  for (uint64_t seed = 4; seed < 8; ++seed) differ = differ || random(seed) != random(3);
  CHECK(differ);
  const std::string text = trace("transpose_3", simt::Order::ascending, 1);
  const size_t write = text.find("0 shared write"), barrier = text.find("0 __syncthreads"),
               read = text.find("0 shared read");
  CHECK(write != std::string::npos);
  CHECK(write < barrier);
  CHECK(barrier < read);
  CHECK(read < text.find("0 exit"));
  CHECK_THROWS_AS(cuda::teaching_kernel("none"), ValueError);
}
