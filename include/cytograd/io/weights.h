#pragma once

#include <map>
#include <string>
#include <vector>

#include "cytograd/io/safetensors.h"
#include "cytograd/nn/state_dict.h"

/// @file
/// Weight files of any kind that is read, told apart by content: safetensors, PyTorch ZIP, PyTorch
/// stream. Names and layout in files are PyTorch's (nn/state_dict.h).

namespace cytograd {

struct Weights {
  TensorMap tensors;  ///< PyTorch's layout
  std::map<std::string, std::string> metadata;
  std::vector<std::string> converted;  ///< element type changed on reading
  std::vector<std::string> ignored;    ///< tensors beside the state dict (optimiser state)
  std::string format;                  ///< "safetensors", "pytorch zip" or "pytorch stream"
};

/// @throws DataError `st.*` or `pt.opcode` for damaged content, `st.header` for a file that is
/// neither; FileError; DeviceError when memory is full
Weights load_weights(const std::string& path);

/// Writes safetensors, atomically. @throws as write_safetensors
void save_weights(const std::string& path, const TensorMap& tensors,
                  const std::map<std::string, std::string>& metadata = {});

/// Loads a file into a model. @throws as load_weights; DataError `pt.keys` as nn::load_state_dict
nn::LoadReport load_weights_into(const nn::Module& model, const std::string& path,
                                 nn::LoadOptions options = {});
/// Writes a model's parameters and buffers, so that PyTorch's module of the same names loads them.
void save_weights_of(const nn::Module& model, const std::string& path,
                     const std::map<std::string, std::string>& metadata = {});

}  // namespace cytograd
