#include "cytograd/train/events.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <optional>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "io/system.h"

namespace cytograd {
namespace {

using namespace io;

constexpr const char* name_prefix = "events.out.tfevents.";

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

uint64_t get_fixed(std::string_view bytes, size_t at, int count) {
  uint64_t value = 0;
  for (int i = 0; i < count; ++i)
    value |= uint64_t{static_cast<uint8_t>(bytes[at + static_cast<size_t>(i)])} << (8 * i);
  return value;
}

// The message of the whole record that begins at `at`; nothing for a torn or damaged one.
std::optional<std::string_view> message_at(std::string_view bytes, size_t at) {
  if (bytes.size() - at < 12) return {};
  const uint64_t length = get_fixed(bytes, at, 8);
  if (get_fixed(bytes, at + 8, 4) != masked(crc32c(std::string(bytes.substr(at, 8)))) ||
      length > bytes.size() - at - 12 || bytes.size() - at - 12 - length < 4)
    return {};
  const std::string_view message = bytes.substr(at + 12, length);
  if (get_fixed(bytes, at + 12 + length, 4) != masked(crc32c(std::string(message)))) return {};
  return message;
}

// The step of an Event as `event` lays it out, 0 for anything else.
int64_t step_of(std::string_view message) {
  constexpr size_t time_bytes = 9;
  if (message.size() <= time_bytes || message[time_bytes] != (2 << 3 | 0)) return 0;
  uint64_t value = 0;
  int shift = 0;
  for (size_t i = time_bytes + 1; i < message.size() && shift < 64; ++i, shift += 7) {
    value |= uint64_t{static_cast<uint8_t>(message[i]) & 0x7fu} << shift;
    if (!(message[i] & 0x80)) break;
  }
  return static_cast<int64_t>(value);
}

// Whole records up to `last_step`.
std::string kept_records(std::string_view bytes, int64_t last_step) {
  std::string out;
  for (size_t at = 0; at < bytes.size();) {
    const auto message = message_at(bytes, at);
    if (!message) break;
    const size_t size = message->size() + 16;
    if (step_of(*message) <= last_step) out += bytes.substr(at, size);
    at += size;
  }
  return out;
}

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

void drop_events_after(const std::string& folder, int64_t last_step) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().filename().string().starts_with(name_prefix))
      paths.push_back(entry.path().string());
  std::sort(paths.begin(), paths.end());
  for (const std::string& path : paths) {
    const std::string bytes = read_file(path), kept = kept_records(bytes, last_step);
    if (kept.size() != bytes.size()) write_file_atomically(path, kept);
  }
}

EventWriter::EventWriter(const std::string& folder) {
  const auto seconds = static_cast<int64_t>(now());
  for (int k = 0; k < 10000 && fd_ < 0; ++k) {
    path_ = folder + "/" + name_prefix + std::to_string(seconds) + ".cyto." + std::to_string(k);
    fd_ = sys::open(path_, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, 0666);
    if (fd_ < 0 && errno != EEXIST) throw_file_error(path_, "create", errno);
  }
  if (fd_ < 0) throw_file_error(path_, "create", EEXIST);
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
  if (const int error = write_all(fd_, out.data(), out.size()); error != 0)
    throw_file_error(path_, "write", error, out.size());
}

}  // namespace cytograd
