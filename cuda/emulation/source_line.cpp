#include "cuda/emulation/source_line.h"

#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>

namespace cytograd::simt {
namespace {

using Known = std::map<const void*, SourceLine>;
// Asking costs a process; profiles ask for the same lines again and again.
Known& known() {
  static Known instance;
  return instance;
}

bool is_ours(const std::string& path) {
  for (const char* part : {"/cuda/emulation/", "/core/kernel.cuh", "/core/ptx/", "/usr/"})
    if (path.find(part) != std::string::npos) return true;
  return path.empty() || path[0] == '?';
}

SourceLine parsed(const std::string& text) {
  SourceLine out;
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return out;
  const size_t slash = text.rfind('/', colon);
  out.file = text.substr(slash == std::string::npos ? 0 : slash + 1,
                         colon - (slash == std::string::npos ? 0 : slash + 1));
  out.line = static_cast<unsigned>(std::strtoul(text.c_str() + colon + 1, nullptr, 10));
  return out;
}

// Runs addr2line for addresses of one file. It answers each address by "0x...", then a line per
// frame, the innermost first.
void ask(const std::string& program, const std::map<uintptr_t, const void*>& addresses) {
  std::string command = "addr2line -a -i -e '" + program + "'";
  char number[32];
  for (const auto& [offset, address] : addresses) {
    std::snprintf(number, sizeof number, " 0x%zx", static_cast<size_t>(offset));
    command += number;
  }
  FILE* const pipe = popen((command + " 2>/dev/null").c_str(), "r");
  if (!pipe) return;
  char buffer[4096];
  const void* current = nullptr;
  bool found = false;
  while (std::fgets(buffer, sizeof buffer, pipe)) {
    std::string line = buffer;
    while (!line.empty() && (line.back() == '\n' || line.back() == ')')) line.pop_back();
    if (line.substr(0, 2) == "0x") {
      const auto at = addresses.find(std::strtoull(line.c_str(), nullptr, 16));
      current = at == addresses.end() ? nullptr : at->second;
      found = false;
      continue;
    }
    line = line.substr(0, line.find(" (discriminator"));
    if (!current || found || is_ours(line)) continue;
    known()[current] = parsed(line);
    found = true;
  }
  pclose(pipe);
}

}  // namespace

std::vector<SourceLine> source_lines(const std::vector<const void*>& return_addresses) {
  std::map<std::string, std::map<uintptr_t, const void*>> questions;
  for (const void* address : return_addresses) {
    Dl_info info{};
    if (known().count(address) || !address || !dladdr(address, &info) || !info.dli_fname) continue;
    known()[address] = SourceLine{};
    // The call lies just before the address it returns to.
    const auto offset = static_cast<uintptr_t>(static_cast<const char*>(address) -
                                               static_cast<const char*>(info.dli_fbase)) -
                        1;
    questions[info.dli_fname][offset] = address;
  }
  for (const auto& [program, addresses] : questions) ask(program, addresses);
  std::vector<SourceLine> out;
  for (const void* address : return_addresses) out.push_back(known()[address]);
  return out;
}

SourceLine source_line(const void* return_address) { return source_lines({return_address})[0]; }

}  // namespace cytograd::simt
