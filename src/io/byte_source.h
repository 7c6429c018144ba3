#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cytograd::io {

/// Bytes at offsets: a file, or memory in tests.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual uint64_t size() const = 0;
  /// @pre offset + bytes <= size(). @throws FileError
  virtual void read(uint64_t offset, void* out, size_t bytes) const = 0;
};

class MemorySource : public ByteSource {
 public:
  explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}
  uint64_t size() const override { return bytes_.size(); }
  void read(uint64_t offset, void* out, size_t bytes) const override;

 private:
  std::string_view bytes_;
};

/// A regular file, opened once; its size is that at opening, and a file that shrinks is an error.
class FileSource : public ByteSource {
 public:
  explicit FileSource(const std::string& path);
  ~FileSource() override;
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  uint64_t size() const override { return size_; }
  void read(uint64_t offset, void* out, size_t bytes) const override;

 private:
  std::string path_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

}  // namespace cytograd::io
