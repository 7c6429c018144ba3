#include "cytograd/io/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <utility>

#include "cytograd/core/error.h"
#include "io/system.h"

namespace cytograd {

using namespace io;

namespace {

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 40> text{};
  const size_t n = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), n};
}

std::string this_process() {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
  return std::string("host ") + host.data() + ", process " + std::to_string(getpid()) +
         ", started " + now_utc() + "\n";
}

std::string content(int fd) {
  std::array<char, 512> text{};
  const ssize_t n = ::pread(fd, text.data(), text.size(), 0);
  std::string out(text.data(), n > 0 ? static_cast<size_t>(n) : 0);
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

// Whether `path` still names the open file: a releasing process may have removed it meanwhile.
bool still_there(const std::string& path, int fd) {
  struct stat a {
  }, b{};
  return fstat(fd, &a) == 0 && stat(path.c_str(), &b) == 0 && a.st_ino == b.st_ino &&
         a.st_dev == b.st_dev;
}

}  // namespace

RunLock::RunLock(std::string path) : path_(std::move(path)) {
  while (fd_ == -1) {
    const int fd = sys::open(path_, O_RDWR | O_CREAT | O_NOFOLLOW, 0666);
    if (fd == -1) throw_file_error(path_, "open", errno);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      const std::string holder = content(fd);
      ::close(fd);
      if (error != EWOULDBLOCK) throw_file_error(path_, "lock", error);
      throw FileError({"lock", path_, "", "run folder is in use by " + holder, "",
                       "wait for that process or choose another folder"});
    }
    if (still_there(path_, fd))
      fd_ = fd;
    else
      ::close(fd);
  }
  if (const std::string before = content(fd_); !before.empty())
    note_ = "took over the lock of a process that ended without releasing it: " + before;
  const std::string me = this_process();
  int error = sys::truncate(fd_, 0) == 0 ? 0 : errno;
  if (error == 0) error = write_all(fd_, me.data(), me.size());
  if (error != 0) {
    ::close(fd_);
    throw_file_error(path_, "write", error, me.size());
  }
}

RunLock::~RunLock() {
  ::unlink(path_.c_str());  // while still held, so that nobody else's file is removed
  ::close(fd_);
}

}  // namespace cytograd
