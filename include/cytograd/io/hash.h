#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace cytograd {

/// XXH3, 128 bits, as 32 lower-case hex digits (high half first, as `xxh128sum` prints it).
/// Finds accidents, not attacks.
std::string xxh3_128(std::string_view bytes);
/// The same over bytes that arrive in pieces.
class Xxh3Stream {
 public:
  Xxh3Stream();
  ~Xxh3Stream();
  void update(const void* data, size_t bytes);
  std::string digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};
/// The same over a file, read in pieces. @throws FileError
std::string xxh3_128_file(const std::string& path);

}  // namespace cytograd
