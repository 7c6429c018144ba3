#include "cytograd/io/hash.h"

#include <xxhash.h>

#include <algorithm>
#include <new>
#include <vector>

#include "io/byte_source.h"

namespace cytograd {
namespace {

std::string hex(XXH128_hash_t hash) {
  static const char* digits = "0123456789abcdef";
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, hash);
  std::string out;
  for (const unsigned char b : bytes.digest) out += {digits[b >> 4], digits[b & 15]};
  return out;
}

}  // namespace

std::string xxh3_128(std::string_view bytes) {
  return hex(XXH3_128bits(bytes.data(), bytes.size()));
}

struct Xxh3Stream::State {
  XXH3_state_t* xxh = XXH3_createState();
  ~State() { XXH3_freeState(xxh); }
};

Xxh3Stream::Xxh3Stream() : state_(std::make_unique<State>()) {
  if (!state_->xxh) throw std::bad_alloc();
  XXH3_128bits_reset(state_->xxh);
}
Xxh3Stream::~Xxh3Stream() = default;
void Xxh3Stream::update(const void* data, size_t bytes) {
  XXH3_128bits_update(state_->xxh, data, bytes);
}
std::string Xxh3Stream::digest() const { return hex(XXH3_128bits_digest(state_->xxh)); }

std::string xxh3_128_file(const std::string& path) {
  const io::FileSource file(path);
  Xxh3Stream hash;
  std::vector<char> block(size_t{1} << 18);
  for (uint64_t at = 0; at < file.size(); at += block.size()) {
    const auto n = static_cast<size_t>(std::min<uint64_t>(block.size(), file.size() - at));
    file.read(at, block.data(), n);
    hash.update(block.data(), n);
  }
  return hash.digest();
}

}  // namespace cytograd
