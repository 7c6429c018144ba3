#include "bench/support/clock.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <string>

#include "bench/support/device.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/parallel.h"

namespace cytograd::bench {

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double kernel_seconds() { return num_threads() == 1 ? processor_seconds() : wall_seconds(); }

double peak_resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return 1024 * std::stod(line.substr(6));
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return 1024 * static_cast<double>(usage.ru_maxrss);
}

double Times::median() const {
  const size_t middle = seconds.size() / 2;
  return seconds.size() % 2 ? seconds[middle] : (seconds[middle - 1] + seconds[middle]) / 2;
}

Times measure(const Work& work, int64_t repeats, int64_t warmup, double least_seconds,
              double (*clock)()) {
  int64_t runs = 1;  // between two looks at the clock
  const auto once = [&] {
    if (work.prepare) in_precision(work.prepare);
    synchronize(device());
    const double begin = clock();
    for (int64_t i = 0; i < runs; ++i) in_precision(work.run);
    synchronize(device());
    return (clock() - begin) / static_cast<double>(runs);
  };
  for (int64_t i = 0; i < warmup; ++i) once();
  // A device is told and waited for: many short kernels hide what that costs.
  if (device().type != DeviceType::cpu && !work.prepare)
    runs = static_cast<int64_t>(std::clamp(2e-3 / std::max(once(), 1e-6), 1.0, 200.0));
  Times times;
  double total = 0;
  while (times.seconds.empty() || static_cast<int64_t>(times.seconds.size()) < repeats ||
         total < least_seconds) {
    times.seconds.push_back(once());
    total += times.seconds.back();
  }
  std::sort(times.seconds.begin(), times.seconds.end());
  return times;
}

}  // namespace cytograd::bench
