#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "cytograd/io/file.h"

/// Runs a Python program with the path as its argument; true where CYTOGRAD_PYTHON is not set.
inline bool python_agrees(const std::string& path, const std::string& program) {
  const char* python = std::getenv("CYTOGRAD_PYTHON");
  if (!python) {
    MESSAGE("reading back skipped: CYTOGRAD_PYTHON names no Python");
    return true;
  }
  cytograd::write_file_atomically(path + ".py", program);
  return std::system(("'" + std::string(python) + "' '" + path + ".py' '" + path + "'").c_str()) ==
         0;
}
