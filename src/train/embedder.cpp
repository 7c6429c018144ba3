#include "train/embedder.h"

#include <algorithm>

#include "cytograd/ops/index.h"
#include "cytograd/ops/shape.h"

namespace cytograd {
namespace {

Device device_of(const models::ImageModel& model) {
  const nn::NamedTensors parameters = model.named_parameters();
  return parameters.empty() ? Device::cpu() : parameters[0].second.device();
}

}  // namespace

Embedder::Embedder(const models::ImageModel& model, const std::vector<std::string>& known,
                   const std::vector<std::string>& here)
    : model_(model), device_(device_of(model)) {
  for (const std::string& name : here) {
    const auto found = std::find(known.begin(), known.end(), name);
    const bool has = model.domains() > 0 && found != known.end();
    numbers_.push_back(has ? found - known.begin() : -1);
  }
}

Tensor Embedder::run(const Tensor& images, int64_t domain) {
  auto found = compiled_.find(domain);
  if (found == compiled_.end()) {
    // Compiled for the size of the first batch; the loader gives all images one size.
    const Shape& s = images.shape();
    model_.set_domain(domain);
    found = compiled_
                .emplace(domain,
                         inference::compile([this](const Tensor& x) { return model_.embed(x); },
                                            {s[1], s[2], s[3]}, {.batch = s[0], .device = device_}))
                .first;
    model_.set_domain(-1);
  }
  return found->second(images.to(device_));
}

Tensor Embedder::operator()(const Batch& batch) {
  std::map<int64_t, std::vector<int64_t>> members;
  for (size_t i = 0; i < batch.domains.size(); ++i)
    members[numbers_.at(static_cast<size_t>(batch.domains[i]))].push_back(static_cast<int64_t>(i));
  if (members.size() == 1) return run(batch.images, members.begin()->first);
  Tensors parts;
  std::vector<int64_t> place(batch.domains.size());
  int64_t row = 0;
  for (const auto& [domain, rows] : members) {
    parts.push_back(run(index_select(batch.images, 0, Tensor::from(rows)), domain));
    for (const int64_t i : rows) place[static_cast<size_t>(i)] = row++;
  }
  return index_select(concat(parts, 0), 0, Tensor::from(place).to(device_));
}

}  // namespace cytograd
