#include <doctest/doctest.h>

#include "cuda/planted_faults.h"

// Tests of the race checker: this file is compiled as the race build compiles kernels.

using namespace cytograd;

TEST_CASE("the race checker catches every planted fault in every order, and nothing else") {
#ifndef CYTOGRAD_TSAN
  FAIL("this file must be compiled with -fsanitize=thread");
#endif
  const simt::ConfigScope scope;
  simt::config().race = true;
  for (const auto& fault : cuda::planted_faults()) {
    CAPTURE(fault.name);
    cuda::in_orders([&] {
      CHECK(cuda::outcome(fault, false) == "right");
      const std::string found = cuda::outcome(fault, true);
      CHECK_MESSAGE(found.find("planted fault: ") == 0, found);
    });
  }
}

TEST_CASE("reports name the fault, the memory and both lines") {
  const simt::ConfigScope scope;
  simt::config() = simt::Config{};
  simt::config().race = true;
  const auto says = [&](const std::string& name, std::vector<std::string> parts) {
    for (const auto& fault : cuda::planted_faults()) {
      if (name != fault.name) continue;
      const std::string found = cuda::outcome(fault, true);
      for (const std::string& part : parts)
        CHECK_MESSAGE(found.find(part) != std::string::npos, found);
    }
  };
  says("missing_barrier", {"race: shared 's'", "write by", "read by", "planted_faults.cuh:"});
  says("off_by_one_tail", {"write of memory that is neither shared nor allocated"});
  says("uninitialised_shared", {"read of bytes that nobody wrote: shared 's'"});
  says("plain_addition", {"race: global 'y'"});
  says("copy_not_awaited", {"before the asynchronous copy was waited for"});
  says("missing_proxy_fence", {"missing proxy fence: shared 'dynamic shared'"});
  says("blocks_not_ordered", {"global 'y'", "another block"});
  says("host_pointer", {"read of memory that is neither shared nor allocated"});
}

TEST_CASE("switches at random accesses change no correct result") {
  const simt::ConfigScope scope;
  simt::config().race = true;
  simt::config().preempt = 0.05;
  simt::config().order = simt::Order::random;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    simt::config().seed = seed;
    for (const auto& fault : cuda::planted_faults()) {
      CAPTURE(fault.name);
      CHECK(cuda::outcome(fault, false) == "right");
    }
  }
}
