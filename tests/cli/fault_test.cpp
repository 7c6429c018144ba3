#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "core/sanitizers.h"
#include "cytograd/core/random.h"
#include "lab.h"

// Signals, limits and clocks, by driving the real program.

using namespace cytograd;
using test::cyto;
using test::Lab;
using test::Words;
namespace fs = std::filesystem;

namespace {

void set_limit(int resource, rlim_t value) {
  const rlimit limit{value, value};
  setrlimit(static_cast<__rlimit_resource>(resource), &limit);
}

std::set<std::string> names_in(const std::string& folder) {
  std::set<std::string> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    out.insert(entry.path().filename().string());
  return out;
}

bool any_temporary(const std::string& folder) {
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.path().filename().string().find(".tmp-") != std::string::npos) return true;
  return false;
}

// Standard output becomes a pipe that nobody reads.
void close_reader() {
  int ends[2];
  if (pipe(ends) != 0) _exit(125);
  dup2(ends[1], 1);
  close(ends[0]);
  close(ends[1]);
}

}  // namespace

TEST_CASE("signal: a step is finished, a checkpoint written, and the run goes on") {
  const Lab lab;
  REQUIRE(cyto(lab.train("a", {"--epochs", "12"})).exit == 0);
  for (const int signal : {SIGINT, SIGTERM}) {
    test::Program run(lab.train("b", {"--epochs", "12", "--force"}), lab.folder.path().string());
    test::wait_for_epoch(lab.folder / "b");
    run.send(signal);
    const auto stopped = run.wait();
    CHECK(stopped.exit == 128 + signal);
    CHECK(stopped.err.find("--resume") != std::string::npos);
    const auto resumed = cyto(lab.resume("b"));
    REQUIRE_MESSAGE(resumed.exit == 0, resumed.err);
    CHECK(lab.last("a") == lab.last("b"));
    CHECK(lab.file("a", "metrics.csv") == lab.file("b", "metrics.csv"));
    fs::remove_all(lab.folder / "b");
  }
}

TEST_CASE("signal: at any moment, scan, validation and report included, nothing is lost") {
  const Lab lab;
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(cyto(lab.train("a")).exit == 0);
  const double whole =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  Rng rng(static_cast<uint64_t>(getpid()), "signal");
  for (int round = 0; round < 12; ++round) {
    fs::remove_all(lab.folder / "b");
    test::Program run(lab.train("b"), lab.folder.path().string());
    test::pause(rng.uniform(0.02, 1.0) * whole);
    const auto sent = std::chrono::steady_clock::now();
    run.send(round % 2 ? SIGINT : SIGTERM);
    const int exit = run.wait().exit;
    const double took =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - sent).count();
    CHECK(took < 5);
    CHECK((exit == 0 || exit == (round % 2 ? 130 : 143)));
    const auto resumed = lab.has("b", "config.toml") ? cyto(lab.resume("b")) : cyto(lab.train("b"));
    REQUIRE_MESSAGE(resumed.exit == 0, resumed.err);
    CHECK(lab.last("a") == lab.last("b"));
    CHECK(lab.file("a", "metrics.csv") == lab.file("b", "metrics.csv"));
    CHECK(lab.has("b", "DONE"));
  }
}

TEST_CASE("signal: a second one exits at once and writes nothing") {
  const Lab lab;
  // Steps of seconds, so that the second signal comes before the first could have been obeyed.
  test::Program run(lab.train("a", {"--model", "resnet50", "--image-size", "160", "--batch", "24",
                                    "--epochs", "1", "--threads", "1"}),
                    lab.folder.path().string());
  const std::string checkpoints = lab.folder / "a/checkpoints";
  for (int i = 0; i < 10000 && !fs::exists(checkpoints + "/last"); ++i) test::pause(0.002);
  test::pause(0.1);
  const auto before = names_in(checkpoints), outside = names_in(lab.folder / "a");
  const auto begin = std::chrono::steady_clock::now();
  run.send(SIGINT);
  run.send(SIGTERM);
  const auto stopped = run.wait();
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(1));
  CHECK((stopped.exit == 130 || stopped.exit == 143));  // the kernel chooses which comes second
  CHECK(stopped.err.find("stopped by") == std::string::npos);
  CHECK(names_in(checkpoints) == before);
  CHECK(names_in(lab.folder / "a") == outside);
}

