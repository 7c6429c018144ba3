#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>

#include "bench/support/case.h"
#include "bench/support/peak.h"
#include "cytograd/core/cpu.h"
#include "cytograd/core/parallel.h"

/// @file
/// cyto-bench: the cases of bench/ops under Google Benchmark, with its filters, repetitions and
/// output formats. Counters: GFLOP/s, GB/s (every operand once) and the share of the multiply-add
/// peak measured around each case. CYTO_THREADS and CYTO_ISA choose threads and instruction set.
///
///     CYTO_THREADS=1 cyto-bench --benchmark_filter=conv2d/res2 --benchmark_repetitions=5

namespace {

using namespace cytograd;

void run(benchmark::State& state, const bench::Case& c) {
  const bench::Work work = c.make();
  if (work.prepare) work.prepare();
  work.run();
  double peak = bench::peak_gflops(), seconds = 0;
  for ([[maybe_unused]] auto _ : state) {
    if (work.prepare) work.prepare();
    const double begin = bench::kernel_seconds();
    work.run();
    const double taken = bench::kernel_seconds() - begin;
    state.SetIterationTime(taken);
    seconds += taken;
  }
  peak = std::max(peak, bench::peak_gflops());
  const double rate = 1e-9 * static_cast<double>(state.iterations()) / seconds;
  state.counters["GB/s"] = c.bytes * rate;
  if (c.flops <= 0) return;
  state.counters["GFLOP/s"] = c.flops * rate;
  state.counters["of_peak"] = c.flops * rate / peak;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::AddCustomContext("isa", isa_name());
    benchmark::AddCustomContext("threads", std::to_string(num_threads()));
    for (const bench::Case& c : bench::find_cases(""))
      benchmark::RegisterBenchmark(c.name.c_str(), [c](benchmark::State& state) { run(state, c); })
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond);
    benchmark::RunSpecifiedBenchmarks();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cyto-bench: error: %s\n", error.what());
    return 2;
  }
}
