#include "cytograd/core/autocast.h"

#include <utility>

namespace cytograd {
namespace {
thread_local bool enabled = false;
}

Autocast::Autocast(bool on) : outer_(std::exchange(enabled, on)) {}
Autocast::~Autocast() { enabled = outer_; }
bool autocast_enabled() { return enabled; }

}  // namespace cytograd
