#pragma once

/// @file
/// Which kernels have run: proof that the tests leave none out (cuda/coverage.sh).

namespace cytograd::simt {

/// Remembers that this kernel ran. With CYTO_EMULATION_COVERAGE=FOLDER the offsets of all such
/// kernels in the program are appended to FOLDER/NAME.kernels when the process ends, NAME being
/// that of the program's file.
void kernel_ran(const void* kernel);

}  // namespace cytograd::simt
