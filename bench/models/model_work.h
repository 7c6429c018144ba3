#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/support/clock.h"

/// @file
/// Whole models as work to be timed: `cyto bench model`, and through it bench/peers/compare.py.

namespace cytograd::bench {

struct ModelSetting {
  std::string model;
  bool train = false;  ///< a training step, else inference
  bool eager = false;  ///< inference layer by layer as in training, not compiled; on a device:
                       ///< kernel by kernel, not as one graph
  int64_t batch = 16;
  int64_t size = 224;  ///< height and width of the images
  int64_t in_channels = 3, classes = 1000;
};

/// The names that `model_work` knows.
std::vector<std::string> bench_model_names();

/// Does the model take `size`, `in_channels` and `classes`? Autoencoders and detectors have fixed
/// inputs.
bool takes_sizes(const std::string& model);
/// Is inference of this setting compiled?
bool is_compiled(const ModelSetting& setting);

/// The work as one graph of the device (core/cuda.h), where the setting asks for no other; as it is
/// on the CPU.
Work as_graph(Work work, const ModelSetting& setting);

/// A step or a batch on random inputs. A training step is forward, loss, backward and optimiser:
/// cross-entropy and SGD with momentum for classifiers, the published losses and Adam for the
/// autoencoders, whose inputs have sizes of their own; of detectors bench/models/detector.h tells.
/// Inference of classifiers is compiled (inference/compile.h) before the clock starts, or eager
/// without recording.
/// @throws ValueError if the model is not known or cannot take the setting
Work model_work(const ModelSetting& setting);

struct ModelResult {
  double median_seconds, best_seconds;
  double processor_seconds;  ///< per repeat, of all threads
  double peak_bytes;         ///< largest resident set of the process
  double tensor_peak_bytes;  ///< largest sum of live tensors, parameters included
};
/// Runs `model_work` on the wall clock.
/// @throws DeviceError gpu.oom with the largest batch that fits
ModelResult run_model(const ModelSetting& setting, int64_t repeats, int64_t warmup);

/// A step of compiled inference.
struct StepTime {
  std::string name;
  double flops;    ///< of the batch
  double seconds;  ///< median
};
/// The steps of compiled inference in order. @throws ValueError unless `is_compiled`
std::vector<StepTime> step_times(const ModelSetting& setting, int64_t repeats, int64_t warmup);

}  // namespace cytograd::bench
