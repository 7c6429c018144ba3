#include "io/h5ad_child.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "core/sanitizers.h"
#include "cytograd/core/error.h"

namespace cytograd::io {
namespace {

constexpr rlim_t most_seconds = 600;
constexpr uint64_t data_fault = 0, file_fault = 2;  // 1 is a part
constexpr uint64_t most_bytes = uint64_t{24} << 30;

void limit_this_process() {
  for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGINT, SIGTERM})
    std::signal(signal, SIG_DFL);
  const rlimit time{most_seconds, most_seconds}, none{0, 0};
  setrlimit(RLIMIT_CPU, &time);
  setrlimit(RLIMIT_CORE, &none);
#if !defined(CYTOGRAD_ASAN) && !defined(CYTOGRAD_TSAN)  // their shadow memory counts as data
  const rlimit memory{most_bytes, most_bytes};
  setrlimit(RLIMIT_DATA, &memory);
#endif
}

[[noreturn]] void child(int to, const std::function<void(Sender&)>& send) {
  limit_this_process();
  Sender out(to);
  const auto fail = [&out](uint64_t kind, const Fault& f) {
    out.number(kind);
    for (const std::string& part : {f.id, f.file, f.place, f.found, f.expected, f.hint})
      out.text(part);
  };
  try {
    send(out);
  } catch (const DataError& e) {
    fail(data_fault, e.fault());
  } catch (const FileError& e) {
    fail(file_fault, e.fault());
  } catch (...) {
    _exit(1);  // out of memory, or a fault inside HDF5
  }
  _exit(0);
}

// Ends and collects the child.
struct Reaper {
  pid_t pid;
  int from;
  ~Reaper() {
    close(from);
    kill(pid, SIGKILL);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
  }
};

}  // namespace

void Sender::bytes(const void* data, size_t size) {
  for (const char* at = static_cast<const char*>(data); size > 0;) {
    const ssize_t sent = write(to_, at, size);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) _exit(1);
    at += sent;
    size -= static_cast<size_t>(sent);
  }
}

void Sender::text(const std::string& s) {
  number(s.size());
  bytes(s.data(), s.size());
}

void Sender::texts(const std::vector<std::string>& v) {
  number(v.size());
  for (const std::string& s : v) text(s);
}

void Receiver::bytes(void* data, size_t size) {
  for (char* at = static_cast<char*>(data); size > 0;) {
    const ssize_t got = read(from_, at, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw ChildDied();
    at += got;
    size -= static_cast<size_t>(got);
  }
}

void Receiver::part() {
  const uint64_t kind = number();
  if (kind == 1) return;
  if (kind != data_fault && kind != file_fault) throw ChildDied();
  Fault f{text(), text(), text(), text(), text(), text()};
  if (f.file.empty()) f.file = path_;
  if (kind == data_fault) throw DataError(f);
  throw FileError(f);
}

uint64_t Receiver::number() {
  uint64_t n;
  bytes(&n, sizeof n);
  return n;
}

size_t Receiver::count(size_t size) {
  const uint64_t n = number();
  if (n > most_bytes / size) throw ChildDied();
  return static_cast<size_t>(n);
}

std::string Receiver::text() {
  std::string s(count(1), '\0');
  bytes(s.data(), s.size());
  return s;
}

std::vector<std::string> Receiver::texts() {
  const size_t n = count(sizeof(uint64_t));
  std::vector<std::string> v;
  for (size_t i = 0; i < n; ++i) v.push_back(text());
  return v;
}

void read_in_child(const std::string& path, const std::function<void(Sender&)>& send,
                   const std::function<void(Receiver&)>& receive) {
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    throw FileError(Fault{"file.missing", path, "", "no such file", "", ""});
  if (access(path.c_str(), R_OK) != 0)
    throw FileError(Fault{"file.permission", path, "", "not readable", "", ""});
  int ends[2];
  if (pipe(ends) != 0)
    throw FileError(Fault{"file.io", path, "", std::strerror(errno), "a pipe", ""});
  const pid_t pid = fork();
  if (pid == 0) {
    close(ends[0]);
    child(ends[1], send);
  }
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    throw FileError(Fault{"file.io", path, "", std::strerror(errno), "a process to read it", ""});
  }
  const Reaper reaper{pid, ends[0]};
  try {
    Receiver in(ends[0], path);
    receive(in);
  } catch (const ChildDied&) {
    throw DataError(Fault{"h5ad.crash", path, "",
                          "the process that reads this file failed or met its limits",
                          "a whole file", "copy it again, or write it again with anndata"});
  }
}

}  // namespace cytograd::io
