// Deaths of the process that reads HDF5: what is said of each, and that this process lives on.
#include "io/h5ad_child.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <new>
#include <stdexcept>

#include <doctest/doctest.h>

#include "core/sanitizers.h"
#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "io/expect_fault.h"
#include "support/temp_folder.h"

using namespace cytograd;
using namespace cytograd::io;

namespace {

using Work = std::function<void(Sender&)>;

class Crashes {
 public:
  Crashes() { write_file_atomically(path_, "any bytes"); }

  // The message after `work` in the child, whose one part is a list of whole numbers.
  std::string message(const Work& work, const ChildLimits& limits = {}) const {
    const std::string out = expect_fault<DataError>("h5ad.crash", [&] {
      read_in_child(
          path_, work,
          [](Receiver& from) {
            from.part();
            from.array<int64_t>();
          },
          limits);
    });
    CHECK(waitpid(-1, nullptr, WNOHANG) == -1);  // no child is left over
    CHECK(errno == ECHILD);
    return out;
  }

  // What was found, with the file before it and the id behind it.
  std::string said(const std::string& end) const {
    return path_ + ": the process that reads this file " + end + " [h5ad.crash]";
  }

 private:
  TempFolder folder_;
  std::string path_ = folder_ / "cells.h5ad";
};

const char* const again = "; expected a whole file; copy it again, or write it again with anndata";

}  // namespace

TEST_CASE("h5ad child: death by a signal has the signal's name") {
  const Crashes crashes;
  const struct {
    int signal;
    const char* end;
  } cases[] = {{SIGSEGV, "was ended by SIGSEGV"},
               {SIGBUS, "was ended by SIGBUS"},
               {SIGFPE, "was ended by SIGFPE"},
               {SIGKILL, "was ended by SIGKILL, as where the machine's memory is used up"}};
  for (const auto& c : cases)
    CHECK(crashes.message([&](Sender&) { std::raise(c.signal); }) ==
          crashes.said(c.end + std::string(again)));
  CHECK(crashes.message([](Sender&) { std::abort(); }) ==
        crashes.said(std::string("was ended by SIGABRT") + again));
  // In the middle of a part, too.
  CHECK(crashes.message([](Sender& to) {
    to.part();
    to.number(1000);
    to.number(1);
    std::raise(SIGSEGV);
  }) == crashes.said(std::string("was ended by SIGSEGV") + again));
}

TEST_CASE("h5ad child: what stops a program from a terminal is the parent's to obey") {
  const TempFolder folder;
  write_file_atomically(folder / "cells.h5ad", "any bytes");
  int64_t got = 0;
  read_in_child(
      folder / "cells.h5ad",
      [](Sender& to) {
        std::raise(SIGINT);
        std::raise(SIGTERM);
        to.part();
        to.number(5);
      },
      [&](Receiver& from) {
        from.part();
        got = static_cast<int64_t>(from.number());
      });
  CHECK(got == 5);
}

TEST_CASE("h5ad child: the limit on processor time") {
  const Crashes crashes;
  const auto spin = [](Sender&) {
    volatile unsigned n = 0;
    for (;;) n = n + 1;
  };
  CHECK(crashes.message(spin, {.seconds = 1}) ==
        crashes.said("took more than 1 s of processor time; take fewer cells, or copy it again"));
}

TEST_CASE("h5ad child: the limit on memory") {
#if defined(CYTOGRAD_ASAN) || defined(CYTOGRAD_TSAN)
  MESSAGE("skipped: memory is not limited under sanitizers");
#else
  const Crashes crashes;
  const auto take = [](Sender& to) {
    to.part();
    to.array(std::vector<int64_t>(size_t{1} << 28, 7));  // 2 GiB
  };
  CHECK(crashes.message(take, {.bytes = uint64_t{1} << 30}) ==
        crashes.said("took more than 1 GiB of memory, or more than there is; take fewer cells, or "
                     "copy it again"));
  CHECK(crashes.message(take, {.bytes = uint64_t{1500} << 20})
            .find("took more than 1500 MiB of memory") != std::string::npos);
#endif
}

TEST_CASE("h5ad child: memory that is not there, other exceptions, an early end, wrong contents") {
  const Crashes crashes;
  CHECK(crashes.message([](Sender&) { throw std::bad_alloc(); })
            .find("took more than 24 GiB of memory, or more than there is") != std::string::npos);
  CHECK(crashes.message([](Sender&) { throw std::runtime_error("inside HDF5"); }) ==
        crashes.said(std::string("failed") + again));
  CHECK(crashes.message([](Sender&) {}) ==
        crashes.said(std::string("ended before it was done") + again));
  // It lives on, but is waited for no longer.
  const std::string wrong = std::string("sent what no reader sends") + again;
  CHECK(crashes.message([](Sender& to) {
    to.number(77);
    for (;;) pause();
  }) == crashes.said(wrong));
  CHECK(crashes.message([](Sender& to) {
    to.part();
    to.number(uint64_t{1} << 40);  // numbers of a list that no memory holds
    for (;;) pause();
  }) == crashes.said(wrong));
}

TEST_CASE(
    "h5ad child: faults of its own keep their id; no child is left over; the next one works") {
  const TempFolder folder;
  const std::string path = folder / "cells.h5ad";
  write_file_atomically(path, "any bytes");
  const auto nothing = [](Receiver& from) { from.part(); };
  const std::string message = expect_fault<DataError>("h5ad.form", [&] {
    read_in_child(
        path,
        [](Sender&) {
          throw DataError(Fault{"h5ad.form", "", "X", "found", "", ""});
        },
        nothing);
  });
  CHECK(message == path + ": X: found [h5ad.form]");
  expect_fault<FileError>("file.missing", [&] {
    read_in_child(
        folder / "none", [](Sender&) {}, nothing);
  });
  std::vector<int64_t> got;
  read_in_child(
      path,
      [](Sender& to) {
        to.part();
        to.array(std::vector<int64_t>{1, 2, 3});
      },
      [&](Receiver& from) {
        from.part();
        got = from.array<int64_t>();
      });
  CHECK(got == std::vector<int64_t>{1, 2, 3});
  CHECK(waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
}
