#include "cli/cell_pictures.h"

#include <filesystem>

#include "cli/common.h"

namespace cytograd::cli {

CellPictures::CellPictures(const std::string& folder, bool force) : folder_(folder) {
  if (folder_.empty()) return;
  require_new_file(folder_ + "/cells.csv", force);
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error)
    throw FileError(Fault{"file.io", folder_, "", error.message(), "a folder to write into", ""});
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
