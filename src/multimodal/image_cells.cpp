#include "cytograd/multimodal/image_cells.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <mutex>
#include <set>

#include "cytograd/core/error.h"
#include "cytograd/io/hash.h"
#include "multimodal/image_cells_file.h"
#include "multimodal/image_cells_labels.h"

namespace cytograd::multimodal {
namespace {

using Texts = std::vector<std::string>;

constexpr size_t rows_per_child = 4096;  // a child has limited time
constexpr size_t most_kept_bytes = size_t{1} << 29;

std::string counted(size_t n, const char* what) {
  return std::to_string(n) + (n == 1 ? " cell " : " cells ") + what;
}

bool all_empty(const Texts& texts) {
  return std::all_of(texts.begin(), texts.end(), [](const auto& t) { return t.empty(); });
}

void add_text(Xxh3Stream& hash, const std::string& text) {
  const uint64_t size = text.size();
  hash.update(&size, sizeof size);
  hash.update(text.data(), text.size());
}

}  // namespace

struct ImageCells::State {
  std::string path, hash, detector;
  int64_t in_file = 0, channels = 0;
  std::vector<int64_t> rows;  // of the file
  Texts names, classes, groups, splits, digests, notes;
  std::vector<int64_t> labels;
  // Cells that were read, by row of the file, until memory for them is used up.
  std::mutex mutex;
  std::map<int64_t, std::vector<float>> kept;

