#include <algorithm>
#include <optional>

#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"
#include "cytograd/core/memory.h"

namespace cytograd {
namespace {

// Most bytes in use while run(n), or nothing if there were too few.
std::optional<size_t> peak_of(Device device, const std::function<void(int64_t)>& run, int64_t n) {
  std::optional<size_t> peak;
  empty_cache(device);
  reset_peak_memory(device);
  try {
    run(n);
    synchronize(device);
    peak = memory_stats(device).peak;
  } catch (const DeviceError& e) {
    if (e.fault().id != "gpu.oom") throw;
  } catch (const ValueError&) {
    // Too small for what run does.
  }
  empty_cache(device);
  return peak;
}

size_t bytes_for_us(Device device) {
  empty_cache(device);
  return memory_stats(device).in_use + cuda_device(device.index).free_memory;
}

}  // namespace

int64_t largest_that_fits(Device device, int64_t failed,
                          const std::function<void(int64_t n)>& run) {
  int64_t n = failed / 2;
  std::optional<size_t> peak;
  while (n >= 1 && !(peak = peak_of(device, run, n))) n /= 2;
  if (!peak) return 0;
  // What each more costs: from half as many, or from none.
  size_t less = memory_stats(device).in_use;
  const int64_t half = n / 2;
  if (half >= 1)
    if (const auto below = peak_of(device, run, half)) less = *below;
  const double slope = std::max(1.0, (static_cast<double>(*peak) - static_cast<double>(less)) /
                                         static_cast<double>(n - half));
  const double room = static_cast<double>(bytes_for_us(device)) - static_cast<double>(*peak);
  auto more = static_cast<int64_t>(std::clamp(room / slope, 0.0, static_cast<double>(failed)));
  more = std::min(more, failed - 1 - n);
  // Memory is in pieces: the prediction may be a little too good.
  for (int tries = 0; tries < 4 && more > 0; ++tries) {
    if (peak_of(device, run, n + more)) return n + more;
    more = more * 7 / 8;
  }
  return n;
}

}  // namespace cytograd
