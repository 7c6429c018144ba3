#include <doctest/doctest.h>

#include <cmath>

#include "cuda/core/staging.h"
#include "cuda/emulation/runtime.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"
#include "cytograd/core/memory.h"
#include "cytograd/core/tensor.h"
#include "cytograd/ops/elementwise.h"

// What only the emulated device shows: work that runs as late as it may.

using namespace cytograd;
using namespace cytograd::cuda;

namespace {
const Device device = Device::cuda();
}

TEST_CASE("emulated: work waits until somebody waits for it") {
  const Stream stream(0);
  int runs = 0;
  enqueue(stream.handle(), [&] { ++runs; });
  CHECK(runs == 0);
  stream.synchronize();
  CHECK(runs == 1);
  Event event;
  CHECK(event.done());
  enqueue(stream.handle(), [&] { ++runs; });
  event.record(stream);
  enqueue(stream.handle(), [&] { ++runs; });
  event.synchronize();
  CHECK(runs == 2);  // what comes after the event is not waited for
  stream.synchronize();
  CHECK(runs == 3);
}

TEST_CASE("emulated: streams run in any order unless one waits for the other") {
  Stream other(0);
  for (const bool waits : {false, true}) {
    const Tensor x = Tensor::full({4}, 5, Dtype::float32, device);
    synchronize(device);
    x.fill_(1);  // on the usual stream
    Tensor y;
    {
      Event written;
      written.record(current_stream(0));
      if (waits) other.wait(written);
      const StreamScope scope(other);
      y = x + 1.0;
      other.synchronize();
      const float value = y.to_vector<float>()[0];
      if (waits)
        CHECK(value == 2);
      else
        CHECK(value != 2);
    }
  }
}

TEST_CASE("emulated: a copy keeps what its source was, however late it runs") {
  std::vector<float> values(3'000'000, 1);  // several pieces
  const Tensor host = Tensor::from(values), there = host.to(device);
  host.fill_(2);
  const Tensor again = host.to(device);
  CHECK(there.to_vector<float>() == values);
  CHECK(again.to_vector<float>()[2'999'999] == 2);
}

TEST_CASE("emulated: memory nobody wrote is NaN") {
  empty_cache(device);  // blocks from the cache hold what was there
  const Tensor x = Tensor::empty({1 << 12}, Dtype::float32, device);
  (void)x;
  CHECK(std::isnan(Tensor::empty({1 << 19}, Dtype::float64, device).to_vector<double>()[5]));
}

TEST_CASE("emulated: a device of limited memory empties its cache before it gives up") {
  empty_cache(device);
  const size_t before = emulated_machine().memory;
  emulated_machine().memory = before - memory_info(0).free + (size_t{3} << 20);
  {
    { const Tensor a = Tensor::empty({1 << 21}, Dtype::uint8, device); }
    CHECK(memory_stats(device).cached >= size_t{2} << 20);
    const Tensor b = Tensor::empty({3 << 20}, Dtype::uint8, device);  // only without the cache
    CHECK(memory_stats(device).cached == 0);
    CHECK_THROWS_AS(Tensor::empty({1 << 20}, Dtype::uint8, device), DeviceError);
  }
  emulated_machine().memory = before;
  CHECK(Tensor::ones({1}, Dtype::float32, device).item() == 1);
}

TEST_CASE("emulated: an error of late work reaches whoever waits, and the device goes on") {
  const Stream stream(0);
  int runs = 0;
  Event event;
  enqueue(stream.handle(), [] { throw ValueError("late"); });
  event.record(stream);
  enqueue(stream.handle(), [&] { ++runs; });
  CHECK_THROWS_AS(stream.synchronize(), ValueError);
  CHECK(event.done());
  enqueue(stream.handle(), [&] { ++runs; });
  stream.synchronize();
  CHECK(runs == 1);
}

TEST_CASE("emulated: copies of memory that is not page-locked are refused") {
  std::vector<float> pageable(4);
  const Tensor x = Tensor::ones({4}, Dtype::float32, device);
  CHECK_THROWS_AS(copy_async(pageable.data(), x.raw_data(), 16, current_stream(0).handle()),
                  InternalError);
}

TEST_CASE("emulated: another stream joins a capture by an event") {
  Stream main(0), side(0);
  int runs = 0;
  begin_capture(main.handle());
  Event fork, join;
  fork.record(main);
  side.wait(fork);
  enqueue(side.handle(), [&] { runs = runs * 10 + 1; });
  join.record(side);
  main.wait(join);
  enqueue(main.handle(), [&] { runs = runs * 10 + 2; });
  size_t nodes = 0;
  const GraphHandle graph = end_capture(main.handle(), &nodes);
  CHECK(nodes == 2);
  CHECK(runs == 0);
  launch_graph(graph, main.handle());
  launch_graph(graph, main.handle());
  main.synchronize();
  CHECK(runs == 1212);
  destroy_graph(graph);
}

TEST_CASE("emulated: without a device the error says why") {
  emulated_machine().devices = 0;
  CHECK(!cuda_available());
  CHECK(cuda_absence() == "the emulated machine has no device");
  CHECK(choose_device("auto") == Device::cpu());
  CHECK_THROWS_WITH_AS(choose_device("cuda"),
                       "there is no cuda:0: the emulated machine has no device; expected one of 0 "
                       "devices; pass --device cpu [gpu.none]",
                       DeviceError);
  emulated_machine().devices = 1;
  CHECK(choose_device("auto") == Device::cuda());
}
