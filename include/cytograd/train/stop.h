#pragma once

#include <stdexcept>
#include <string>

/// @file
/// Stopping at a signal. The first SIGINT or SIGTERM asks for a stop that the work sees at its next
/// step; a second one ends the process at once, writing nothing.

namespace cytograd {

/// Not an error: the work stopped where it was asked to.
struct StopRequested : std::runtime_error {
  StopRequested(const std::string& message, int code)
      : std::runtime_error(message), exit_code(code) {}
  int exit_code;  ///< 130 or 143
};

/// Installs the handlers. Idempotent.
void catch_stop_signals();
/// The signal that asked for a stop, 0 if none did.
int stop_signal();
/// @throws StopRequested if a stop was asked for. @param state e.g. "nothing was written"
void throw_if_stopped(const std::string& state);

}  // namespace cytograd
