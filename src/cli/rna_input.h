#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/core/error.h"
#include "cytograd/io/h5ad.h"

/// @file
/// What the commands that read single cells share.

namespace cytograd::cli {

/// The matrix that --expr-source names: "raw" is raw/X, "layer:counts" is layers/counts.
/// @throws ConfigError
std::string matrix_of(const std::string& source);

/// f(); an error about data that names no file names this one.
template <class F>
auto in_file(const std::string& file, F f) {
  try {
    return f();
  } catch (const DataError& e) {
    Fault fault = e.fault();
    if (!fault.file.empty()) throw;
    fault.file = file;
    throw DataError(fault);
  }
}

}  // namespace cytograd::cli
