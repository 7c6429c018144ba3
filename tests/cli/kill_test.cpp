#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>

#include "cytograd/core/random.h"
#include "lab.h"

// SIGKILL at moments of the whole run, and while a checkpoint is being written: 60 of a classifier,
// 8 of a detector.

using namespace cytograd;
using test::cyto;
using test::Lab;
using test::Smears;
namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Steps in all event files, in order.
std::vector<int64_t> logged_steps(const std::string& run) {
  std::vector<int64_t> steps;
  for (const auto& entry : fs::directory_iterator(run)) {
    if (!entry.path().filename().string().starts_with("events.out.")) continue;
    const std::string bytes = read_file(entry.path().string());
    for (size_t at = 0; at + 12 <= bytes.size();) {
      uint64_t length = 0;
      for (size_t i = 0; i < 8; ++i)
        length |= uint64_t{static_cast<uint8_t>(bytes[at + i])} << (8 * i);
      // Time in 9 bytes, the tag of the step, the step in one byte (runs here have under 128).
      const auto step = static_cast<uint8_t>(bytes[at + 12 + 10]);
      if (step > 0) steps.push_back(step);
      at += length + 16;
    }
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

bool writes_checkpoint(const std::string& run) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(run + "/checkpoints", error))
    if (entry.path().filename().string().find(".tmp-") != std::string::npos) return true;
  return false;
}

// Kills `rounds` runs where `wait` says, resumes each and compares it with one that was let be.
// @param L  test::Lab or test::Smears   @param epochs  that it trains
template <class L>
void kill_and_resume(int rounds, size_t epochs, const char* name,
                     const std::function<void(Rng&, const std::string&, double whole)>& wait) {
  const L lab;
  const auto begin = Clock::now();
  REQUIRE(cyto(lab.train("a")).exit == 0);
  const double whole = seconds_since(begin);
  const std::vector<int64_t> steps = logged_steps(lab.folder / "a");
  REQUIRE(steps.size() == epochs);
  Rng rng(static_cast<uint64_t>(getpid()), name);
  int killed = 0;
  for (int round = 0; round < rounds; ++round) {
    CAPTURE(round);
    fs::remove_all(lab.folder / "b");
    test::Program victim(lab.train("b"), lab.folder.path().string());
    wait(rng, lab.folder / "b", whole);
    victim.send(SIGKILL);
    killed += victim.wait().exit == 128 + SIGKILL;
    const auto resumed = lab.has("b", "config.toml") ? cyto(lab.resume("b")) : cyto(lab.train("b"));
    REQUIRE_MESSAGE(resumed.exit == 0, resumed.err);
    CHECK(lab.last("a") == lab.last("b"));
    CHECK(lab.file("a", "checkpoints/best") == lab.file("b", "checkpoints/best"));
    CHECK(lab.file("a", "metrics.csv") == lab.file("b", "metrics.csv"));
    CHECK(lab.file("a", "metrics.jsonl") == lab.file("b", "metrics.jsonl"));
    CHECK(logged_steps(lab.folder / "b") == steps);
    CHECK(!writes_checkpoint(lab.folder / "b"));
  }
  MESSAGE(killed, " of ", rounds, " were still running");
  CHECK(killed * 2 > rounds);
}

void any_moment(Rng& rng, const std::string&, double whole) {
  test::pause(rng.uniform(0.02, 0.95) * whole);
}

// After the k-th of the first `most` checkpoints was begun, a random part of a millisecond later.
template <int64_t most>
void while_writing(Rng& rng, const std::string& run, double whole) {
  const int64_t wanted = 1 + rng.below(most);
  const auto begin = Clock::now();
  bool before = false;
  for (int64_t seen = 0; seen < wanted && seconds_since(begin) < 4 * whole;) {
    const bool now = writes_checkpoint(run);
    seen += now && !before;
    before = now;
  }
  const double rest = rng.uniform(0, 3e-3);
  for (const auto at = Clock::now(); seconds_since(at) < rest;) {
  }
}

}  // namespace

TEST_CASE("kill9: at 15 random moments, a resumed run ends with the same bytes") {
  kill_and_resume<Lab>(15, 4, "kill9-a", any_moment);
}
TEST_CASE("kill9: at 15 other random moments, a resumed run ends with the same bytes") {
  kill_and_resume<Lab>(15, 4, "kill9-b", any_moment);
}
TEST_CASE("kill9: at 15 moments of checkpoint writing, a resumed run ends with the same bytes") {
  kill_and_resume<Lab>(15, 4, "kill9-c", while_writing<5>);
}
TEST_CASE("kill9: at 15 other moments of checkpoint writing, it ends with the same bytes") {
  kill_and_resume<Lab>(15, 4, "kill9-d", while_writing<5>);
}
TEST_CASE("kill9: a detector's training, at 4 random moments, ends with the same bytes") {
  kill_and_resume<Smears>(4, 2, "kill9-e", any_moment);
}
TEST_CASE("kill9: a detector's training, at 4 moments of writing, ends with the same bytes") {
  kill_and_resume<Smears>(4, 2, "kill9-f", while_writing<3>);
}