TEST_CASE("signal: SIGPIPE is an error of the write") {
  const Lab lab;
  REQUIRE(cyto(lab.train("a", {"--epochs", "1"})).exit == 0);
  for (const Words& words :
       {Words{"eval", "--run", lab.folder / "a"},
        Words{"eval", "--run", lab.folder / "a", "--json"}, Words{"help", "train"},
        Words{"predict", "--run", lab.folder / "a", lab.data}}) {
    const auto result = cyto(words, {}, "", close_reader);
    CHECK(result.exit == 4);
    CHECK(result.err.find("standard output") != std::string::npos);
  }
}

TEST_CASE("disk.full: a limit met while a checkpoint is written leaves the one before") {
  const Lab lab;
  REQUIRE(cyto(lab.train("a")).exit == 0);
  test::Program first(lab.train("b"), lab.folder.path().string());
  test::wait_for_epoch(lab.folder / "b");
  first.send(SIGTERM);
  REQUIRE(first.wait().exit == 143);
  const std::string before = lab.last("b");
  // Checkpoints have four megabytes; SIGXFSZ must not end the program.
  const auto failed =
      cyto(lab.resume("b"), {}, "", [] { set_limit(RLIMIT_FSIZE, rlim_t{1} << 20); });
  CHECK(failed.exit == 4);
  CHECK_MESSAGE(failed.err.find("[disk.full]") != std::string::npos, failed.err);
  CHECK(failed.err.find("room for ") != std::string::npos);
  CHECK(failed.err.find(" bytes are free") != std::string::npos);
  CHECK(lab.last("b") == before);
  CHECK(!any_temporary(lab.folder / "b"));
  REQUIRE(cyto(lab.resume("b")).exit == 0);
  CHECK(lab.last("a") == lab.last("b"));
  CHECK(lab.file("a", "metrics.csv") == lab.file("b", "metrics.csv"));
}

TEST_CASE("mem.full: address space at its limit is exit 5 with the bytes asked for") {
#if defined(CYTOGRAD_ASAN) || defined(CYTOGRAD_TSAN)
  MESSAGE("sanitizers reserve address space without bound; skipped");
  return;
#endif
  const Lab lab;
  const Words words = lab.train("a", {"--image-size", "128", "--batch", "24", "--threads", "2"});
  int failures = 0, with_bytes = 0, passed = 0;
  for (rlim_t megabytes = 64; megabytes <= 4096; megabytes += megabytes / 4) {
    const auto limit = [megabytes] { set_limit(RLIMIT_AS, megabytes << 20); };
    // Below this the loader of the program itself has no room for the libraries.
    if (cyto({"--version"}, {}, "", limit).exit != 0) continue;
    fs::remove_all(lab.folder / "a");
    const auto result = cyto(words, {}, "", limit);
    CAPTURE(megabytes);
    CHECK_MESSAGE((result.exit == 0 || result.exit == 5), result.exit, ": ", result.err);
    if (result.exit == 0 && ++passed == 2) break;
    if (result.exit != 5) continue;
    ++failures;
    CHECK_MESSAGE(result.err.find("[mem.full]") != std::string::npos, result.err);
    with_bytes += result.err.find("asked for ") != std::string::npos;
  }
  MESSAGE(failures, " runs met the limit, ", with_bytes, " of them in an allocation");
  CHECK(failures > 0);
  CHECK(with_bytes > 0);
  CHECK(passed > 0);
}

