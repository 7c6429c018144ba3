#include "cytograd/core/parallel.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "core/sanitizers.h"
#include "cytograd/core/error.h"

using namespace cytograd;

namespace {

// Restores the number of threads.
struct Threads {
  int before = num_threads();
  explicit Threads(int count) { set_num_threads(count); }
  ~Threads() { set_num_threads(before); }
};

int64_t parallel_total(int64_t n, int64_t grain) {
  std::atomic<int64_t> total{0};
  parallel_for(n, grain, [&](int64_t b, int64_t e) {
    int64_t part = 0;
    for (int64_t i = b; i < e; ++i) part += i;
    total += part;
  });
  return total;
}

}  // namespace

TEST_CASE("parallel_for covers every index once") {
  for (const int count : {1, 2, 7}) {
    const Threads threads(count);
    std::vector<int> hits(10'001, 0);
    parallel_for(10'001, 13, [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; ++i) ++hits[static_cast<size_t>(i)];
    });
    CHECK(hits == std::vector<int>(10'001, 1));
  }
  CHECK_THROWS_AS(set_num_threads(0), ValueError);
}

TEST_CASE("chunks at the ends of the number range") {
  for (const int count : {1, 3}) {
    const Threads threads(count);
    for (const int64_t grain : {INT64_MAX, INT64_MAX - 1, INT64_MAX / 2}) {
      std::atomic<int> calls{0};
      std::atomic<uint64_t> covered{0};
      parallel_for(INT64_MAX, grain, [&](int64_t b, int64_t e) {
        ++calls;
        covered += static_cast<uint64_t>(e - b);
      });
      CHECK(covered == static_cast<uint64_t>(INT64_MAX));
      CHECK(calls == (grain == INT64_MAX ? 1 : grain == INT64_MAX - 1 ? 2 : 3));
    }
    CHECK(parallel_total(10, INT64_MAX) == 45);
    CHECK(parallel_total(10, -5) == 45);
    CHECK(parallel_total(-1, 1) == 0);
  }
}

TEST_CASE("the first failing chunk in order decides the error, for any number of threads") {
  for (const int count : {1, 2, 5}) {
    const Threads threads(count);
    for (int repeat = 0; repeat < 50; ++repeat) {
      std::string message;
      try {
        parallel_for(200, 1, [](int64_t b, int64_t) {
          check<ValueError>(b < 20 || b % 3 != 0, "chunk", b);
        });
      } catch (const ValueError& error) {
        message = error.what();
      }
      REQUIRE(message == "chunk: 21");
    }
    CHECK(parallel_total(1000, 1) == 499'500);
  }
}

TEST_CASE("a loop returns only after every chunk has ended, failed or not") {
  const Threads threads(3);
  for (const bool fail : {false, true}) {
    std::atomic<int> begun{0}, ended{0};
    const auto caller = std::this_thread::get_id();
    const auto chunk = [&](int64_t, int64_t) {
      ++begun;
      if (std::this_thread::get_id() != caller)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      else
        while (begun < 2) std::this_thread::yield();  // a worker has a chunk
      ++ended;
      check<ValueError>(!fail, "chunk", "fails");
    };
    try {
      parallel_for(3, 1, chunk);
      CHECK(!fail);
    } catch (const ValueError&) {
      CHECK(fail);
    }
    CHECK(ended == begun);
  }
}

TEST_CASE("several callers submit loops while the number of threads changes") {
  const Threads threads(3);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&wrong] {
      for (int i = 0; i < 300; ++i) wrong += parallel_total(1000, 10) != 499'500;
    });
  for (int i = 0; i < 40; ++i) set_num_threads(1 + i % 4);
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == 0);
}

TEST_CASE("loops are whole whether the workers are awake, about to sleep or asleep") {
  for (const int count : {2, 5}) {
    const Threads threads(count);
    int wrong = 0;
    for (int i = 0; i < 200; ++i) {
      wrong += parallel_total(100, 10) != 4950;
      const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(i % 20 * 25);
      while (std::chrono::steady_clock::now() < end) {
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("nested loops stay on their thread, and cannot change the number of threads") {
  const Threads threads(3);
  std::atomic<int> strayed{0}, refused{0};
  parallel_for(8, 1, [&](int64_t, int64_t) {
    const auto self = std::this_thread::get_id();
    parallel_for(8, 1, [&](int64_t, int64_t) { strayed += std::this_thread::get_id() != self; });
    try {
      set_num_threads(2);
    } catch (const StateError&) {
      ++refused;
    }
  });
  CHECK(strayed == 0);
  CHECK(refused == 8);
}

// ThreadSanitizer cannot follow a child that starts threads.
#ifndef CYTOGRAD_TSAN
TEST_CASE(
    "denormal numbers are zeros inside loops on x86, on every thread, and stay what they are "
    "outside") {
  // volatile: computed when and where it stands.
  volatile float smallest = 1.17549435e-38f;
  volatile double small = 2.2250738585072014e-308;
  for (const int threads : {1, 2}) {
    CAPTURE(threads);
    const Threads these(threads);
    std::vector<float> halves(64, 1);
    std::vector<double> wide(64, 1), read(64, 1);
    volatile double denormal = small / 2;
    CHECK(denormal != 0);
    parallel_for(64, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const auto k = static_cast<size_t>(i);
        halves[k] = smallest / 2;
        wide[k] = small / 2;
        read[k] = denormal * 4;
      }
    });
#if defined(__SSE2__)
    CHECK(halves == std::vector<float>(64, 0));
    CHECK(wide == std::vector<double>(64, 0));
    CHECK(read == std::vector<double>(64, 0));
#endif
    CHECK(smallest / 2 != 0);
    CHECK_THROWS_AS(parallel_for(2, 1, [](int64_t, int64_t) { throw Error("stops the loop"); }),
                    Error);
    CHECK(smallest / 2 != 0);
  }
}

TEST_CASE("a forked child runs loops of its own and exits") {
  const Threads threads(3);
  CHECK(parallel_total(1000, 1) == 499'500);
  std::fflush(nullptr);  // or the child would print it again
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    std::exit(parallel_total(1000, 1) == 499'500 && num_threads() == 3 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
#endif
