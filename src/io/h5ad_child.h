#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

/// @file
/// HDF5 files are hostile input and the library crashes on some: a child process reads them, under
/// limits on memory and processor time, and hands over what it found through a pipe.

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

 private:
  int to_;
};

/// Nothing more came, or what no reader sends.
struct ChildDied {};

/// The parent's end. What comes is checked: a child that a file has taken over can say anything.
class Receiver {
 public:
  explicit Receiver(int from) : from_(from) {}
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
};

/// Runs `send` in a child process and `receive` here on what it sends. `send` reads first, and once
/// nothing can fail any more sends the number 1, which `receive` does not see, and what it has
/// read.
/// @throws DataError that `send` throws, with `path` as its file; DataError h5ad.crash where the
/// child dies or `receive` throws ChildDied; FileError if there is no such file
void read_in_child(const std::string& path, const std::function<void(Sender&)>& send,
                   const std::function<void(Receiver&)>& receive);

}  // namespace cytograd::io
