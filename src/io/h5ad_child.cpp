#include "io/h5ad_child.h"

#if defined(__linux__)
#include <sys/prctl.h>
#endif
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <new>
#include <optional>

#include "core/sanitizers.h"
#include "cytograd/core/error.h"

namespace cytograd::io {
namespace {

constexpr uint64_t data_fault = 0, file_fault = 2;  // 1 is a part
constexpr int failed = 1, out_of_memory = 2;        // exit statuses
constexpr int most_waits = 10'000;                  // of a millisecond

void limit_this_process(const ChildLimits& limits) {
  for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGXCPU}) std::signal(signal, SIG_DFL);
  // A terminal sends these to both; what they mean is the parent's to decide, and this process
  // does not outlive it.
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, SIG_IGN);
#if defined(__linux__)
  prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
  sigset_t out_of_time;
  sigemptyset(&out_of_time);
  sigaddset(&out_of_time, SIGXCPU);
  sigprocmask(SIG_UNBLOCK, &out_of_time, nullptr);
  // At the second limit the signal is SIGKILL, which does not tell why.
  const rlimit time{limits.seconds, limits.seconds + 1}, none{0, 0};
  setrlimit(RLIMIT_CPU, &time);
  setrlimit(RLIMIT_CORE, &none);
#if !defined(CYTOGRAD_ASAN) && !defined(CYTOGRAD_TSAN)  // their shadow memory counts as data
  const rlimit memory{limits.bytes, limits.bytes};
  setrlimit(RLIMIT_DATA, &memory);
#endif
}

[[noreturn]] void child(int to, const std::function<void(Sender&)>& send,
                        const ChildLimits& limits) {
  limit_this_process(limits);
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
  } catch (const std::bad_alloc&) {
    _exit(out_of_memory);
  } catch (...) {
    _exit(failed);  // a fault inside HDF5
  }
  _exit(0);
}

// Ends and collects the child.
class Reaper {
 public:
  Reaper(pid_t pid, int from) : pid_(pid), from_(from) {}
  ~Reaper() {
    close(from_);
    if (collected_) return;
    kill(pid_, SIGKILL);
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

  // The wait status of a child that has closed its end, nothing if it lives on nevertheless.
  std::optional<int> status() {
    const timespec millisecond{0, 1'000'000};
    for (int waits = 0; waits < most_waits; ++waits) {
      int status = 0;
      const pid_t ended = waitpid(pid_, &status, WNOHANG);
      collected_ = ended == pid_ || (ended < 0 && errno == ECHILD);
      if (ended == pid_) return status;
      if (ended < 0 && errno != EINTR) return std::nullopt;
      nanosleep(&millisecond, nullptr);
    }
    return std::nullopt;
  }

 private:
  pid_t pid_;
  int from_;
  bool collected_ = false;
};

std::string name_of_signal(int signal) {
  switch (signal) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGABRT:
      return "SIGABRT";
    case SIGBUS:
      return "SIGBUS";
    case SIGFPE:
      return "SIGFPE";
    case SIGILL:
      return "SIGILL";
    case SIGKILL:
      return "SIGKILL";
    default:
      return "signal " + std::to_string(signal);
  }
}

std::string size_text(uint64_t bytes) {
  const bool whole = bytes % (uint64_t{1} << 30) == 0;
  return std::to_string(bytes >> (whole ? 30 : 20)) + (whole ? " GiB" : " MiB");
}

// What ended a child, by its wait status, if it has ended at all.
Fault crash(const std::string& path, bool ended, const std::optional<int>& status,
            const ChildLimits& limits) {
  const std::string reader = "the process that reads this file ";
  const auto past_limit = [&](const std::string& what) {
    return Fault{"h5ad.crash", path, "", reader + what, "", "take fewer cells, or copy it again"};
  };
  std::string end = ended ? "stopped before it was done" : "sent what no reader sends";
  if (status && WIFSIGNALED(*status)) {
    const int signal = WTERMSIG(*status);
    if (signal == SIGXCPU)
      return past_limit("took more than " + std::to_string(limits.seconds) +
                        " s of processor time");
    end = "was ended by " + name_of_signal(signal);
    if (signal == SIGKILL) end += ", as where the machine's memory is used up";
  } else if (status && WEXITSTATUS(*status) == out_of_memory) {
    return past_limit("took more than " + size_text(limits.bytes) +
                      " of memory, or more than there is");
  } else if (status) {
    end = WEXITSTATUS(*status) == failed ? "failed" : "ended before it was done";
  }
  return Fault{"h5ad.crash", path,           "",
               reader + end, "a whole file", "copy it again, or write it again with anndata"};
}

}  // namespace

void Sender::bytes(const void* data, size_t size) {
  for (const char* at = static_cast<const char*>(data); size > 0;) {
    const ssize_t sent = write(to_, at, size);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) _exit(failed);
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
    if (got <= 0) throw ChildDied{.ended = true};
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
  if (n > ChildLimits{}.bytes / size) throw ChildDied();
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
                   const std::function<void(Receiver&)>& receive, const ChildLimits& limits) {
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
    child(ends[1], send, limits);
  }
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    throw FileError(Fault{"file.io", path, "", std::strerror(errno), "a process to read it", ""});
  }
  Reaper reaper(pid, ends[0]);
  try {
    Receiver in(ends[0], path);
    receive(in);
  } catch (const ChildDied& died) {
    throw DataError(crash(path, died.ended, died.ended ? reaper.status() : std::nullopt, limits));
  }
}

}  // namespace cytograd::io
