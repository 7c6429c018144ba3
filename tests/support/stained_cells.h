#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cytograd/io/image.h"
#include "cytograd/synth/cells.h"

namespace cytograd::test {

/// A data set per laboratory: `folder`/lab<d>/<class>/<k>.png, drawn cells under the stain of
/// number d. @param counts  images per domain and class, [domain][class]; 0: the class is missing
/// there
/// @return the folders, for --data
inline std::vector<std::string> write_labs(const std::string& folder,
                                           const std::vector<std::vector<int>>& counts,
                                           int size = 24) {
  const std::vector<std::string> classes = {"lymphocyte", "segmented", "eosinophil", "monocyte"};
  std::vector<std::string> out;
  for (size_t d = 0; d < counts.size(); ++d) {
    const std::string lab = folder + "/lab" + std::to_string(d);
    for (size_t c = 0; c < counts[d].size(); ++c) {
      if (counts[d][c] == 0) continue;
      std::filesystem::create_directories(lab + "/" + classes[c]);
      for (int k = 0; k < counts[d][c]; ++k) {
        const synth::CellPicture cell =
            synth::draw_cell({synth::cell_class(classes[c]), static_cast<int>(d), 1,
                              static_cast<uint64_t>(k) + 1000 * d, size});
        write_png(lab + "/" + classes[c] + "/" + std::to_string(k) + ".png", cell.image);
      }
    }
    out.push_back(lab);
  }
  return out;
}

}  // namespace cytograd::test
