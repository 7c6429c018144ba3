#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "core/sanitizers.h"
#include "cuda/planted_faults.h"

// What is caught without the race checker: by the errors of the emulation, by NaN in memory that
// nobody wrote, by the order of threads, or by AddressSanitizer.

using namespace cytograd;

namespace {

// Whether a child that runs the broken kernel dies.
[[maybe_unused]] bool child_fails(const cuda::PlantedFault& fault) {
  const pid_t child = fork();
  if (child == 0) {
    if (!std::freopen("/dev/null", "w", stderr)) _exit(0);
    cuda::outcome(fault, true);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status != 0;
}

}  // namespace

TEST_CASE("planted faults without the race checker") {
  const simt::ConfigScope scope;
  simt::config().race = false;
  for (const auto& fault : cuda::planted_faults()) {
    CAPTURE(fault.name);
    bool caught = false;
    cuda::in_orders([&] { CHECK(cuda::outcome(fault, false) == "right"); });
#ifdef CYTOGRAD_ASAN
    if (!fault.values && fault.address_sanitizer) {
      CHECK(child_fails(fault));
      continue;
    }
#endif
    cuda::in_orders([&] { caught = caught || cuda::outcome(fault, true) != "right"; });
    CHECK(caught == fault.values);
  }
}
