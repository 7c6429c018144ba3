#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cytograd/io/safetensors.h"

/// @file
/// PyTorch weight files (`.pth`, `.pt`, `.th`), read as data: the pickle inside is interpreted by a
/// machine that knows tensors, containers, numbers and strings, and nothing else. No code from the
/// file runs, whatever it names. Both layouts are read: ZIP (PyTorch 1.6 and later) and the earlier
/// stream. Anything else is `DataError` `pt.opcode` with the place.

namespace cytograd {

struct TorchFile {
  /// Row-major copies under PyTorch's names. Where the file holds a dictionary such as
  /// `{"state_dict": {...}, "epoch": 3}`, those of `state_dict`, `model_state_dict` or `model`, in
  /// this order of preference; else all, nested names joined by dots.
  TensorMap tensors;
  /// Numbers and strings beside them, as text: {"epoch", "3"}.
  std::map<std::string, std::string> metadata;
  std::vector<std::string> converted;  ///< element type changed on reading, as for safetensors
  std::vector<std::string> ignored;    ///< tensors outside the chosen dictionary
};

/// @throws FileError, DataError, DeviceError when memory is full
TorchFile read_torch_file(const std::string& path);
/// The same from memory. @param name for messages
TorchFile decode_torch_file(std::string_view bytes, const std::string& name);

}  // namespace cytograd
