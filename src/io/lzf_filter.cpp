#include "io/lzf_filter.h"

#include <hdf5.h>

#include <cstring>

namespace cytograd::io {
namespace {

constexpr H5Z_filter_t lzf = 32000;

// HDF5's filter: reading only. values: revision, version, bytes of a chunk.
size_t filter(unsigned flags, size_t count, const unsigned values[], size_t bytes, size_t* size,
              void** buffer) {
  if (!(flags & H5Z_FLAG_REVERSE) || count < 3 || values[2] == 0) return 0;
  const auto out =
      lzf_expanded({static_cast<const unsigned char*>(*buffer), bytes}, size_t{values[2]});
  if (!out || out->empty()) return 0;
  void* expanded = H5allocate_memory(out->size(), false);
  if (!expanded) return 0;
  std::memcpy(expanded, out->data(), out->size());
  H5free_memory(*buffer);
  *buffer = expanded;
  *size = out->size();
  return out->size();
}

}  // namespace

// A byte below 32 begins that many and one bytes as they are; another is a copy of what came
// before: its upper three bits and, where they are 7, the next byte are the length less 2, its
// lower five bits and the byte after that the distance less 1.
std::optional<std::string> lzf_expanded(std::span<const unsigned char> bytes, size_t most) {
  std::string out;
  for (size_t at = 0; at < bytes.size();) {
    const size_t control = bytes[at++];
    if (control < 32) {
      const size_t length = control + 1;
      if (length > bytes.size() - at || length > most - out.size()) return std::nullopt;
      out.append(reinterpret_cast<const char*>(bytes.data() + at), length);
      at += length;
      continue;
    }
    size_t length = control >> 5;
    if (length == 7) {
      if (at == bytes.size()) return std::nullopt;
      length += bytes[at++];
    }
    length += 2;
    if (at == bytes.size()) return std::nullopt;
    const size_t distance = ((control & 31) << 8) + bytes[at++] + 1;
    if (distance > out.size() || length > most - out.size()) return std::nullopt;
    // One by one: the copy may run into itself.
    for (size_t i = 0; i < length; ++i) out.push_back(out[out.size() - distance]);
  }
  return out;
}

void register_lzf() {
  if (H5Zfilter_avail(lzf) > 0) return;
  const H5Z_class2_t description{H5Z_CLASS_T_VERS, lzf, 0, 1, "lzf", nullptr, nullptr, &filter};
  H5Zregister(&description);
}

}  // namespace cytograd::io
