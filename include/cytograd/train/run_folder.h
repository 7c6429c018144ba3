#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cytograd/io/run_lock.h"

namespace cytograd {

/// The folder of one run, held by one process while it is written (docs/program.md lists its
/// files).
class RunFolder {
 public:
  /// Takes the folder of a new run, changing nothing in it yet. With `force`, it may hold an
  /// earlier run of ours, which `prepare` replaces.
  /// @throws FileError run.exists if the folder is not empty, run.foreign if it is not ours; and
  /// whatever else prevents writing, before any work
  static RunFolder create(const std::string& path, bool force);
  /// An existing run, to go on with. @throws FileError run.missing, lock
  static RunFolder resume(const std::string& path);

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  /// Empty, or what was found on taking the folder over.
  const std::string& note() const { return lock_->note(); }

  /// Removes the results of an earlier run (only files that a run writes) and makes the folders of
  /// this one. @param keep  folders of it that stay: the run is begun again after them
  void prepare(const std::vector<std::string>& keep = {}) const;
  /// Gives the folder up; removes it if nothing is in it.
  void release();
  /// Writes the file DONE, last of all.
  void mark_done(const std::string& text) const;
  bool is_done() const;

 private:
  explicit RunFolder(std::string path);
  std::string path_;
  std::unique_ptr<RunLock> lock_;
};

/// @throws FileError run.missing unless `path` is a run folder of ours
void require_run(const std::string& path);

/// The checkpoints of a run: `step-N.safetensors` with the relative symlinks `last` and `best`.
class CheckpointStore {
 public:
  explicit CheckpointStore(std::string run_path);
  /// Those in a folder of another name.
  static CheckpointStore in(const std::string& folder);

  std::string path_of(int64_t step) const;
  /// Points `last` (and `best`) at a file that is complete, then removes all but the last two and
  /// the best.
  void publish(int64_t step, bool best) const;
  /// Steps of the files there, ascending.
  std::vector<int64_t> steps() const;
  /// The file behind "last" or "best". @throws FileError if there is none
  std::string resolve(const std::string& name) const;
  bool has(const std::string& name) const;
  /// Removes all but the best checkpoint, which becomes the last one too: a run that is resumed
  /// goes on from there. Nothing happens without a best one.
  void keep_best() const;
  const std::string& folder() const { return folder_; }

 private:
  std::optional<int64_t> target(const std::string& name) const;
  std::string folder_;
};

}  // namespace cytograd
