#include "cytograd/io/file.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string>

#include "cytograd/core/error.h"
#include "cytograd/io/hash.h"
#include "cytograd/io/line_log.h"
#include "cytograd/io/run_lock.h"
#include "expect_fault.h"
#include "io/system.h"
#include "support/temp_folder.h"

using namespace cytograd;
namespace fs = std::filesystem;

TEST_CASE("disk.full: every failing call leaves the old file and no temporary") {
  TempFolder folder;
  const std::string path = folder / "weights.safetensors";
  const std::string large(200'000, 'x');
  for (const int error : {ENOSPC, EIO, EDQUOT, EROFS}) {
    write_file_atomically(path, "old");
    io::testing::fail_syscall_at(0, 0);
    write_file_atomically(path, large);
    const int calls = io::testing::syscalls_seen();
    REQUIRE(calls >= 6);
    for (int n = 1; n <= calls; ++n) {
      CAPTURE(error);
      CAPTURE(n);
      io::testing::fail_syscall_at(0, 0);
      write_file_atomically(path, "old");
      io::testing::fail_syscall_at(n, error);
      bool threw = false;
      try {
        write_file_atomically(path, large);
      } catch (const FileError& e) {
        threw = true;
        CHECK(std::string(e.what()).find(path) != std::string::npos);
        if (error == ENOSPC || error == EDQUOT) {
          CHECK(e.fault().id == "disk.full");
          if (n > 1) CHECK(e.fault().expected == "room for 200000 bytes");
          CHECK(e.fault().found.find("bytes are free") != std::string::npos);
        }
      }
      io::testing::fail_syscall_at(0, 0);
      // Reserving space may fail for reasons other than space, and is then skipped; a folder on a
      // read-only file system needs no sync. Both end with the complete file.
      const std::string now = read_file(path);
      CHECK((now == "old" || now == large));
      if (!threw) CHECK(now == large);
      CHECK(folder.count() == 1);
    }
  }
}

TEST_CASE("short writes are continued") {
  TempFolder folder;
  const std::string path = folder / "a";
  const std::string bytes(100'000, 'y');
  for (int n = 1; n < 6; ++n) {
    io::testing::fail_syscall_at(n, 0);
    write_file_atomically(path, bytes);
    CHECK(read_file(path) == bytes);
  }
  io::testing::fail_syscall_at(0, 0);
}

TEST_CASE("disk.full: a file size limit is an error, not a signal's death") {
  TempFolder folder;
  const std::string path = folder / "large";
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{10'000, 10'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    int result = 1;
    try {
      AtomicFile file(path);  // no space reserved: the writes themselves meet the limit
      for (int i = 0; i < 100; ++i) file.write(std::string(1000, 'x'));
      file.commit();
    } catch (const FileError& e) {
      result = e.fault().id == "disk.full" ? 0 : 2;
    }
    _exit(result);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(folder.count() == 0);
}

TEST_CASE("atomic file is invisible until committed and gone when abandoned") {
  TempFolder folder;
  const std::string path = folder / "a.csv";
  {
    AtomicFile file(path);
    file.write("half");
    CHECK_FALSE(fs::exists(path));
    CHECK(fs::exists(folder / (".a.csv.tmp-" + std::to_string(getpid()))));
  }
  CHECK(folder.count() == 0);
  AtomicFile first(path), second(path);  // two writers of one name do not mix
  first.write("1");
  second.write("2");
  first.commit();
  second.commit();
  CHECK(read_file(path) == "2");
  CHECK_THROWS_AS(first.write("x"), StateError);
  chmod(path.c_str(), 0640);
  write_file_atomically(path, "3");
  CHECK((fs::status(path).permissions() & fs::perms::all) == fs::perms(0640));
}

TEST_CASE("paths") {
  TempFolder folder;
  const std::string names[] = {
      "a b", "it's", "new\nline", "-x", "\xF0\x9F\x98\x80", "bad\xff\xfe", std::string(255, 'n')};
  for (const std::string& name : names) {
    write_file_atomically(folder / name, name);
    CHECK(read_file(folder / name) == name);
  }
  CHECK(folder.count() == std::size(names));
  fs::create_symlink("loop", folder.path() / "loop");
  expect_fault<FileError>("paths", [&] { read_file(folder / "loop"); });
  expect_fault<FileError>("paths", [&] { read_file(folder / std::string(4000, 'p')); });
  expect_fault<FileError>("file.missing", [&] { read_file(folder / "absent"); });
  expect_fault<FileError>("file.missing", [&] { write_file_atomically(folder / "no/a", ""); });
  expect_fault<FileError>("file.kind", [&] { read_file(folder.path().string()); });
  expect_fault<FileError>("file.kind", [&] { AtomicFile(folder.path().string()); });
  expect_fault<FileError>("file.kind", [] { AtomicFile("/dev/null"); });
  expect_fault<DataError>("file.size", [&] { read_file(folder / "a b", 2); });
  CHECK(read_file(folder / "a b", 3) == "a b");
  expect_fault<DataError>("file.size", [&] { read_file("/dev/zero", 100'000); });
}

TEST_CASE("temporaries of dead processes are removed") {
  TempFolder folder;
  const pid_t child = fork();
  if (child == 0) _exit(0);
  REQUIRE(child > 0);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  const std::string mine = ".b.tmp-" + std::to_string(getpid());
  const std::string dead = std::to_string(child);
  for (const std::string& name :
       {".a.tmp-" + dead, ".a.tmp-" + dead + "-2", mine, std::string(".c.tmp-x"), "d.tmp-" + dead})
    write_file_atomically(folder / name, "");
  CHECK(remove_stale_temporaries(folder.path().string()) == 2);
  CHECK(folder.count() == 3);
  CHECK(remove_stale_temporaries(folder / "absent") == 0);
}

TEST_CASE("a symbolic link is swapped in one step") {
  TempFolder folder;
  write_file_atomically(folder / "one", "1");
  write_file_atomically(folder / "two", "2");
  swap_symlink(folder / "last", "one");
  CHECK(read_file(folder / "last") == "1");
  swap_symlink(folder / "last", "two");
  CHECK(read_file(folder / "last") == "2");
  for (int n = 1; n <= 2; ++n) {
    io::testing::fail_syscall_at(n, EIO);
    CHECK_THROWS_AS(swap_symlink(folder / "last", "one"), FileError);
    CHECK(read_file(folder / "last") == "2");
    CHECK(folder.count() == 3);
  }
  io::testing::fail_syscall_at(0, 0);
  expect_fault<FileError>("file.kind", [&] { swap_symlink(folder / "one", "two"); });
}

TEST_CASE("a torn last line is dropped") {
  TempFolder folder;
  const std::string path = folder / "metrics.csv";
  {
    LineLog log(path);
    log.append("epoch,loss");
    log.append("1,0.5");
    log.append("2,0.4");
    CHECK(log.lines() == 3);
    CHECK_THROWS_AS(log.append("3\n4"), ValueError);
    io::testing::fail_syscall_at(1, ENOSPC);
    expect_fault<FileError>("disk.full", [&] { log.append("3,0.3"); });
    io::testing::fail_syscall_at(0, 0);
    log.append("3,0.25");
  }
  const std::string whole = "epoch,loss\n1,0.5\n2,0.4\n3,0.25\n";
  CHECK(read_file(path) == whole);
  for (size_t cut = 1; cut < 7; ++cut) {
    write_file_atomically(path, whole.substr(0, whole.size() - cut));
    LineLog log(path);
    CHECK(log.repaired());
    CHECK(log.lines() == 3);
    log.append("3,0.25");
    CHECK(read_file(path) == whole);
  }
  LineLog resumed(path, 2);
  CHECK_FALSE(resumed.repaired());
  resumed.append("2,x");
  CHECK(read_file(path) == "epoch,loss\n1,0.5\n2,x\n");
}

TEST_CASE("lock") {
  TempFolder folder;
  const std::string path = folder / "run.lock";
  {
    RunLock lock(path);
    CHECK(lock.note().empty());
    const std::string message = expect_fault<FileError>("lock", [&] { RunLock second(path); });
    CHECK(message.find("process " + std::to_string(getpid())) != std::string::npos);
  }
  CHECK(folder.count() == 0);
  const pid_t child = fork();
  if (child == 0) {
    new RunLock(path);
    _exit(0);  // dies without releasing
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  RunLock lock(path);
  CHECK(lock.note().find("process " + std::to_string(child)) != std::string::npos);
}

TEST_CASE("xxh3-128 known answers") {
  // From xxhsum's sanity checks: the empty input.
  CHECK(xxh3_128("") == "99aa06d3014798d86001c324468d497f");
  TempFolder folder;
  const std::string bytes(600'000, 'z');
  write_file_atomically(folder / "z", bytes);
  CHECK(xxh3_128_file(folder / "z") == xxh3_128(bytes));
  CHECK(xxh3_128(bytes) != xxh3_128(bytes + "z"));
  CHECK_THROWS_AS(xxh3_128_file(folder / "absent"), FileError);
}
