#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "cytograd/core/parallel.h"
#include "cytograd/inference/compile.h"
#include "cytograd/models/registry.h"
#include "cytograd/ops/cross_entropy.h"
#include "cytograd/optim/sgd.h"

/// @file
/// bench_model MODEL train|infer BATCH REPEATS [SIZE]: seconds of a training step (forward,
/// cross-entropy, backward, SGD with momentum) or of inference (median, least, processor time), and
/// the peak memory of the process. bench/peers/torch_models.py runs this and PyTorch in turns.

using namespace cytograd;

namespace {

double seconds_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

Tensor images(int64_t batch, int64_t size) {
  std::vector<float> values(static_cast<size_t>(batch * size * size * 3));
  Rng rng(1, "bench");
  for (float& value : values) value = static_cast<float>(rng.uniform(-1, 1));
  return Tensor::from(values, {batch, size, size, 3});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: bench_model MODEL train|infer BATCH REPEATS [SIZE]\n");
    return 2;
  }
  const std::string name = argv[1];
  const bool train = std::string(argv[2]) == "train";
  const int64_t batch = std::atoll(argv[3]), repeats = std::atoll(argv[4]);
  const int64_t size = argc > 5 ? std::atoll(argv[5]) : 224;

  const auto model = models::make_model(name);
  model->train(train);
  const Tensor x = images(batch, size);
  std::vector<int64_t> classes(static_cast<size_t>(batch));
  for (size_t i = 0; i < classes.size(); ++i) classes[i] = static_cast<int64_t>(i);
  const Tensor labels = Tensor::from(classes);
  optim::Sgd sgd(model->named_parameters(), {.lr = 1e-3, .momentum = 0.9});
  std::unique_ptr<inference::CompiledModel> compiled;
  if (!train)
    compiled = std::make_unique<inference::CompiledModel>(
        inference::compile(*model, {size, size, 3}));
  const auto work = [&] {
    if (compiled) return static_cast<void>((*compiled)(x));
    const GradMode recording(train);
    const Tensor logits = model->forward(x);
    if (!train) return;
    cross_entropy(logits, labels).backward();
    sgd.step();
    sgd.zero_grad();
  };
  work();
  std::vector<double> times;
  const std::clock_t before = std::clock();
  for (int64_t i = 0; i < repeats; ++i) times.push_back(seconds_of(work));
  const double processor =
      static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC / static_cast<double>(repeats);
  std::sort(times.begin(), times.end());
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      "{\"median_s\": %.6f, \"min_s\": %.6f, \"cpu_s\": %.6f, \"peak_mib\": %.1f, "
      "\"tensor_peak_mib\": %.1f, "
      "\"threads\": %d}\n",
      times[times.size() / 2], times.front(), processor,
      static_cast<double>(usage.ru_maxrss) / 1024,
      static_cast<double>(memory_stats().peak) / (1 << 20), num_threads());
  return 0;
}
