#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cytograd/core/tensor.h"

/// @file
/// Tensors by name in one file, in the safetensors format: 8 bytes with the length of a JSON header
/// (little-endian), the header, the data. Read as hostile input: everything is checked against the
/// size of the file before memory is taken for it.
///
/// Element types F32, F64, BF16, I64, U8 are kept; F16 becomes float32; I32, I16, I8 become int64;
/// BOOL becomes uint8 (`converted` lists them). Others are refused.
///
/// Files written here carry a hash of their data, checked on reading. Faults are `DataError`:
/// `st.header` the header, `st.offsets` the places of the data, `st.hash` data that was changed.

namespace cytograd {

/// Limits of the header.
inline constexpr uint64_t max_weight_header_bytes = 100'000'000;
inline constexpr size_t max_weight_tensors = 1'000'000;

using TensorMap = std::map<std::string, Tensor>;

struct SafeTensors {
  TensorMap tensors;
  std::map<std::string, std::string> metadata;
  std::vector<std::string> converted;  ///< names whose element type changed on reading
};

/// One line of a listing.
struct TensorEntry {
  std::string name;
  std::string type;  ///< as in the file: "F32"
  Shape shape;
  uint64_t bytes = 0;
};

/// @throws FileError, DataError, DeviceError when memory is full
SafeTensors read_safetensors(const std::string& path);
/// The same from memory. @param name for messages
SafeTensors decode_safetensors(std::string_view bytes, const std::string& name);
/// Only the header: names in order of their data, and the metadata.
std::vector<TensorEntry> list_safetensors(const std::string& path,
                                          std::map<std::string, std::string>* metadata = nullptr);

/// Writes atomically from memory (never from a mapping of the file that is replaced). The bytes
/// depend on the content alone: tensors are ordered by element size, then name.
/// @throws ValueError for names or metadata that are not UTF-8, for tensors that are undefined or
/// on a CUDA device, and for the reserved name `__metadata__`; FileError
void write_safetensors(const std::string& path, const TensorMap& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace cytograd
