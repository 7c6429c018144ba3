#include "cytograd/io/hash.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <memory>
#include <new>
#include <vector>

#include "io/system.h"

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

std::string xxh3_128_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd == -1) io::throw_file_error(path, "open", errno);
  const auto closer =
      std::unique_ptr<const int, void (*)(const int*)>(&fd, [](const int* p) { ::close(*p); });
  const auto state = std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)>(
      XXH3_createState(), XXH3_freeState);
  if (!state) throw std::bad_alloc();
  XXH3_128bits_reset(state.get());
  std::vector<char> block(size_t{1} << 18);
  while (true) {
    const ssize_t n = ::read(fd, block.data(), block.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) io::throw_file_error(path, "read", errno);
    if (n == 0) break;
    XXH3_128bits_update(state.get(), block.data(), static_cast<size_t>(n));
  }
  return hex(XXH3_128bits_digest(state.get()));
}

}  // namespace cytograd
