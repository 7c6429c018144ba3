#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// @file
/// Whole files in, whole files out. Paths are bytes and are never re-encoded.
/// Errors of the file system are `FileError` with one of the ids `file.missing`, `file.permission`,
/// `file.kind`, `file.io`, `disk.full`, `paths`; a file over a size limit is `DataError`
/// `file.size`.

namespace cytograd {

/// Largest text file that is read (CSV, JSON, XML, TOML).
inline constexpr uint64_t max_text_bytes = uint64_t{1} << 30;
/// Largest image file that is read.
inline constexpr uint64_t max_image_file_bytes = uint64_t{1} << 30;

/// The bytes of a regular file, a pipe or a device. @param limit in bytes; more is `file.size`
std::string read_file(const std::string& path, uint64_t limit = max_text_bytes);

/// A file that appears under its name only when complete.
///
/// Writes go to `.NAME.tmp-PID` in the same folder; `commit` flushes, syncs, closes, renames and
/// syncs the folder. Until then, and after any failure, a file of that name stays as it was and the
/// temporary is removed. A symbolic link of that name is replaced, not followed. An existing file's
/// permissions are kept.
class AtomicFile {
 public:
  /// @param expected_bytes reserved on disk at once, so that a full disk shows before the work
  explicit AtomicFile(std::string path, uint64_t expected_bytes = 0);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// Nothing may be written afterwards. @throws FileError; then no file was replaced, unless only
  /// the last step (making the new name durable) failed
  void commit();
  /// Bytes written so far.
  uint64_t size() const { return size_; }
  const std::string& path() const { return path_; }

 private:
  void open();
  void flush();
  void discard() noexcept;
  [[noreturn]] void fail(const char* action, int error);

  std::string path_, temporary_;
  std::vector<char> buffer_;
  uint64_t size_ = 0, expected_ = 0;
  int fd_ = -1;
};

/// `AtomicFile` in one call.
void write_file_atomically(const std::string& path, std::string_view bytes);

/// Removes temporaries that dead processes left in `folder` (not below it); returns how many.
/// A missing folder counts as empty.
int remove_stale_temporaries(const std::string& folder);

/// Makes `link` a symbolic link to `target` (relative to the folder of `link`), replacing an older
/// link in one step. @throws FileError if `link` exists and is not a symbolic link
void swap_symlink(const std::string& link, const std::string& target);

}  // namespace cytograd
