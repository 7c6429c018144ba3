#include <algorithm>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/memory.h"
#include "cytograd/core/random_scope.h"
#include "cytograd/train/trainer.h"

/// @file
/// A device without memory for a step: which batch would fit.

namespace cytograd {
namespace {

size_t bytes_of(const nn::NamedTensors& tensors) {
  size_t out = 0;
  for (const auto& [name, tensor] : tensors) out += tensor.bytes();
  return out;
}

}  // namespace

void Trainer::out_of_memory(const DeviceError& error, const Batch& batch) {
  recorded_ = nullptr;
  ahead_.reset();
  optimizer_->zero_grad();
  Fault fault = error.fault();
  const int64_t most = largest_batch(batch);
  fault.found += most > 0 ? "; the largest batch that fits is " + std::to_string(most) + " of " +
                                std::to_string(batch.size()) + " images"
                          : std::string("; no smaller batch fits either");
  const int64_t blocks = blocks_of(batch);
  fault.hint = most > 0 ? "pass --batch " + std::to_string(most / blocks)
                        : "use a smaller --image-size or --model, or end what else runs there";
  throw DeviceError(fault);
}

// Parts of equal share in a batch: views, and domains where they are not mixed.
int64_t Trainer::blocks_of(const Batch& batch) const {
  return over_domains(config_) ? batch.size() / config_.batch : method_traits(config_.method).views;
}

// Of each of `blocks` equal blocks the first n samples, with images of nothing.
Batch Trainer::part_of(const Batch& loaded, int64_t n, int64_t blocks) const {
  Batch out;
  std::vector<int64_t> labels;
  const std::vector<int64_t> all = loaded.labels.to_vector<int64_t>();
  for (int64_t b = 0; b < blocks; ++b)
    for (int64_t i = 0; i < n; ++i) {
      const auto at = static_cast<size_t>(b * (loaded.size() / blocks) + i);
      out.indices.push_back(loaded.indices[at]);
      out.domains.push_back(loaded.domains[at]);
      labels.push_back(all[at]);
    }
  const int64_t size = config_.image_size;
  out.images = Tensor::zeros({n * blocks, size, size, 3}, Dtype::float32, device_);
  out.labels = Tensor::from(labels).to(device_);
  return out;
}

// By trying forward and backward passes; the model's state is put back.
int64_t Trainer::largest_batch(const Batch& loaded) {
  const NoGrad outer;
  std::vector<std::pair<Tensor, Tensor>> state;
  for (const auto& [name, tensor] : model_->named_buffers())
    state.emplace_back(tensor, tensor.to(Device::cpu()).clone());
  // Averages of gradients that the optimiser has not made yet.
  const size_t moments = bytes_of(trained_parameters()) * (config_.optimizer != "sgd" ? 2
                                                           : config_.momentum != 0    ? 1
                                                                                      : 0);
  const size_t there = bytes_of(optimizer_->state_dict());
  // Batches on their way, small blocks, and what pieces of memory waste.
  const size_t rest = (size_t{64} << 10) + cuda_device(device_.index).memory / 256 +
                      static_cast<size_t>(loaded.size() * config_.image_size * config_.image_size) *
                          3 * sizeof(float);
  int64_t most = 0;
  try {
    const Tensor reserve = Tensor::empty(
        {static_cast<int64_t>(moments - std::min(moments, there) + rest)}, Dtype::uint8, device_);
    const int64_t blocks = blocks_of(loaded);
    most = blocks * largest_that_fits(device_, loaded.size() / blocks, [&](int64_t n) {
             const GradMode recording(true);
             const RandomScope scope(static_cast<uint64_t>(config_.seed), 0);
             model_->train();
             forward(part_of(loaded, n, blocks)).total.backward();
             optimizer_->zero_grad();
           });
  } catch (const DeviceError& e) {  // not even the reserve
    if (e.fault().id != "gpu.oom") throw;
  }
  optimizer_->zero_grad();
  for (const auto& [tensor, before] : state) tensor.copy_(before);
  return most;
}

}  // namespace cytograd
