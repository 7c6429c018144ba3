#include "bench/models/model_work.h"

#include <algorithm>

#include "bench/models/classifier.h"
#include "bench/models/detector.h"
#include "bench/models/vae.h"
#include "bench/support/device.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"
#include "cytograd/core/memory.h"

namespace cytograd::bench {

std::vector<std::string> bench_model_names() {
  std::vector<std::string> names = classifier_names();
  for (const std::string& name : detector_names()) names.push_back(name);
  names.insert(names.end(), {"image-vae", "rna-vae"});
  return names;
}

bool takes_sizes(const std::string& model) { return !is_vae(model) && !is_detector(model); }

bool is_compiled(const ModelSetting& s) { return !s.train && !s.eager && takes_sizes(s.model); }

Work as_graph(Work work, const ModelSetting& s) {
  if (device().type == DeviceType::cpu || s.eager) return work;
  // Once as it is: what is made only once, like the state of the optimiser, is no part of a step.
  in_precision(work.run);
  auto graph = std::make_shared<CudaGraph>();
  graph->capture(device(), [&] { in_precision(work.run); });
  return {[graph, work = std::move(work)] { graph->replay(); }};
}

namespace {

void require_known(const std::string& model) {
  const std::vector<std::string> names = bench_model_names();
  std::string known;
  for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
  check<ValueError>(std::find(names.begin(), names.end(), model) != names.end(), "bench model",
                    "expects one of ", known, ", got ", escape_control(model));
}

}  // namespace

Work model_work(const ModelSetting& setting) {
  require_known(setting.model);
  if (is_detector(setting.model)) return detector_work(setting);
  return is_vae(setting.model) ? vae_work(setting) : classifier_work(setting);
}

std::vector<StepTime> step_times(const ModelSetting& setting, int64_t repeats, int64_t warmup) {
  require_known(setting.model);
  check<ValueError>(is_compiled(setting), "bench model",
                    "steps are those of compiled inference of a classifier");
  return classifier_steps(setting, repeats, warmup);
}

namespace {

// What --batch could have been.
[[noreturn]] void throw_largest_batch(Fault fault, ModelSetting s) {
  const int64_t most = largest_that_fits(device(), s.batch, [&s](int64_t n) {
    ModelSetting smaller = s;
    smaller.batch = n;
    model_work(smaller).run();
  });
  fault.found += most > 0 ? "; the largest batch that fits is " + std::to_string(most) + " of " +
                                std::to_string(s.batch) + " images"
                          : std::string("; no smaller batch fits either");
  fault.hint = most > 0 ? "pass --batch " + std::to_string(most)
                        : "pass a smaller --size, or end what else runs there";
  throw DeviceError(fault);
}

ModelResult run_fitting(const ModelSetting& setting, int64_t repeats, int64_t warmup) {
  reset_peak_memory(device());
  const Work work = model_work(setting);
  for (int64_t i = 0; i < warmup; ++i) work.run();
  const double before = processor_seconds();
  const Times times = measure(work, repeats, 0, 0, wall_seconds);
  return {.median_seconds = times.median(),
          .best_seconds = times.best(),
          .processor_seconds =
              (processor_seconds() - before) / static_cast<double>(times.seconds.size()),
          .peak_bytes = peak_resident_bytes(),
          .tensor_peak_bytes = static_cast<double>(memory_stats(device()).peak)};
}

}  // namespace

ModelResult run_model(const ModelSetting& setting, int64_t repeats, int64_t warmup) {
  try {
    return run_fitting(setting, repeats, warmup);
  } catch (const DeviceError& e) {
    if (e.fault().id != "gpu.oom") throw;
    throw_largest_batch(e.fault(), setting);
  }
}

}  // namespace cytograd::bench
