#include "cytograd/io/h5ad_table.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <map>

#include "cytograd/core/error.h"
#include "cytograd/io/text.h"
#include "io/hdf5_reader.h"

namespace cytograd {
namespace {

using namespace io;

constexpr rlim_t most_seconds = 600;
constexpr uint64_t most_bytes = uint64_t{24} << 30;

DenseMatrix dense(const Hdf5Reader& file, const std::string& place) {
  std::vector<hsize_t> shape = file.shape(place);
  if (shape.size() != 2) h5ad_fault(place, "one axis", "[cells, columns]");
  return {static_cast<int64_t>(shape[0]), static_cast<int64_t>(shape[1]), file.reals(place)};
}

DenseMatrix sparse(const Hdf5Reader& file, const std::string& place) {
  std::string kind = file.attribute(place, "encoding-type");
  if (kind.empty()) kind = file.attribute(place, "h5sparse_format") + "_matrix";
  const bool rows_first = kind == "csr_matrix";
  if (!rows_first && kind != "csc_matrix")
    h5ad_fault(place, "encoding \"" + kind + "\"", "array, csr_matrix or csc_matrix");
  auto shape = file.integer_attribute(place, "shape");
  if (shape.empty()) shape = file.integer_attribute(place, "h5sparse_shape");
  if (shape.size() != 2 || shape[0] < 0 || shape[1] < 0 ||
      (shape[1] > 0 && shape[0] > (int64_t{1} << 32) / shape[1]))
    h5ad_fault(place, "a wrong shape", "two sizes, at most 2^32 values when filled in");
  const std::vector<float> values = file.reals(place + "/data");
  const std::vector<int64_t> inner = file.integers(place + "/indices");
  const std::vector<int64_t> begin = file.integers(place + "/indptr");
  const int64_t outer = rows_first ? shape[0] : shape[1], width = rows_first ? shape[1] : shape[0];
  if (inner.size() != values.size() || static_cast<int64_t>(begin.size()) != outer + 1 ||
      begin.front() != 0 || begin.back() != static_cast<int64_t>(values.size()))
    h5ad_fault(place + "/indptr", "sizes that do not fit",
               "0 up to " + std::to_string(values.size()));
  DenseMatrix out{shape[0], shape[1], {}};
  out.values.assign(static_cast<size_t>(shape[0] * shape[1]), 0.0f);
  for (int64_t i = 0; i < outer; ++i) {
    if (begin[i] > begin[i + 1])
      h5ad_fault(place + "/indptr", "a fall at position " + std::to_string(i + 1), "rising values");
    for (int64_t e = begin[i]; e < begin[i + 1]; ++e) {
      if (inner[e] < 0 || inner[e] >= width)
        h5ad_fault(place + "/indices",
                   "value " + std::to_string(inner[e]) + " at position " + std::to_string(e),
                   "0 to " + std::to_string(width - 1));
      out.values[rows_first ? i * shape[1] + inner[e] : inner[e] * shape[1] + i] += values[e];
    }
  }
  return out;
}

Categorical with_codes(const Hdf5Reader& file, const std::string& codes,
                       const std::string& categories) {
  Categorical out;
  if (file.holds_strings(categories)) {
    out.categories = file.strings(categories);
  } else {
    for (const int64_t v : file.integers(categories)) out.categories.push_back(std::to_string(v));
  }
  for (const int64_t code : file.integers(codes)) {
    if (code < -1 || code >= static_cast<int64_t>(out.categories.size()))
      h5ad_fault(codes, "code " + std::to_string(code),
                 "-1 to " + std::to_string(static_cast<int64_t>(out.categories.size()) - 1));
    out.codes.push_back(static_cast<int32_t>(code));
  }
  return out;
}

Categorical from_texts(const std::vector<std::string>& texts) {
  Categorical out;
  std::map<std::string, int32_t> codes;
  for (const std::string& text : texts) {
    const auto [at, added] = codes.try_emplace(text, static_cast<int32_t>(codes.size()));
    if (added) out.categories.push_back(text);
    out.codes.push_back(at->second);
  }
  return out;
}

Categorical column(const Hdf5Reader& file, const std::string& name) {
  const std::string place = "obs/" + name, legacy = "obs/__categories/" + name;
  if (!file.has(place)) h5ad_fault(place, "no such column", "a column of obs");
  if (file.is_group(place)) return with_codes(file, place + "/codes", place + "/categories");
  if (file.has(legacy)) return with_codes(file, place, legacy);
  if (file.holds_strings(place)) return from_texts(file.strings(place));
  std::vector<std::string> texts;
  for (const int64_t v : file.integers(place)) texts.push_back(std::to_string(v));
  return from_texts(texts);
}

CellTable read_here(const std::string& path, const std::string& matrix, const std::string& labels) {
  const Hdf5Reader file(path);
  CellTable out;
  if (!file.has(matrix)) h5ad_fault(matrix, "nothing of this name", "a matrix", "see --matrix");
  out.values = file.is_group(matrix) ? sparse(file, matrix) : dense(file, matrix);
  if (!file.is_group("obs"))
    h5ad_fault("obs", "a table of anndata before 0.7", "a group",
               "read and write the file once with a newer anndata");
  std::string index = file.attribute("obs", "_index");
  if (index.empty()) index = "index";
  out.names = file.strings("obs/" + index);
  if (!labels.empty()) out.labels = column(file, labels);
  const auto rows = static_cast<size_t>(out.values.rows);
  if (out.names.size() != rows || (out.labels && out.labels->codes.size() != rows))
    h5ad_fault("obs", std::to_string(out.names.size()) + " cells", std::to_string(rows));
  for (std::string& name : out.names) name = escape_control(name);
  if (out.labels)
    for (std::string& name : out.labels->categories) name = escape_control(name);
  return out;
}

// What travels through the pipe: counts and bytes, in order.
class Sender {
 public:
  explicit Sender(int to) : to_(to) {}
  void bytes(const void* data, size_t size) {
    for (const char* at = static_cast<const char*>(data); size > 0;) {
      const ssize_t sent = write(to_, at, size);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) _exit(1);
      at += sent;
      size -= static_cast<size_t>(sent);
    }
  }
  void number(uint64_t n) { bytes(&n, sizeof n); }
  void text(const std::string& s) {
    number(s.size());
    bytes(s.data(), s.size());
  }
  template <class T>
  void array(const std::vector<T>& v) {
    number(v.size());
    bytes(v.data(), v.size() * sizeof(T));
  }
  void texts(const std::vector<std::string>& v) {
    number(v.size());
    for (const std::string& s : v) text(s);
  }

