#pragma once

#include <cstdint>
#include <functional>
#include <vector>

/// @file
/// How the benchmarks measure.

namespace cytograd::bench {

/// Seconds on a clock that never goes back.
double wall_seconds();
/// Seconds of processor time that all threads of this process have used.
double processor_seconds();
/// Wall time; with one thread processor time, which other programs disturb less.
double kernel_seconds();
/// Largest resident set of this process so far in bytes (1e6 of them are a MB here). Not
/// `getrusage`, whose figure a program inherits from the one that started it.
double peak_resident_bytes();

/// What is timed. `prepare`, if there is one, runs before each `run` and is not timed.
struct Work {
  std::function<void()> run, prepare = {};
};

/// Times of repeated work.
struct Times {
  std::vector<double> seconds;  ///< ascending, at least one
  double best() const { return seconds.front(); }
  double median() const;
};

/// Runs `warmup` times untimed, then at least `repeats` times and `least_seconds` long, in the
/// precision of bench/support/device.h and until the device is done. There, a time is the mean of a
/// few runs in a row where nothing has to be prepared.
/// @param clock  kernel_seconds, wall_seconds or processor_seconds
Times measure(const Work& work, int64_t repeats, int64_t warmup, double least_seconds,
              double (*clock)());

}  // namespace cytograd::bench
