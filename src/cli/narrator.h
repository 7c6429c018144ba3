#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/train/run_log.h"

namespace cytograd::cli {

/// Progress of a training: a bar on a terminal, one line per epoch elsewhere.
class Narrator {
 public:
  /// @param shown  what the line of an epoch says: words, and the value's name in EpochInfo
  explicit Narrator(std::vector<std::pair<std::string, std::string>> shown)
      : shown_values_(std::move(shown)) {}
  TrainHooks hooks();

 private:
  using Clock = std::chrono::steady_clock;
  void on_step(const StepInfo& step);
  void on_epoch(const EpochInfo& epoch);
  std::string remaining() const;

  std::vector<std::pair<std::string, std::string>> shown_values_;
  Clock::time_point begin_ = Clock::now(), epoch_begin_ = begin_, shown_{};
  int64_t first_step_ = -1, step_ = 0, steps_ = 0;
};

/// Four checkpoints (the last two, the best, one that is being written) must fit on the disk.
/// @throws FileError disk.full
void require_disk(const std::string& path, double checkpoint_bytes);

}  // namespace cytograd::cli
