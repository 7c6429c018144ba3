#include "cytograd/train/stop.h"

#include <unistd.h>

#include <csignal>

namespace cytograd {
namespace {

volatile std::sig_atomic_t requested = 0;

extern "C" void on_stop_signal(int signal) {
  if (requested != 0) _exit(128 + signal);
  requested = signal;
}

}  // namespace

void catch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;
  // Each handler runs to its end, so that of two signals the later one always sees the first.
  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGINT);
  sigaddset(&action.sa_mask, SIGTERM);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int stop_signal() { return requested; }

void throw_if_stopped(const std::string& state) {
  if (requested == 0) return;
  const char* name = requested == SIGINT ? "SIGINT" : "SIGTERM";
  throw StopRequested(std::string("stopped by ") + name + "; " + state, 128 + requested);
}

}  // namespace cytograd
