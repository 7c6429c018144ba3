#pragma once

#include <string>
#include <vector>

namespace cytograd::simt {

struct SourceLine {
  std::string file = "?";  ///< without folders
  unsigned line = 0;
  std::string text() const { return file + ":" + std::to_string(line); }
  auto operator<=>(const SourceLine&) const = default;
};

/// The lines of calls that return to these addresses, by the program addr2line (binutils) and the
/// debug information; of inlined calls the innermost that is not in the emulation or the standard
/// library. Unknown ones are "?:0".
std::vector<SourceLine> source_lines(const std::vector<const void*>& return_addresses);
SourceLine source_line(const void* return_address);

}  // namespace cytograd::simt
