#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

/// @file
/// HDF5 files are hostile input and the library crashes on some: a child process reads them, under
/// limits on memory and processor time, and hands over what it found through a pipe. Text files of
/// cells are read there too: what they unpack to is under the same limits.

namespace cytograd::io {

/// The child's end of the pipe: counts and bytes, in order.
class Sender {
 public:
  explicit Sender(int to) : to_(to) {}
  void bytes(const void* data, size_t size);
  void number(uint64_t n) { bytes(&n, sizeof n); }
  void text(const std::string& s);
  void texts(const std::vector<std::string>& v);
  template <class T>
  void array(const std::vector<T>& v) {
    number(v.size());
    bytes(v.data(), v.size() * sizeof(T));
  }

  /// Begins a part of the message: what follows is complete, no fault can come in between.
  void part() { number(1); }

 private:
  int to_;
};

/// Nothing more came, or what no reader sends.
struct ChildDied {
  bool ended = false;  ///< the child's end of the pipe is closed
};

/// What the child may use.
struct ChildLimits {
  uint64_t seconds = 600;               ///< of processor time
  uint64_t bytes = uint64_t{24} << 30;  ///< of memory; not limited under sanitizers
};

/// The parent's end. What comes is checked: a child that a file has taken over can say anything.
class Receiver {
 public:
  /// @param path of the file that is read, for messages
  Receiver(int from, std::string path) : from_(from), path_(std::move(path)) {}
  /// Expects a part. @throws DataError, FileError that the child met before it
  void part();
  void bytes(void* data, size_t size);
  uint64_t number();
  std::string text();
  std::vector<std::string> texts();
  template <class T>
  std::vector<T> array() {
    std::vector<T> v(count(sizeof(T)));
    bytes(v.data(), v.size() * sizeof(T));
    return v;
  }
  /// A number of things of `size` bytes each that memory may hold.
  size_t count(size_t size);

 private:
  int from_;
  std::string path_;
};

/// Runs `send` in a child process and `receive` here on what it sends. Each `Sender::part` has its
/// `Receiver::part`; between them `send` may throw.
/// @throws DataError, FileError that `send` throws, with `path` as their file where they name none;
/// DataError h5ad.crash where the child dies, saying of what, or `receive` throws ChildDied;
/// FileError if there is no such file
void read_in_child(const std::string& path, const std::function<void(Sender&)>& send,
                   const std::function<void(Receiver&)>& receive, const ChildLimits& limits = {});

}  // namespace cytograd::io
