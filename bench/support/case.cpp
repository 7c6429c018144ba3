#include "bench/support/case.h"

#include <algorithm>
#include <map>

#include "bench/support/device.h"
#include "bench/support/peak.h"
#include "cytograd/core/random.h"
#include "cytograd/nn/state_dict.h"

namespace cytograd::bench {
namespace {

using Cases = std::vector<Case> (*)();

std::map<std::string, Cases>& families() {
  static std::map<std::string, Cases> out;
  return out;
}

}  // namespace

Family::Family(const char* name, Cases cases) { families().emplace(name, cases); }

std::vector<Case> find_cases(const std::string& filter) {
  std::vector<Case> out;
  for (const auto& [name, cases] : families())
    for (Case& c : cases())
      if (nn::matches("*" + filter + "*", c.name)) out.push_back(std::move(c));
  return out;
}

CaseResult run_case(const Case& c, int64_t repeats) {
  const Work work = c.make();
  const bool host = device().type == DeviceType::cpu;
  const double before = host ? peak_gflops() : 0;
  const Times times = measure(work, repeats, 1, 0.15, host ? kernel_seconds : wall_seconds);
  const double peak = host ? std::max(before, peak_gflops()) : 0;
  const double rate = 1e-9 / times.best();
  return {times.best(), times.median(), c.flops * rate, c.bytes * rate, peak};
}

Tensor random_tensor(const Shape& shape) {
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  Rng rng(1, "bench");
  for (float& value : values) value = static_cast<float>(rng.uniform(-1, 1));
  return placed(Tensor::from(values, shape));
}

}  // namespace cytograd::bench
