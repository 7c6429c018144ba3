#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>

/// The folder of real test data: environment CYTOGRAD_DATA, else ../shared/data beside the source
/// tree; nothing where neither exists.
inline std::optional<std::filesystem::path> shared_data() {
  namespace fs = std::filesystem;
  const char* set = std::getenv("CYTOGRAD_DATA");
  const fs::path folder = set ? fs::path(set) : fs::path(CYTOGRAD_SOURCE_DIR) / "../shared/data";
  std::error_code error;
  if (!fs::is_directory(folder, error)) return std::nullopt;
  return fs::canonical(folder, error);
}
