#include "bench/models/model_work.h"

#include "bench/models/classifier.h"
#include "cytograd/core/memory.h"

namespace cytograd::bench {

std::vector<std::string> bench_model_names() { return classifier_names(); }

Work model_work(const ModelSetting& setting) { return classifier_work(setting); }

ModelResult run_model(const ModelSetting& setting, int64_t repeats, int64_t warmup) {
  reset_peak_memory();
  const Work work = model_work(setting);
  for (int64_t i = 0; i < warmup; ++i) work.run();
  const double before = processor_seconds();
  const Times times = measure(work, repeats, 0, 0, wall_seconds);
  return {.median_seconds = times.median(),
          .best_seconds = times.best(),
          .processor_seconds =
              (processor_seconds() - before) / static_cast<double>(times.seconds.size()),
          .peak_bytes = peak_resident_bytes(),
          .tensor_peak_bytes = static_cast<double>(memory_stats().peak)};
}

}  // namespace cytograd::bench
