#include "synth/output.h"

#include <algorithm>
#include <system_error>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"

namespace fs = std::filesystem;

namespace cytograd::synth {

void claim_folder(const fs::path& folder, const std::string& marker, bool force) {
  std::error_code error;
  const bool exists = fs::exists(folder, error);
  if (exists && !fs::is_directory(folder, error))
    throw FileError({"file.kind", folder.string(), "", "not a folder", "a folder to write to", ""});
  if (exists && !fs::is_empty(folder, error)) {
    if (!force)
      throw FileError({"file.exists", folder.string(), "", "the folder is not empty",
                       "a new folder", "choose another --output or pass --force"});
    if (!fs::exists(folder / marker, error))
      throw FileError({"file.exists", folder.string(), "",
                       "the folder holds no " + marker + " of cyto synth",
                       "an earlier result, or a new folder", "choose another --output"});
    fs::remove(folder / marker, error);
  } else {
    fs::create_directories(folder, error);
  }
  if (error)
    throw FileError(
        {"file.permission", folder.string(), "", error.message(), "a folder to write to", ""});
}

void remove_numbered(const fs::path& folder, const std::string& prefix) {
  std::error_code error;
  std::vector<fs::path> old;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string stem = entry.path().stem().string(),
                      extension = entry.path().extension().string();
    const bool ours = extension == ".png" || extension == ".jpg" || extension == ".xml";
    if (!ours || stem.size() <= prefix.size() + 1 ||
        stem.compare(0, prefix.size() + 1, prefix + "_") != 0)
      continue;
    if (stem.find_first_not_of("0123456789", prefix.size() + 1) == std::string::npos)
      old.push_back(entry.path());
  }
  for (const fs::path& path : old) fs::remove(path, error);
}

void require_space(const fs::path& folder, double bytes) {
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  if (error || static_cast<double>(space.available) >= bytes) return;
  const auto mib = [](double b) {
    return std::to_string(static_cast<int64_t>(b / (1 << 20)) + 1) + " MiB";
  };
  throw FileError({"disk.full", folder.string(), "",
                   mib(static_cast<double>(space.available)) + " free", "about " + mib(bytes),
                   "free space, choose another disk, or ask for fewer or smaller images"});
}

std::string numbered(const std::string& prefix, int64_t number, const std::string& extension) {
  const std::string digits = std::to_string(number);
  return prefix + "_" + std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits + "." +
         extension;
}

void write_image(const fs::path& path, const Image& image, const std::string& format) {
  write_file_atomically(path.string(),
                        format == "jpg" ? encode_jpeg(image, 95) : encode_png(image));
}

}  // namespace cytograd::synth
