#pragma once

#include <string>

namespace cytograd {

/// Holds a run folder for one process: an advisory lock on a small file that says who holds it.
///
/// The kernel drops the lock with the process, so a file left by a dead one never blocks; `note`
/// then says whose it was. The file is removed on release.
class RunLock {
 public:
  /// @throws FileError id `lock` naming host, process and start of the holder
  explicit RunLock(std::string path);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  /// Empty, or that the lock of a dead process was taken over.
  const std::string& note() const { return note_; }

 private:
  std::string path_, note_;
  int fd_ = -1;
};

}  // namespace cytograd
