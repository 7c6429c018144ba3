#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/io/line_log.h"
#include "cytograd/train/checkpoint.h"
#include "cytograd/train/events.h"
#include "cytograd/train/run_folder.h"

/// @file
/// What a training says while it goes on: to its caller, and to the tables of its run folder. Image
/// models and detectors share it.

namespace cytograd {

/// After every optimiser step.
struct StepInfo {
  int64_t epoch = 0, batch = 0, batches = 0, step = 0, steps = 0;
  double loss = 0, lr = 0;
};

/// After every epoch: one row of metrics.csv.
struct EpochInfo {
  int64_t epoch = 0, epochs = 0;
  std::vector<std::pair<std::string, double>> values;  ///< NaN: not available
  bool best = false;
};

struct TrainHooks {
  std::function<void(const StepInfo&)> step;
  std::function<void(const EpochInfo&)> epoch;
  /// Something worth a line that is neither: why steps are not replayed, say.
  std::function<void(const std::string&)> note = {};
};

/// metrics.csv, metrics.jsonl, times.csv and the events of a run folder.
class RunLog {
 public:
  /// Opens them for a training that stands at `progress`: what an earlier process logged after it
  /// is removed. @throws FileError
  RunLog(const RunFolder& folder, const Progress& progress);
  /// Time counts from here.
  void begin_epoch();
  /// One row. Values that are not finite are "n/a". @param step  of the optimiser
  void write(const EpochInfo& info, int64_t step);

 private:
  LineLog csv_, jsonl_, times_;
  std::unique_ptr<EventWriter> events_;
  std::chrono::steady_clock::time_point epoch_start_;
};

}  // namespace cytograd
