#pragma once

/// @file
/// What this machine can do at most, for shares of it. Both depend on the number of threads and
/// vary with the load of the machine: measure them next to what they are compared with.

namespace cytograd::bench {

/// GFLOP/s of multiply-adds that never leave the registers, in the instruction set of the kernels,
/// on all threads: the best of three runs of a few milliseconds.
double peak_gflops();

/// GB/s (read plus written) of copying 64 MB on all threads: the best of three.
double copy_gigabytes();

}  // namespace cytograd::bench
