#include <algorithm>

#include "cytograd/core/error.h"
#include "cytograd/io/text.h"
#include "io/h5ad_child.h"
#include "io/hdf5_reader.h"
#include "multimodal/rna_cells_columns.h"

/// @file
/// What the values of a file of RNA cells are.

namespace cytograd::multimodal {
namespace {

using Texts = std::vector<std::string>;

[[noreturn]] void refuse_value(const rna::FileCells& file) {
  const rna::ValueSummary& values = file.summary();
  const SingleCells& head = file.head();
  throw DataError(Fault{
      "rna.values", file.path(),
      head.matrix + ", cell " + head.obs.names[static_cast<size_t>(values.bad_cell)] + ", gene " +
          head.var.names[static_cast<size_t>(values.bad_gene)],
      "value " + format_float(values.bad_value) + ", the first of " +
          std::to_string(values.negative + values.not_finite) + " that are negative or not finite",
      "counts, or logarithms of normalised counts", "choose another matrix of the file"});
}

// Steps that `cyto rna preprocess` left in its file. Its layer "unit" tells that there may be some.
Texts earlier_steps(const rna::FileCells& file) {
  const std::vector<StoredMatrix>& stored = file.head().stored;
  Texts out;
  if (file.head().matrix != "X" ||
      std::none_of(stored.begin(), stored.end(),
                   [](const StoredMatrix& m) { return m.name == "layers/unit"; }))
    return out;
  io::read_in_child(
      file.path(),
      [&file](io::Sender& to) {
        const io::Hdf5Reader reader(file.path());
        Texts steps;
        if (reader.has("uns/cyto_steps") && reader.holds_strings("uns/cyto_steps"))
          steps = reader.strings("uns/cyto_steps");
        to.part();
        to.texts(steps);
      },
      [&out](io::Receiver& from) {
        from.part();
        out = from.texts();
      });
  for (std::string& step : out) step = escape_control(step);
  return out;
}

bool has_deviations(const AnnTable& var) {
  return std::any_of(var.columns.begin(), var.columns.end(),
                     [](const auto& column) { return column.first == "std"; });
}

}  // namespace

ExpressionInput input_of(const rna::FileCells& file, const RnaCellOptions& options) {
  const Texts states = {"auto", "counts", "lognorm", "scaled"};
  check<ValueError>(std::find(states.begin(), states.end(), options.state) != states.end(),
                    "rna cells", "state expects auto, counts, lognorm or scaled, got ",
                    options.state);
  if (file.head().matrix.empty())
    throw DataError(Fault{"h5ad.form", file.path(), "", "no X", "a matrix of counts or logarithms",
                          "name raw/X or a layer"});
  if (file.summary().bad_cell >= 0) refuse_value(file);
  ExpressionInput out{options.state, earlier_steps(file)};
  if (out.state != "auto") return out;
  const bool divided = std::any_of(out.earlier.begin(), out.earlier.end(), [](const auto& step) {
    return step.starts_with("input: divided by");
  });
  if (out.earlier.empty())
    out.state = rna::name_of(file.summary().state(has_deviations(file.head().var)));
  else
    out.state = divided ? "scaled" : "lognorm";
  return out;
}

}  // namespace cytograd::multimodal
