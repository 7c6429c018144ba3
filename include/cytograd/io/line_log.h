#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace cytograd {

/// A text file that grows by whole lines (metrics.csv, metrics.jsonl).
///
/// Each line is one write at the end. A last line without its newline, left by a crash or a full
/// disk, is cut off when the log is opened. Failures are `FileError`; a line that could not be
/// written completely is taken back.
class LineLog {
 public:
  /// @param keep_lines lines from the start that stay; a resumed run drops those after its
  /// checkpoint
  explicit LineLog(std::string path, int64_t keep_lines = std::numeric_limits<int64_t>::max());
  ~LineLog();
  LineLog(const LineLog&) = delete;
  LineLog& operator=(const LineLog&) = delete;

  /// @param line without newline. @throws ValueError if it contains one
  void append(std::string_view line);
  /// Waits until the lines are on disk.
  void sync();
  /// Complete lines in the file now.
  int64_t lines() const { return lines_; }
  /// Whether a torn last line was cut off on opening.
  bool repaired() const { return repaired_; }

 private:
  void repair(int64_t keep_lines);
  [[noreturn]] void fail(const char* action, int error) const;

  std::string path_;
  int fd_ = -1;
  int64_t lines_ = 0, bytes_ = 0;
  bool repaired_ = false;
};

}  // namespace cytograd
