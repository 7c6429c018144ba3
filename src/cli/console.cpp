#include "cli/console.h"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "cli/common.h"
#include "cytograd/core/error.h"

namespace cytograd::cli {
namespace {

// Returns 0 or an errno.
int write_fd(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    text.remove_prefix(static_cast<size_t>(n));
  }
  return 0;
}

void check_stdout(int error) {
  if (error == 0) return;
  throw FileError(Fault{error == ENOSPC ? "disk.full" : "file.io", "standard output", "",
                        std::string("cannot write: ") + std::strerror(error), "", ""});
}

bool wants_color(int fd) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return ::isatty(fd) && !(no_color && *no_color) && term && std::strcmp(term, "dumb") != 0;
}

const char* code_of(Style style) {
  switch (style) {
    case Style::bold:
      return "\x1b[1m";
    case Style::dim:
      return "\x1b[2m";
    case Style::red:
      return "\x1b[1;31m";
    case Style::yellow:
      return "\x1b[1;33m";
    case Style::green:
      return "\x1b[32m";
    case Style::plain:
      break;
  }
  return "";
}

}  // namespace

void Console::configure(const std::string& command, const CommonOptions& options) {
  command_ = command;
  quiet_ = options.quiet;
  json_ = options.json;
  verbose_ = options.verbose;
  const char* term = std::getenv("TERM");
  progress_ = !options.quiet && !options.no_progress && ::isatty(2) && term &&
              std::strcmp(term, "dumb") != 0;
  color_out_ = !options.no_color && wants_color(1);
  color_err_ = !options.no_color && wants_color(2);
}

void Console::out(std::string_view text) { check_stdout(write_fd(1, text)); }

void Console::line(std::string_view prefix, Style style, std::string_view text) {
  status("");
  std::string out = command_.empty() ? "cyto: " : "cyto " + command_ + ": ";
  if (!prefix.empty() && color_err_)
    out += code_of(style) + std::string(prefix) + "\x1b[0m";
  else
    out += prefix;
  out += escape_control(std::string(text)) + "\n";
  // A message that cannot be shown changes nothing about the work.
  (void)write_fd(2, out);
}

void Console::note(std::string_view text) {
  if (!quiet_) line("", Style::plain, text);
}
void Console::detail(std::string_view text) {
  if (verbose_ > 0) line("", Style::plain, text);
}
void Console::warn(std::string_view text) { line("warning: ", Style::yellow, text); }
void Console::error(std::string_view text) { line("error: ", Style::red, text); }

void Console::status(std::string_view text) {
  if (!progress_ || (text.empty() && !status_shown_)) return;
  status_shown_ = !text.empty();
  const auto width = static_cast<size_t>(columns() > 1 ? columns() - 1 : 1);
  (void)write_fd(2, "\r\x1b[K" + std::string(text.substr(0, width)));
}

int Console::columns() const {
  winsize size{};
  if (::ioctl(2, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

std::string Console::styled(Style style, std::string_view text) const {
  if (!color_out_ || style == Style::plain) return std::string(text);
  return code_of(style) + std::string(text) + "\x1b[0m";
}

void Console::finish() {
  status("");
  // Some file systems report a full disk only here. Terminals and pipes cannot be synced.
  struct stat info {};
  if (::fstat(1, &info) == 0 && S_ISREG(info.st_mode) && ::fsync(1) != 0 && errno != EINVAL)
    check_stdout(errno);
}

Console& console() {
  static Console instance;
  return instance;
}

}  // namespace cytograd::cli
