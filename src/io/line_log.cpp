#include "cytograd/io/line_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "cytograd/core/error.h"
#include "io/system.h"

namespace cytograd {

using namespace io;

LineLog::LineLog(std::string path, int64_t keep_lines) : path_(std::move(path)) {
  fd_ = sys::open(path_, O_RDWR | O_CREAT | O_APPEND, 0666);
  if (fd_ == -1) throw_file_error(path_, "open", errno);
  try {
    repair(keep_lines);
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

LineLog::~LineLog() {
  if (fd_ != -1) ::close(fd_);
}

void LineLog::fail(const char* action, int error) const { throw_file_error(path_, action, error); }

void LineLog::repair(int64_t keep_lines) {
  std::vector<char> block(size_t{1} << 16);
  int64_t offset = 0;
  bool more = true;
  while (more) {
    const ssize_t n = ::pread(fd_, block.data(), block.size(), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("read", errno);
    more = n > 0;
    for (ssize_t i = 0; i < n && lines_ < keep_lines; ++i)
      if (block[static_cast<size_t>(i)] == '\n') ++lines_, bytes_ = offset + i + 1;
    offset += n;
  }
  if (bytes_ == offset) return;
  char last = 0;
  repaired_ = ::pread(fd_, &last, 1, offset - 1) == 1 && last != '\n';
  if (sys::truncate(fd_, bytes_) != 0) fail("truncate", errno);
}

void LineLog::append(std::string_view line) {
  check<ValueError>(line.find('\n') == std::string_view::npos, "LineLog::append",
                    "one line expected, got a line break inside it");
  std::string whole(line);
  whole += '\n';
  if (const int error = write_all(fd_, whole.data(), whole.size()); error != 0) {
    (void)sys::truncate(fd_, bytes_);  // if this fails too, the next opening cuts the torn line
    throw_file_error(path_, "write", error, whole.size());
  }
  bytes_ += static_cast<int64_t>(whole.size());
  ++lines_;
}

void LineLog::sync() {
  if (sys::fsync(fd_) != 0) fail("write", errno);
}

}  // namespace cytograd
