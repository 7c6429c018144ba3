#pragma once

#include <string>
#include <vector>

/// @file
/// Which instruction set the CPU kernels use.

namespace cytograd {

/// "portable", "avx2" or "avx512": the best this machine has, or what the environment variable
/// CYTO_ISA asks for. Read once, at the first use. Results are bit-identical between "avx2" and
/// "avx512" for matrix products and convolutions; "portable" rounds products before adding.
/// @throws ConfigError if CYTO_ISA names something else, or something this machine lacks
const char* isa_name();

/// What this machine can run, slowest first; always starts with "portable".
std::vector<std::string> available_isas();

/// Overrides the choice, for tests and benchmarks. Not while kernels run in other threads.
/// @throws ConfigError as `isa_name`
void set_isa(const std::string& name);

}  // namespace cytograd
