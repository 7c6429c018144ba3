#include "cytograd/io/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "cytograd/core/error.h"
#include "cytograd/io/text.h"
#include "io/system.h"

namespace cytograd {

using namespace io;

namespace {

constexpr size_t buffer_bytes = size_t{1} << 16;
constexpr size_t max_name_bytes = 255;
const char* const temporary_mark = ".tmp-";

// `.NAME.tmp-PID`, NAME cut where the file system's limit asks for it.
std::string temporary_for(const std::string& path, int attempt) {
  std::string suffix = temporary_mark + std::to_string(getpid());
  if (attempt > 0) suffix += "-" + std::to_string(attempt);
  std::string name = name_of_path(path);
  name.resize(std::min(name.size(), max_name_bytes - suffix.size() - 1));
  const std::string folder = folder_of(path);
  return (folder == "." && path.find('/') == std::string::npos ? "" : folder + "/") + "." + name +
         suffix;
}

// The process in `.NAME.tmp-PID[-N]`, or 0 if the name has another form.
pid_t owner_of_temporary(const std::string& name) {
  const size_t mark = name.rfind(temporary_mark);
  if (name.empty() || name[0] != '.' || mark == std::string::npos || mark == 0) return 0;
  std::string digits = name.substr(mark + std::strlen(temporary_mark));
  digits = digits.substr(0, digits.find('-'));
  const auto pid = parse_int(digits);
  return pid && *pid > 0 && *pid <= INT32_MAX ? static_cast<pid_t>(*pid) : 0;
}

[[noreturn]] void throw_too_large(const std::string& path, const std::string& size,
                                  uint64_t limit) {
  throw DataError({"file.size", path, "", "file of " + size + " bytes",
                   "at most " + std::to_string(limit) + " bytes", "split the file"});
}

// Reads from fd to the end. Returns 0 or an errno; EFBIG for more than `limit` bytes.
int read_to_end(int fd, uint64_t size_hint, uint64_t limit, std::string& out) {
  size_t used = 0;
  out.resize(size_hint + 1);  // one more, so that the end shows without growing
  while (true) {
    if (used == out.size()) out.resize(std::min<uint64_t>(out.size() * 2, limit + 1));
    const ssize_t n = ::read(fd, out.data() + used, out.size() - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) break;
    used += static_cast<size_t>(n);
    if (used > limit) return EFBIG;
  }
  out.resize(used);
  return 0;
}

}  // namespace

std::string read_file(const std::string& path, uint64_t limit) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd == -1) throw_file_error(path, "open", errno);
  const auto closer =
      std::unique_ptr<const int, void (*)(const int*)>(&fd, [](const int* p) { ::close(*p); });
  struct stat info {};
  if (fstat(fd, &info) != 0) throw_file_error(path, "read", errno);
  if (S_ISDIR(info.st_mode)) throw_file_error(path, "read", EISDIR);
  const auto size = S_ISREG(info.st_mode) ? static_cast<uint64_t>(info.st_size) : 0;
  if (size > limit) throw_too_large(path, std::to_string(size), limit);
  std::string out;
  const int error = read_to_end(fd, std::max<uint64_t>(size, 4095), limit, out);
  if (error == EFBIG) throw_too_large(path, "more than " + std::to_string(limit), limit);
  if (error != 0) throw_file_error(path, "read", error);
  return out;
}

AtomicFile::AtomicFile(std::string path, uint64_t expected_bytes)
    : path_(std::move(path)), expected_(expected_bytes) {
  struct stat info {};
  const bool exists = stat(path_.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) throw_file_error(path_, "write", EISDIR);
  // A rename would put a regular file in place of /dev/null.
  if (exists && !S_ISREG(info.st_mode))
    throw FileError({"file.kind", path_, "", "a device, pipe or socket", "a regular file", ""});
  if (name_of_path(path_).empty()) throw_file_error(path_, "write", EISDIR);
  buffer_.reserve(buffer_bytes);
  open();
  if (exists) (void)fchmod(fd_, info.st_mode & 07777);  // best effort: the owner may differ
  if (expected_ > 0 && sys::reserve(fd_, expected_) != 0) fail("reserve space", errno);
}

