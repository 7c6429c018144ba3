#include "cytograd/train/events.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "cytograd/core/error.h"

namespace cytograd {
namespace {

[[noreturn]] void fail(const std::string& path, int error) {
  throw FileError(Fault{error == ENOSPC ? "disk.full" : "file.io", path, "",
                        std::string("cannot write: ") + std::strerror(error), "", ""});
}

double now() {
  using namespace std::chrono;
  return duration<double>(system_clock::now().time_since_epoch()).count();
}

void put_fixed(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}
void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}
// Wire types: 0 varint, 1 eight bytes, 2 bytes with their length, 5 four bytes.
void put_bytes(std::string& out, int field, const std::string& bytes) {
  put_varint(out, static_cast<uint64_t>(field) << 3 | 2);
  put_varint(out, bytes.size());
  out += bytes;
}

// Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }
std::string event(int64_t step, int field, const std::string& content) {
  std::string out;
  put_varint(out, 1 << 3 | 1);
  put_fixed(out, std::bit_cast<uint64_t>(now()), 8);
  put_varint(out, 2 << 3 | 0);
  put_varint(out, static_cast<uint64_t>(step));
  put_bytes(out, field, content);
  return out;
}

uint32_t masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

}  // namespace

uint32_t crc32c(const std::string& bytes) {
  static const auto table = [] {
    std::array<uint32_t, 256> t{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = c & 1 ? (c >> 1) ^ 0x82f63b78u : c >> 1;
      t[i] = c;
    }
    return t;
  }();
  uint32_t crc = ~0u;
  for (const char c : bytes) crc = table[(crc ^ static_cast<uint8_t>(c)) & 0xff] ^ (crc >> 8);
  return ~crc;
}

EventWriter::EventWriter(const std::string& folder) {
  const auto seconds = static_cast<int64_t>(now());
  for (int k = 0; k < 10000 && fd_ < 0; ++k) {
    path_ =
        folder + "/events.out.tfevents." + std::to_string(seconds) + ".cyto." + std::to_string(k);
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_APPEND, 0644);
    if (fd_ < 0 && errno != EEXIST) fail(path_, errno);
  }
  if (fd_ < 0) fail(path_, EEXIST);
  record(event(0, 3, "brain.Event:2"));
}

EventWriter::~EventWriter() {
  if (fd_ >= 0) ::close(fd_);
}

void EventWriter::scalars(int64_t step, const std::vector<std::pair<std::string, double>>& values) {
  // Summary { repeated Value value = 1; }  Value { string tag = 1; float simple_value = 2; }
  std::string summary;
  for (const auto& [tag, value] : values) {
    std::string item;
    put_bytes(item, 1, tag);
    put_varint(item, 2 << 3 | 5);
    put_fixed(item, std::bit_cast<uint32_t>(static_cast<float>(value)), 4);
    put_bytes(summary, 1, item);
  }
  record(event(step, 5, summary));
}

void EventWriter::record(const std::string& message) {
  std::string length, out;
  put_fixed(length, message.size(), 8);
  out = length;
  put_fixed(out, masked(crc32c(length)), 4);
  out += message;
  put_fixed(out, masked(crc32c(message)), 4);
  const ssize_t n = ::write(fd_, out.data(), out.size());
  if (n != static_cast<ssize_t>(out.size())) fail(path_, n < 0 ? errno : ENOSPC);
}

}  // namespace cytograd
