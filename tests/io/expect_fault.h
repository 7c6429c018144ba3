#pragma once

#include <doctest/doctest.h>

#include <string>

#include "cytograd/core/error.h"

/// Runs `f`, expects an E with the id, and returns its message.
template <class E, class F>
std::string expect_fault(const std::string& id, F&& f) {
  try {
    f();
  } catch (const E& e) {
    CHECK_MESSAGE(e.fault().id == id, std::string(e.what()));
    return e.what();
  }
  FAIL_CHECK("no error; expected " << id);
  return {};
}