TEST_CASE("clock: no time in the results, names stay unique") {
  const Lab lab;
  REQUIRE(cyto(lab.train("a")).exit == 0);
  const auto count_events = [&](const std::string& run) {
    int n = 0;
    for (const std::string& name : names_in(lab.folder / run))
      n += name.starts_with("events.out.tfevents.");
    return n;
  };
#ifdef CLOCK_SHIM
  for (const std::string clock : {"1970", "2100", "back"}) {
    CAPTURE(clock);
    const Words shim = {"LD_PRELOAD=" CLOCK_SHIM, "CLOCK_SHIM=" + clock};
    const auto result = cyto(lab.train("b", {"--force"}), shim);
    REQUIRE_MESSAGE(result.exit == 0, result.err);
    for (const char* name :
         {"metrics.csv", "metrics.jsonl", "splits.csv", "samples.csv", "checkpoints/last",
          "checkpoints/best", "report/predictions.csv", "DONE"})
      CHECK_MESSAGE(lab.file("a", name) == lab.file("b", name), name);
    if (clock == "1970")
      CHECK(lab.file("b", "environment.json").find("1970-01-01T00:00:00Z") != std::string::npos);
    // Starts within one second must not share a file.
    for (int k = 2; k <= 3; ++k) {
      fs::remove(lab.folder / "b/DONE");
      REQUIRE(cyto(lab.resume("b"), shim).exit == 0);
      CHECK(count_events("b") == k);
    }
  }
#else
  MESSAGE("the clock itself is not changed in a sanitizer build");
#endif
  CHECK(count_events("a") == 1);
}

TEST_CASE("predict names every image that cannot be read and loses none of the others") {
  const Lab lab;
  REQUIRE(cyto(lab.train("a", {"--epochs", "1"})).exit == 0);
  const std::string photos = lab.folder / "photos";
  test::write_discs(photos, {"p"}, 12);
  const auto whole =
      nlohmann::json::parse(cyto({"predict", "--run", lab.folder / "a", "--json", photos}).out);
  REQUIRE(whole.size() == 12);
  std::set<std::string> bad;
  for (const int k : {0, 3, 4, 7, 8, 10, 11}) {
    const std::string path = photos + "/p/" + std::to_string(k) + ".png";
    const std::string bytes = read_file(path);
    write_file_atomically(path, k == 3 ? "some text" : bytes.substr(0, bytes.size() / 2));
    bad.insert(path);
  }
  const Words words = {"predict", "--run", lab.folder / "a", photos};
  const auto with = [&](Words more) {
    more.insert(more.begin(), words.begin(), words.end());
    return cyto(more);
  };
  const auto failed = with({"--json"});
  CHECK(failed.exit == 3);
  const auto rows = nlohmann::json::parse(failed.out);
  REQUIRE(rows.size() == 12);
  for (size_t i = 0; i < rows.size(); ++i) {
    CHECK(rows[i]["file"] == whole[i]["file"]);
    if (bad.contains(rows[i]["file"]))
      CHECK(rows[i]["error"]["id"].get<std::string>().starts_with("img."));
    else
      CHECK(rows[i] == whole[i]);
  }
  const auto text = with({});
  CHECK(text.exit == 3);
  CHECK(std::count(text.out.begin(), text.out.end(), '\n') == 5);
  CHECK(text.err.find("7 of 12 images cannot be read") != std::string::npos);
  CHECK(std::count(text.err.begin(), text.err.end(), '\n') == 6);  // the first five, the total
  const auto table = with({"--csv", "-o", lab.folder / "out.csv"});
  CHECK(table.exit == 3);
  const std::string csv = read_file(lab.folder / "out.csv");
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 13);
  CHECK(csv.find("[img.type]") != std::string::npos);
  const auto skipped = with({"--on-bad-image", "skip"});
  CHECK(skipped.exit == 0);
  CHECK(skipped.out == text.out);
  const auto missing = with({photos + "/nothing.png"});
  CHECK(missing.exit == 3);
  CHECK(cyto({"predict", "--run", lab.folder / "a", photos + "/nothing.png"}).exit == 4);
}
