#include <doctest/doctest.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cytograd/core/error.h"
#include "cytograd/core/memory.h"
#include "cytograd/io/file.h"
#include "cytograd/train/trainer.h"
#include "io/system.h"
#include "support/program.h"
#include "support/temp_folder.h"

// Every write and every allocation of a training fails once.

using namespace cytograd;
namespace fs = std::filesystem;

namespace {

class Lab {
 public:
  Lab() {
    test::write_discs(folder / "data", {"a", "b", "c"}, 6);
    config.data = {folder / "data"};
    config.model = "resnet20";
    config.image_size = 8;
    config.epochs = 3;
    config.batch = 6;
    config.ema = 0.5;
    task = std::make_unique<Task>(load_task(config, {}));
    run(folder / "whole", false);
    expected = read_file(folder / "whole/checkpoints/last");
    metrics = read_file(folder / "whole/metrics.csv");
  }
  // A new run, or the rest of one; `armed` is called when only training is left.
  void run(const std::string& path, bool resume, const std::function<void()>& armed = {}) const {
    const CheckpointStore store(path);
    const RunFolder run = resume ? RunFolder::resume(path) : RunFolder::create(path, true);
    if (!resume) {
      run.prepare();
      write_file_atomically(run.file("config.toml"), config_toml(config));
    }
    Trainer trainer(config, *task);
    if (resume && store.has("last"))
      trainer.restore(read_checkpoint(store.resolve("last")), store.resolve("last"));
    if (armed) armed();
    trainer.run(run, {});
  }
  // After a fault: whatever is there is whole, and going on ends with the bytes of an unbroken run.
  void check_goes_on(const std::string& path) const {
    for (const auto& entry : fs::recursive_directory_iterator(path))
      CHECK(entry.path().filename().string().find(".tmp-") == std::string::npos);
    const CheckpointStore store(path);
    if (store.has("last")) CHECK_NOTHROW(read_checkpoint(store.resolve("last")));
    run(path, true);
    CHECK(read_file(path + "/checkpoints/last") == expected);
    CHECK(read_file(path + "/checkpoints/best") == read_file(folder / "whole/checkpoints/best"));
    CHECK(read_file(path + "/metrics.csv") == metrics);
  }

  TempFolder folder;
  TrainConfig config;
  std::unique_ptr<Task> task;
  std::string expected, metrics;
};

}  // namespace

TEST_CASE("disk.full: every failing system call of a training is exit 4 and loses nothing") {
  const Lab lab;
  const std::string path = lab.folder / "b";
  io::testing::fail_syscall_at(0, 0);
  lab.run(path, false, [] { io::testing::fail_syscall_at(1 << 30, 0); });
  const int calls = io::testing::syscalls_seen();
  REQUIRE(calls > 40);
  const int errors[] = {ENOSPC, EIO, EDQUOT};
  for (int n = 1; n <= calls; n += n < 40 ? 1 : 3) {
    CAPTURE(n);
    bool failed = false;
    try {
      lab.run(path, false, [&] { io::testing::fail_syscall_at(n, errors[n % 3]); });
    } catch (const FileError& e) {
      failed = true;
      CHECK(e.exit_code() == ExitCode::file);
      CHECK(!e.fault().file.empty());
      CHECK(e.fault().id == (n % 3 == 1 ? "file.io" : "disk.full"));
    }
    io::testing::fail_syscall_at(0, 0);
    CHECK(failed);
    lab.check_goes_on(path);
  }
}

TEST_CASE("mem.full: every allocation of a training that fails is exit 5 and loses nothing") {
  const Lab lab;
  const std::string path = lab.folder / "b";
  const size_t before = memory_stats().in_use;
  int64_t n = 1;
  int failures = 0;
  for (bool failed = true; failed; n = n * 3 / 2 + 1) {
    CAPTURE(n);
    failed = false;
    try {
      lab.run(path, false, [&] { fail_allocation_at(n); });
    } catch (const DeviceError& e) {
      failed = true;
      CHECK(e.exit_code() == ExitCode::resource);
      CHECK(e.fault().id == "mem.full");
      CHECK(e.fault().found.find("asked for ") != std::string::npos);
    }
    fail_allocation_at(0);
    CHECK(memory_stats().in_use == before);  // nothing leaks
    if (!failed) break;
    ++failures;
    lab.check_goes_on(path);
  }
  CHECK(failures > 10);
}
