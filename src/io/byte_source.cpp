#include "io/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cytograd/core/error.h"
#include "io/system.h"

namespace cytograd::io {

void MemorySource::read(uint64_t offset, void* out, size_t bytes) const {
  if (bytes > 0) std::memcpy(out, bytes_.data() + offset, bytes);
}

FileSource::FileSource(const std::string& path) : path_(path) {
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ == -1) throw_file_error(path, "open", errno);
  struct stat info {};
  const int error = fstat(fd_, &info) != 0 ? errno : S_ISDIR(info.st_mode) ? EISDIR : 0;
  if (error == 0 && S_ISREG(info.st_mode)) {
    size_ = static_cast<uint64_t>(info.st_size);
    return;
  }
  ::close(fd_);
  if (error != 0) throw_file_error(path, "read", error);
  throw FileError({"file.kind", path, "", "a device, pipe or socket", "a regular file", ""});
}

FileSource::~FileSource() { ::close(fd_); }

void FileSource::read(uint64_t offset, void* out, size_t bytes) const {
  char* to = static_cast<char*>(out);
  while (bytes > 0) {
    const ssize_t n = ::pread(fd_, to, bytes, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_file_error(path_, "read", errno);
    if (n == 0)
      throw FileError({"file.io", path_, "byte " + std::to_string(offset),
                       "file became shorter while it was read", "", "try again"});
    to += n;
    offset += static_cast<uint64_t>(n);
    bytes -= static_cast<size_t>(n);
  }
}

}  // namespace cytograd::io
