#include "cytograd/autograd/trace.h"

#include "cytograd/core/error.h"

namespace cytograd::autograd {
namespace {
thread_local Tracer* current = nullptr;
}

Tracer* tracer() { return current; }

Tracer::Tracer() {
  check<StateError>(current == nullptr, "trace", "this thread is being traced already");
  current = this;
}

Tracer::~Tracer() { current = nullptr; }

}  // namespace cytograd::autograd
