#pragma once

#include <cstddef>
#include <vector>

#include "cuda/emulation/memory.h"

namespace cytograd::test {

/// Device memory of exactly `n` elements, which nobody has written yet unless values are given.
template <class T>
class DeviceBuffer {
 public:
  explicit DeviceBuffer(size_t n, const char* name = "buffer")
      : data_(static_cast<T*>(simt::device_allocate(n * sizeof(T), name))), size_(n) {}
  explicit DeviceBuffer(const std::vector<T>& values, const char* name = "buffer")
      : DeviceBuffer(values.size(), name) {
    for (size_t i = 0; i < size_; ++i) data_[i] = values[i];
  }
  ~DeviceBuffer() { simt::device_free(data_); }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  operator T*() const { return data_; }
  size_t size() const { return size_; }
  std::vector<T> values() const { return {data_, data_ + size_}; }

 private:
  T* data_;
  size_t size_;
};

}  // namespace cytograd::test
