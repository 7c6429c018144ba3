#include "cli/cell_pictures.h"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "cytograd/core/error.h"

namespace cytograd::cli {
namespace {

namespace fs = std::filesystem;

// "000001.png" and on.
bool is_picture(const fs::path& path) {
  const std::string stem = path.stem().string();
  return path.extension() == ".png" && stem.size() >= 6 &&
         std::all_of(stem.begin(), stem.end(), [](unsigned char c) { return std::isdigit(c); });
}

}  // namespace

CellPictures::CellPictures(const std::string& folder, bool force) : folder_(folder) {
  if (folder_.empty()) return;
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error)
    throw FileError(Fault{"file.io", folder_, "", error.message(), "a folder to write into", ""});
  std::vector<fs::path> old;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (!force)
      throw FileError(Fault{"file.exists", folder_, "", "the folder is not empty", "a new folder",
                            "--force replaces its pictures"});
    if (is_picture(entry.path())) old.push_back(entry.path());
  }
  fs::remove(folder_ + "/cells.csv");  // first: it would list pictures of two calls
  for (const fs::path& path : old) fs::remove(path);
  table_.emplace(folder_ + "/cells.csv",
                 std::vector<std::string>{"path", "label", "group", "split"});
}

void CellPictures::add(const Image& image, const std::string& label, const std::string& group,
                       const std::string& split) {
  if (!table_) return;
  std::string name = std::to_string(++count_);
  name.insert(0, name.size() < 6 ? 6 - name.size() : 0, '0');
  name += ".png";
  write_png(folder_ + "/" + name, image);
  if (!label.empty()) table_->row(std::vector<std::string>{name, label, group, split});
}

void CellPictures::commit() {
  if (table_) table_->commit();
}

}  // namespace cytograd::cli
