#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/models/densenet.h"
#include "cytograd/models/resnet.h"
#include "cytograd/models/resnet20.h"

namespace cytograd::models {

namespace detail {

using MakeModel = std::function<std::unique_ptr<ImageModel>(const ModelOptions&)>;

template <class M, class Size>
std::pair<std::string, MakeModel> entry(const char* name, const Size& size) {
  return {name, [size](const ModelOptions& options) { return std::make_unique<M>(size, options); }};
}

inline const std::vector<std::pair<std::string, MakeModel>>& registry() {
  static const std::vector<std::pair<std::string, MakeModel>> entries = {
      entry<ResNet>("resnet18", resnet18),         entry<ResNet>("resnet34", resnet34),
      entry<ResNet>("resnet50", resnet50),         entry<ResNet>("resnet101", resnet101),
      entry<DenseNet>("densenet121", densenet121), entry<DenseNet>("densenet169", densenet169),
      entry<DenseNet>("densenet201", densenet201), entry<SmallResNet>("resnet20", resnet20),
  };
  return entries;
}

}  // namespace detail

/// The names that `make_model` knows.
inline std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const auto& [name, make] : detail::registry()) names.push_back(name);
  return names;
}

/// Builds and initialises a model by name: resnet18, densenet121, ...
/// @throws ValueError listing the names if it is not known
inline std::unique_ptr<ImageModel> make_model(const std::string& name,
                                              const ModelOptions& options = {}) {
  std::string known;
  for (const auto& [entry_name, make] : detail::registry()) {
    if (entry_name == name) return make(options);
    known += (known.empty() ? "" : ", ") + entry_name;
  }
  check<ValueError>(false, "make_model", "expects one of ", known, ", got ", escape_control(name));
  return nullptr;
}

}  // namespace cytograd::models
