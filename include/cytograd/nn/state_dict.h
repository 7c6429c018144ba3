#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cytograd/core/error.h"
#include "cytograd/nn/module.h"

/// @file
/// State dicts: layouts, names of other releases, and loading.
///
/// Files hold PyTorch's layout and names, so that PyTorch reads them; tensors in memory are in
/// Cytograd's. They differ in filters alone, which are the only tensors of four axes:
/// [C_out, C_in/groups, kH, kW] there, [C_out, kH, kW, C_in/groups] here; transposed convolutions
/// likewise, with C_in first.

namespace cytograd::nn {

/// A copy with permuted axes: result axis i is axis dims[i] of x.
inline Tensor permuted_copy(const Tensor& x, const std::vector<int>& dims) {
  Shape shape, strides;
  for (const int d : dims) {
    shape.push_back(x.shape()[d]);
    strides.push_back(x.strides()[d]);
  }
  return x.detach().as_strided(shape, strides, x.offset()).contiguous();
}

/// Cytograd's layout from PyTorch's. Tensors that are no filters are passed on as handles.
inline NamedTensors from_torch_layout(NamedTensors state) {
  for (auto& [name, tensor] : state)
    if (tensor.ndim() == 4) tensor = permuted_copy(tensor, {0, 2, 3, 1});
  return state;
}

/// PyTorch's layout from Cytograd's.
inline NamedTensors to_torch_layout(NamedTensors state) {
  for (auto& [name, tensor] : state)
    tensor = tensor.ndim() == 4 ? permuted_copy(tensor, {0, 3, 1, 2}) : tensor.detach();
  return state;
}

struct LoadOptions {
  /// Missing and unexpected tensors are errors; else they are reported only. A wrong shape is an
  /// error in any case.
  bool strict = true;
  std::vector<std::string> allow_missing = {};  ///< names that may be absent; * stands for any text
  std::vector<std::string> allow_unexpected = {};  ///< names in the file that may be left out
  std::string file = {};                           ///< for messages
};

/// What loading did beyond copying each tensor to its namesake.
struct LoadReport {
  std::vector<std::pair<std::string, std::string>> renamed;  ///< name in the file, name here
  std::vector<std::string> missing;                          ///< kept as they were in the model
  std::vector<std::string> unexpected;                       ///< in the file only
  std::vector<std::string> converted;                        ///< "name: float64 to float32"
};

/// Does `name` match `pattern`, in which * stands for any text?
inline bool matches(std::string_view pattern, std::string_view name) {
  // On a mismatch only the last star needs to take one more character.
  size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

namespace detail {

/// Old torchvision DenseNets named "norm.1" what is "norm1" now; data-parallel training puts
/// "module." in front.
inline std::vector<std::string> other_names(const std::string& name) {
  std::vector<std::string> out;
  std::string plain = name.starts_with("module.") ? name.substr(7) : name;
  if (plain != name) out.push_back(plain);
  bool changed = false;
  for (const std::string_view layer : {".norm.", ".relu.", ".conv."}) {
    const size_t at = plain.find(layer);
    if (at == std::string::npos || plain.find("denselayer") > at) continue;
    plain.erase(at + layer.size() - 1, 1);
    changed = true;
  }
  if (changed) out.push_back(plain);
  return out;
}

inline bool matches_any(const std::vector<std::string>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return matches(pattern, name); });
}

/// "3 missing: a, b, c" with at most eight names; nothing for none.
inline void list_names(std::ostringstream& out, const char* what,
                       const std::vector<std::string>& names) {
  if (names.empty()) return;
  if (out.tellp() > 0) out << " | ";
  out << names.size() << ' ' << what << ": ";
  constexpr size_t most = 8;
  for (size_t i = 0; i < std::min(names.size(), most); ++i) out << (i ? ", " : "") << names[i];
  if (names.size() > most) out << " and " << names.size() - most << " more";
}

template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace detail

/// Copies `state` (Cytograd's layout) into the parameters and buffers of `model` by name. Nothing
/// is changed unless everything fits. Names of data-parallel training and of old DenseNets are
/// understood; element types are converted; `num_batches_tracked`, which old files lack, may always
/// be missing. All of it is reported.
/// @throws DataError (pt.keys) listing what is missing, unexpected or of another shape
inline LoadReport load_state_dict(const Module& model, const NamedTensors& state,
                                  const LoadOptions& options = {}) {
  std::map<std::string, Tensor> wanted;
  for (auto& [name, tensor] : model.state_dict()) wanted.emplace(name, tensor);
  LoadReport report;
  std::vector<std::string> bad_missing, bad_unexpected, bad_shape, twice;
  std::vector<std::pair<Tensor, Tensor>> copies;  // destination, source
  std::set<std::string> seen;

  for (const auto& [name, source] : state) {
    auto target = wanted.find(name);
    for (const std::string& other : detail::other_names(name)) {
      if (target != wanted.end()) break;
      target = wanted.find(other);
      if (target != wanted.end()) report.renamed.emplace_back(name, other);
    }
    if (target == wanted.end()) {
      report.unexpected.push_back(name);
      if (options.strict && !detail::matches_any(options.allow_unexpected, name))
        bad_unexpected.push_back(name);
      continue;
    }
    const Tensor& destination = target->second;
    if (!seen.insert(target->first).second) twice.push_back(target->first);
    if (source.shape() != destination.shape())
      bad_shape.push_back(detail::text(target->first, " is ", source.shape(), ", the model has ",
                                       destination.shape()));
    else
      copies.emplace_back(destination, source);
    if (source.dtype() != destination.dtype())
      report.converted.push_back(
          detail::text(target->first, ": ", source.dtype(), " to ", destination.dtype()));
  }
  for (auto& [name, tensor] : model.state_dict()) {
    if (seen.contains(name)) continue;
    report.missing.push_back(name);
    const bool allowed = !options.strict || matches("*num_batches_tracked", name) ||
                         detail::matches_any(options.allow_missing, name);
    if (!allowed) bad_missing.push_back(name);
  }

  std::ostringstream table;
  detail::list_names(table, "missing", bad_missing);
  detail::list_names(table, "unexpected", bad_unexpected);
  detail::list_names(table, "of another shape", bad_shape);
  detail::list_names(table, "given twice", twice);
  if (table.tellp() > 0)
    throw DataError({.id = "pt.keys",
                     .file = options.file,
                     .place = "state dict",
                     .found = table.str(),
                     .expected = detail::text("the ", wanted.size(), " tensors of the model"),
                     .hint = "choose the model that the weights belong to; cyto weights inspect "
                             "lists them"});
  const NoGrad no_grad;
  for (const auto& [destination, source] : copies) destination.copy_(source);
  return report;
}

}  // namespace cytograd::nn
