#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "cytograd/core/error.h"

/// @file
/// Each `<reader>_fuzz.cpp` defines this entry point. The same file is built twice: as a libFuzzer
/// program (CYTOGRAD_BUILD_FUZZ, clang) and, in every build, with replay.cpp as a test over the
/// committed corpus. A reader may return or throw DataError; anything else is a finding.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

template <class F>
int expect_data_errors_only(const uint8_t* data, size_t size, F&& read) {
  try {
    read(std::string_view(reinterpret_cast<const char*>(data), size), std::string("input"));
  } catch (const cytograd::DataError& e) {
    if (e.fault().id.empty()) __builtin_trap();
  }
  return 0;
}
