#include "cytograd/core/random_scope.h"

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"

namespace cytograd {
namespace {
thread_local RandomScope* innermost = nullptr;
}

RandomScope::RandomScope(uint64_t seed, uint64_t step)
    : outer_(innermost), seed_(seed), step_(step) {
  innermost = this;
}
RandomScope::~RandomScope() { innermost = outer_; }

uint64_t RandomScope::next_key(const char* op, std::string_view purpose) {
  check<StateError>(innermost != nullptr, op,
                    "draws random numbers, but no RandomScope is open on this thread");
  return stream_key(innermost->seed_, purpose, innermost->step_, innermost->draws_++);
}

}  // namespace cytograd