void AtomicFile::open() {
  constexpr int attempts = 16;  // names taken by other threads, or by an earlier process of our id
  for (int attempt = 0; attempt < attempts; ++attempt) {
    temporary_ = temporary_for(path_, attempt);
    fd_ = sys::open(temporary_, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
    if (fd_ != -1) {
      (void)flock(fd_, LOCK_EX | LOCK_NB);  // tells remove_stale_temporaries that we live
      return;
    }
    if (errno != EEXIST) break;
  }
  const int error = errno;
  temporary_.clear();
  throw_file_error(path_, "create", error);
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() noexcept {
  if (fd_ != -1) ::close(fd_);
  fd_ = -1;
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

void AtomicFile::fail(const char* action, int error) {
  discard();
  throw_file_error(path_, action, error, std::max(expected_, size_));
}

void AtomicFile::write(const void* data, size_t bytes) {
  if (fd_ == -1) throw StateError("AtomicFile: write after commit or failure: " + path_);
  const char* p = static_cast<const char*>(data);
  size_ += bytes;
  if (buffer_.size() + bytes <= buffer_bytes) {
    buffer_.insert(buffer_.end(), p, p + bytes);
    return;
  }
  flush();
  if (const int error = write_all(fd_, p, bytes); error != 0) fail("write", error);
}

void AtomicFile::flush() {
  if (const int error = write_all(fd_, buffer_.data(), buffer_.size()); error != 0)
    fail("write", error);
  buffer_.clear();
}

void AtomicFile::commit() {
  if (fd_ == -1) throw StateError("AtomicFile: second commit: " + path_);
  flush();
  if (size_ < expected_ && sys::truncate(fd_, static_cast<int64_t>(size_)) != 0)
    fail("write", errno);
  if (sys::fsync(fd_) != 0) fail("write", errno);
  const int fd = std::exchange(fd_, -1);
  if (sys::close(fd) != 0) fail("write", errno);
  if (sys::rename(temporary_, path_) != 0) fail("rename the new file to this name", errno);
  temporary_.clear();
  if (const int error = sync_folder(folder_of(path_)); error != 0) fail("sync the folder", error);
}

void write_file_atomically(const std::string& path, std::string_view bytes) {
  AtomicFile file(path, bytes.size());
  file.write(bytes);
  file.commit();
}

int remove_stale_temporaries(const std::string& folder) {
  const auto handle = std::unique_ptr<DIR, int (*)(DIR*)>(opendir(folder.c_str()), closedir);
  if (!handle) {
    if (errno == ENOENT) return 0;
    throw_file_error(folder, "list", errno);
  }
  int removed = 0;
  while (const dirent* entry = readdir(handle.get())) {
    const std::string name = entry->d_name;
    const pid_t owner = owner_of_temporary(name);
    if (owner == 0 || owner == getpid() || kill(owner, 0) == 0 || errno == EPERM) continue;
    const int fd =
        openat(dirfd(handle.get()), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd == -1 && errno != ELOOP) continue;
    // The process id may belong to another container; its lock is seen all the same.
    const bool free = fd == -1 || flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (free && unlinkat(dirfd(handle.get()), entry->d_name, 0) == 0) ++removed;
    if (fd != -1) ::close(fd);
  }
  return removed;
}

void swap_symlink(const std::string& link, const std::string& target) {
  struct stat info {};
  if (lstat(link.c_str(), &info) == 0 && !S_ISLNK(info.st_mode))
    throw FileError({"file.kind", link, "", "not a symbolic link", "a symbolic link or nothing",
                     "move it away"});
  const std::string temporary = temporary_for(link, 0);
  ::unlink(temporary.c_str());
  int error = sys::symlink(target, temporary) == 0 ? 0 : errno;
  if (error != 0) throw_file_error(link, "create", error);
  if (sys::rename(temporary, link) != 0) {
    error = errno;
    ::unlink(temporary.c_str());
    throw_file_error(link, "replace", error);
  }
  error = sync_folder(folder_of(link));
  if (error != 0) throw_file_error(link, "sync the folder", error);
}

}  // namespace cytograd
