#pragma once

namespace cytograd {

/// Whether operations on this thread are recorded for backward.
bool grad_enabled();

/// Turns recording on or off for a scope.
class GradMode {
 public:
  explicit GradMode(bool enabled);
  ~GradMode();
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool previous_;
};

/// No recording in this scope: evaluation, optimiser steps.
struct NoGrad : GradMode {
  NoGrad() : GradMode(false) {}
};

}  // namespace cytograd
