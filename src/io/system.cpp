#include "io/system.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "cytograd/core/error.h"

namespace cytograd::io {
namespace {

struct Injection {
  int at = 0, error = 0, seen = 0;
};
thread_local Injection injection;

bool injected() {
  if (++injection.seen != injection.at || injection.error == 0) return false;
  errno = injection.error;
  return true;
}

template <class F>
auto repeat_if_interrupted(F&& call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

std::string describe(int error) {
  std::string text = std::generic_category().message(error);
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] + 32);
  return text;
}

}  // namespace

namespace sys {

int open(const std::string& path, int flags, mode_t mode) {
  if (injected()) return -1;
  return repeat_if_interrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); });
}

ssize_t write(int fd, const void* data, size_t bytes) {
  if (injected()) return -1;
  if (injection.seen == injection.at && bytes > 1) bytes /= 2;
  return repeat_if_interrupted([&] { return ::write(fd, data, bytes); });
}

int fsync(int fd) {
  if (injected()) return -1;
  return repeat_if_interrupted([&] { return ::fsync(fd); });
}

int close(int fd) {
  const bool fail = injected();
  const int error = errno;
  const int result = ::close(fd);  // never repeated: the descriptor is gone even after EINTR
  if (fail) errno = error;
  return fail ? -1 : result;
}

int rename(const std::string& from, const std::string& to) {
  if (injected()) return -1;
  return ::rename(from.c_str(), to.c_str());
}

int truncate(int fd, int64_t bytes) {
  if (injected()) return -1;
  return repeat_if_interrupted([&] { return ::ftruncate(fd, bytes); });
}

int symlink(const std::string& target, const std::string& link) {
  if (injected()) return -1;
  return ::symlink(target.c_str(), link.c_str());
}

int reserve(int fd, uint64_t bytes) {
  if (injected()) return -1;
#ifdef __linux__
  const int result =
      repeat_if_interrupted([&] { return ::fallocate(fd, 0, 0, static_cast<off_t>(bytes)); });
  if (result == -1 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)) return -1;
#endif
  return 0;
}

}  // namespace sys

namespace testing {
void fail_syscall_at(int n, int error) { injection = {n, error, 0}; }
int syscalls_seen() { return injection.seen; }
}  // namespace testing

std::string folder_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string name_of_path(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

int sync_folder(const std::string& folder) {
  const int fd = sys::open(folder, O_RDONLY | O_DIRECTORY);
  if (fd == -1) return errno;
  int error = sys::fsync(fd) == 0 ? 0 : errno;
  if (error == EINVAL || error == EROFS) error = 0;  // file systems that cannot sync a folder
  if (sys::close(fd) != 0 && error == 0) error = errno;
  return error;
}

int write_all(int fd, const char* data, size_t bytes) {
  while (bytes > 0) {
    const ssize_t n = sys::write(fd, data, bytes);
    if (n < 0) return errno;
    if (n == 0) return EIO;
    data += n;
    bytes -= static_cast<size_t>(n);
  }
  return 0;
}

void throw_file_error(const std::string& path, const char* action, int error, uint64_t needed) {
  Fault fault;
  fault.file = path;
  fault.found = std::string("cannot ") + action + ": " + describe(error);
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      fault.id = "file.missing";
      fault.hint = "check the path";
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      fault.id = "file.permission";
      fault.hint = "choose another place or change the permissions";
      break;
    case ELOOP:
    case ENAMETOOLONG:
      fault.id = "paths";
      fault.hint = "use a shorter path without link cycles";
      break;
    case EISDIR:
      fault.id = "file.kind";
      fault.hint = "give a file, not a folder";
      break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: {
      fault.id = "disk.full";
      struct statvfs space {};
      if (statvfs(folder_of(path).c_str(), &space) == 0)
        fault.found +=
            "; " + std::to_string(uint64_t{space.f_bavail} * space.f_frsize) + " bytes are free";
      if (needed > 0) fault.expected = "room for " + std::to_string(needed) + " bytes";
      fault.hint = "free space or choose another place";
      break;
    }
    default:
      fault.id = "file.io";
  }
  throw FileError(fault);
}

}  // namespace cytograd::io