  void choose(const ImageCellColumns& all, const ImageCellOptions& options);
  void label(const ImageCellColumns& all, const ImageCellOptions& options);
  void check(const Texts& names_of_file);
};

// Cells that take part.
void ImageCells::State::choose(const ImageCellColumns& all, const ImageCellOptions& options) {
  size_t undetected = 0, empty = 0;
  for (size_t i = 0; i < all.names.size(); ++i) {
    if (all.undetected[i] && !options.keep_undetected) {
      ++undetected;
    } else if (all.empty_mask[i] && !options.keep_empty) {
      ++empty;
    } else {
      rows.push_back(static_cast<int64_t>(i));
      names.push_back(all.names[i]);
    }
  }
  if (undetected > 0) notes.push_back(counted(undetected, "without a detection left out"));
  if (empty > 0) notes.push_back(counted(empty, "with an empty mask left out"));
  if (rows.empty())
    throw DataError(
        Fault{"data.empty", path, "",
              "no cell with a detection and a mask among " + std::to_string(all.names.size()),
              "one at least", "keep undetected cells, or lower the score that detects"});
}

void ImageCells::State::label(const ImageCellColumns& all, const ImageCellOptions& options) {
  Texts types = all.types, donors = all.groups, parts;
  if (!options.labels.empty()) {
    CellLabelTable::Found found = CellLabelTable(options.labels).find(all.names);
    for (const std::string& note : found.notes()) notes.push_back(note);
    const auto without =
        static_cast<size_t>(std::count_if(rows.begin(), rows.end(), [&](int64_t row) {
          return !found.known[static_cast<size_t>(row)];
        }));
    if (without == rows.size())
      throw DataError(Fault{"csv.absent", options.labels, "", "no row for a cell that is used",
                            "the labels of these cells", ""});
    if (without > 0) notes.push_back(counted(without, "without a row of the labels"));
    types = found.label;
    parts = found.split;
    if (!all_empty(found.group)) donors = found.group;
  }
  std::set<std::string> known;
  for (const int64_t row : rows) {
    const auto i = static_cast<size_t>(row);
    if (!types[i].empty()) known.insert(types[i]);
    groups.push_back(donors[i]);
    splits.push_back(parts.empty() ? "" : parts[i]);
  }
  classes.assign(known.begin(), known.end());
  size_t unknown = 0;
  for (const int64_t row : rows) {
    const auto at =
        std::lower_bound(classes.begin(), classes.end(), types[static_cast<size_t>(row)]);
    const bool is_known = !types[static_cast<size_t>(row)].empty();
    labels.push_back(is_known ? at - classes.begin() : -1);
    unknown += !is_known;
  }
  if (unknown > 0) notes.push_back(counted(unknown, "of unknown class"));
  if (all_empty(groups)) groups.clear();
  if (all_empty(splits)) splits.clear();
}

// All values once, in children of bounded work each.
void ImageCells::State::check(const Texts& names_of_file) {
  Xxh3Stream all;
  for (size_t i = 0; i < rows.size(); ++i) {
    add_text(all, names[i]);
    add_text(all, labels[i] < 0 ? "" : classes[static_cast<size_t>(labels[i])]);
    add_text(all, groups.empty() ? "" : groups[i]);
    add_text(all, splits.empty() ? "" : splits[i]);
  }
  for (size_t first = 0; first < rows.size(); first += rows_per_child) {
    const size_t last = std::min(rows.size(), first + rows_per_child);
    for (const std::string& digest : check_cell_rows(path, names_of_file,
                                                     {rows.begin() + static_cast<ptrdiff_t>(first),
                                                      rows.begin() + static_cast<ptrdiff_t>(last)}))
      digests.push_back(digest);
  }
  for (const std::string& digest : digests) add_text(all, digest);
  hash = all.digest();
}

ImageCells::ImageCells(const std::string& path, const ImageCellOptions& options)
    : state_(std::make_unique<State>()) {
  state_->path = path;
  const ImageCellColumns all = read_cell_columns(path);
  state_->in_file = static_cast<int64_t>(all.names.size());
  state_->channels = all.channels;
  state_->detector = all.detector;
  state_->choose(all, options);
  state_->label(all, options);
  state_->check(all.names);
}

ImageCells::~ImageCells() = default;
ImageCells::ImageCells(ImageCells&&) noexcept = default;
ImageCells& ImageCells::operator=(ImageCells&&) noexcept = default;

int64_t ImageCells::size() const { return static_cast<int64_t>(state_->rows.size()); }
const Texts& ImageCells::names() const { return state_->names; }
const Texts& ImageCells::classes() const { return state_->classes; }
const std::vector<int64_t>& ImageCells::labels() const { return state_->labels; }
const Texts& ImageCells::groups() const { return state_->groups; }
const Texts& ImageCells::splits() const { return state_->splits; }
const Texts& ImageCells::digests() const { return state_->digests; }
int64_t ImageCells::channels() const { return state_->channels; }
const Texts& ImageCells::notes() const { return state_->notes; }
std::string ImageCells::hash() const { return state_->hash; }
const std::string& ImageCells::detector() const { return state_->detector; }

ImageBatch ImageCells::batch(const std::vector<int64_t>& rows) const {
  // One reading child at a time: what one thread has read, the others need not.
  const std::lock_guard lock(state_->mutex);
  const auto n = static_cast<int64_t>(rows.size());
  const size_t h = h_values(channels()), all = cell_values(channels());
  ImageBatch out{Tensor::empty({n, h_side, h_side, channels()}),
                 Tensor::empty({n, target_side, target_side, 3}),
                 Tensor::empty({n, target_side, target_side, 1})};
  const auto put = [&out, h](size_t i, const float* values) {
    std::memcpy(out.h.data<float>() + i * h, values, h * sizeof(float));
    std::memcpy(out.image.data<float>() + i * crop_values, values + h, crop_values * sizeof(float));
    std::memcpy(out.mask.data<float>() + i * mask_values, values + h + crop_values,
                mask_values * sizeof(float));
  };
  std::map<int64_t, std::vector<size_t>> missing;  // places of the batch by row of the file
  for (size_t i = 0; i < rows.size(); ++i) {
    cytograd::check<ValueError>(rows[i] >= 0 && rows[i] < size(), "image cells",
                                "rows expect 0 to ", size() - 1, ", got ", rows[i]);
    const int64_t row = state_->rows[static_cast<size_t>(rows[i])];
    const auto kept = state_->kept.find(row);
    if (kept == state_->kept.end())
      missing[row].push_back(i);
    else
      put(i, kept->second.data());
  }
  if (missing.empty()) return out;
  std::vector<int64_t> wanted;
  std::vector<const std::vector<size_t>*> places;
  for (const auto& [row, at] : missing) {
    wanted.push_back(row);
    places.push_back(&at);
  }
  read_cell_rows(state_->path, state_->in_file, channels(), wanted,
                 [&](size_t k, const float* values) {
                   // They were looked at when the file was opened.
                   if (!std::all_of(values, values + all, [](float v) { return std::isfinite(v); }))
                     throw DataError(Fault{"change", state_->path, "",
                                           "other values than when it was read before",
                                           "the same file", "start again"});
                   for (const size_t i : *places[k]) put(i, values);
                   if ((state_->kept.size() + 1) * all * sizeof(float) <= most_kept_bytes)
                     state_->kept.emplace(wanted[k], std::vector<float>(values, values + all));
                 });
  return out;
}

}  // namespace cytograd::multimodal
