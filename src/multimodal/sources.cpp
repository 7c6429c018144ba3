#include "cytograd/core/error.h"
#include "cytograd/multimodal/trainer.h"

namespace cytograd::multimodal {
namespace {

template <class Source, class Cells>
Source source_of(const Cells& cells, const std::vector<std::string>& names,
                 const std::vector<std::string>& classes, const std::vector<int64_t>& labels,
                 const CellSplit& split, const std::string& hash) {
  check<ValueError>(split.roles.size() == names.size(), "multimodal", "the split expects ",
                    names.size(), " cells, got ", split.roles.size());
  Source out;
  out.names = names;
  out.classes = classes;
  out.labels = labels;
  out.split = split.roles;
  out.hash = hash;
  out.batch = [&cells](const std::vector<int64_t>& rows) { return cells.batch(rows); };
  return out;
}

}  // namespace

RnaSource rna_source(const RnaCells& cells, const CellSplit& split) {
  auto out =
      source_of<RnaSource>(cells, cells.names, cells.classes, cells.labels, split, cells.hash);
  out.genes = cells.genes;
  out.scale = cells.scale;
  out.reference = cells.reference;
  return out;
}

ImageSource image_source(const ImageCells& cells, const CellSplit& split) {
  auto out = source_of<ImageSource>(cells, cells.names(), cells.classes(), cells.labels(), split,
                                    cells.hash());
  out.channels = cells.channels();
  out.detector = cells.detector();
  return out;
}

}  // namespace cytograd::multimodal