 private:
  int to_;
};

struct ChildDied {};

class Receiver {
 public:
  explicit Receiver(int from) : from_(from) {}
  void bytes(void* data, size_t size) {
    for (char* at = static_cast<char*>(data); size > 0;) {
      const ssize_t got = read(from_, at, size);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) throw ChildDied();
      at += got;
      size -= static_cast<size_t>(got);
    }
  }
  uint64_t number() {
    uint64_t n;
    bytes(&n, sizeof n);
    return n;
  }
  // A child that a file has taken over can say anything.
  size_t count(size_t size) {
    const uint64_t n = number();
    if (n > most_bytes / size) throw ChildDied();
    return static_cast<size_t>(n);
  }
  std::string text() {
    std::string s(count(1), '\0');
    bytes(s.data(), s.size());
    return s;
  }
  template <class T>
  std::vector<T> array() {
    std::vector<T> v(count(sizeof(T)));
    bytes(v.data(), v.size() * sizeof(T));
    return v;
  }
  std::vector<std::string> texts() {
    const size_t n = count(sizeof(uint64_t));
    std::vector<std::string> v;
    for (size_t i = 0; i < n; ++i) v.push_back(text());
    return v;
  }

 private:
  int from_;
};

[[noreturn]] void child(int to, const std::string& path, const std::string& matrix,
                        const std::string& labels) {
  for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGINT, SIGTERM})
    std::signal(signal, SIG_DFL);
  const rlimit time{most_seconds, most_seconds}, none{0, 0};
  setrlimit(RLIMIT_CPU, &time);
  setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)  // their shadow memory counts as data
  const rlimit memory{most_bytes, most_bytes};
  setrlimit(RLIMIT_DATA, &memory);
#endif
  Sender out(to);
  try {
    const CellTable table = read_here(path, matrix, labels);
    out.number(1);
    out.number(static_cast<uint64_t>(table.values.rows));
    out.number(static_cast<uint64_t>(table.values.columns));
    out.array(table.values.values);
    out.texts(table.names);
    out.number(table.labels.has_value());
    if (table.labels) {
      out.array(table.labels->codes);
      out.texts(table.labels->categories);
    }
  } catch (const DataError& e) {
    const Fault f = e.fault();
    out.number(0);
    for (const std::string& part : {f.id, f.place, f.found, f.expected, f.hint}) out.text(part);
  } catch (...) {
    _exit(1);  // out of memory, or a fault inside HDF5
  }
  _exit(0);
}

CellTable receive(Receiver& in, const std::string& path) {
  if (in.number() != 1) {
    Fault f{in.text(), path, in.text(), in.text(), in.text(), in.text()};
    throw DataError(f);
  }
  CellTable out;
  out.values.rows = static_cast<int64_t>(in.number());
  out.values.columns = static_cast<int64_t>(in.number());
  out.values.values = in.array<float>();
  out.names = in.texts();
  if (in.number() == 1) {
    Categorical labels;
    labels.codes = in.array<int32_t>();
    labels.categories = in.texts();
    out.labels = labels;
  }
  if (out.values.values.size() != static_cast<uint64_t>(out.values.rows * out.values.columns) ||
      out.names.size() != static_cast<uint64_t>(out.values.rows))
    throw ChildDied();
  return out;
}

}  // namespace

CellTable read_h5ad_table(const std::string& path, const std::string& matrix,
                          const std::string& labels) {
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
    child(ends[1], path, matrix, labels);
  }
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    throw FileError(Fault{"file.io", path, "", std::strerror(errno), "a process to read it", ""});
  }
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
  } const reaper{pid, ends[0]};
  try {
    Receiver in(ends[0]);
    return receive(in, path);
  } catch (const ChildDied&) {
    throw DataError(Fault{"h5ad.crash", path, "", "the HDF5 library failed on this file",
                          "a whole .h5ad file", "copy it again, or write it again with anndata"});
  }
}

}  // namespace cytograd
