#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace cytograd::io {

/// Undoes LZF compression, nothing if the bytes are no such stream or hold more than `most` bytes.
std::optional<std::string> lzf_expanded(std::span<const unsigned char> bytes, size_t most);

/// Makes HDF5 read arrays that h5py compressed with "lzf" (filter 32000), which is no part of HDF5.
void register_lzf();

}  // namespace cytograd::io
