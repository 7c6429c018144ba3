#include <memory>

#include "bench/support/case.h"
#include "cytograd/models/registry.h"
#include "cytograd/optim/adam.h"
#include "cytograd/optim/sgd.h"

/// @file
/// Optimiser steps over all parameters of a model.

namespace cytograd::bench {
namespace {

template <class O, class Options>
Work step(const std::string& model_name, const Options& options) {
  const auto model = models::make_model(model_name);
  for (const auto& [name, parameter] : model->named_parameters())
    parameter.set_grad(random_tensor(parameter.shape()));
  // The optimiser holds handles of the parameters, so the model may go.
  return {
      [optimizer = std::make_shared<O>(model->named_parameters(), options)] { optimizer->step(); }};
}

std::vector<Case> cases() {
  struct Model {
    const char* name;
    int64_t parameters;
  };
  std::vector<Case> out;
  for (const Model& m : {Model{"resnet50", 25'557'032}, Model{"densenet121", 7'978'856}}) {
    const double tensor = 4.0 * static_cast<double>(m.parameters);
    const std::string name = m.name;
    const auto add = [&](const char* op, double tensors, std::function<Work()> make) {
      out.push_back({.name = op + ("/" + name),
                     .sizes = {{"parameters", m.parameters}},
                     .bytes = tensors * tensor,
                     .make = std::move(make)});
    };
    // Weight and moments are read and written, the gradient is read.
    add("adam", 7, [name] { return step<optim::Adam>(name, optim::AdamOptions{.lr = 1e-6}); });
    add("sgd_momentum", 5,
        [name] { return step<optim::Sgd>(name, optim::SgdOptions{.lr = 1e-6, .momentum = 0.9}); });
  }
  return out;
}

const Family registered{"optimizer", cases};

}  // namespace
}  // namespace cytograd::bench
