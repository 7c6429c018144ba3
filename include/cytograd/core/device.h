#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

namespace cytograd {

enum class DeviceType : uint8_t { cpu, cuda };

/// Where a tensor lives.
struct Device {
  DeviceType type = DeviceType::cpu;
  int index = 0;
  static Device cpu() { return {}; }
  static Device cuda(int index = 0) { return {DeviceType::cuda, index}; }
  bool operator==(const Device&) const = default;
};

/// Parses "cpu", "cuda", "cuda:1". @throws ValueError for anything else
Device parse_device(const std::string& text);
/// Prints "cpu" or "cuda:0".
std::ostream& operator<<(std::ostream& out, Device device);

}  // namespace cytograd
