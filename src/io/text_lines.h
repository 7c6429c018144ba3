#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "io/byte_source.h"

/// @file
/// Lines of a text file of any length, plain or gzip, in the memory of the longest line.

namespace cytograd::io {

/// Longest line that is read: a row of a table over ten million cells.
inline constexpr size_t max_line_bytes = size_t{1} << 28;

/// A finite number of at least 0 that float32 holds, or nothing.
std::optional<float> parse_count(std::string_view text);

class TextLines {
 public:
  /// @param name for messages
  TextLines(std::unique_ptr<ByteSource> source, std::string name);
  /// @throws FileError
  explicit TextLines(const std::string& path);
  ~TextLines();
  TextLines(const TextLines&) = delete;
  TextLines& operator=(const TextLines&) = delete;

  /// The next line without its end (LF or CRLF) and without a UTF-8 mark at the start of the file;
  /// valid until the next call. False at the end of the file.
  /// @throws DataError cells.form where gzip data is damaged or ends early, at a zero byte, and for
  /// a line beyond `max_line_bytes`
  bool next(std::string_view& line);
  /// Number of the last line, from 1.
  int64_t line() const { return line_; }
  const std::string& name() const { return name_; }
  /// Throws DataError cells.form about the last line.
  [[noreturn]] void fail(const std::string& found, const std::string& expected,
                         const std::string& hint = "") const;
  /// The same about the whole file.
  [[noreturn]] void fail_file(const std::string& found, const std::string& expected,
                              const std::string& hint = "") const;

 private:
  struct Inflater;
  bool fill();
  size_t read_plain(char* to, size_t most);
  size_t unpack(char* to, size_t most);

  std::unique_ptr<ByteSource> source_;
  std::string name_;
  uint64_t offset_ = 0;  // in the source
  std::unique_ptr<Inflater> inflater_;
  std::string buffer_;
  size_t at_ = 0;  // of the next line in the buffer
  int64_t line_ = 0;
};

}  // namespace cytograd::io
