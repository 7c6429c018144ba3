#include "multimodal/image_cells_file.h"

#include <filesystem>

#include "cytograd/core/error.h"
#include "cytograd/io/hash.h"
#include "cytograd/io/text.h"
#include "io/h5ad_child.h"
#include "io/hdf5_reader.h"

namespace cytograd::multimodal {
namespace {

using namespace io;

constexpr hsize_t most_cells = 10'000'000;
constexpr float tolerance = 1e-3f;  // of the ends of a range: filters round

[[noreturn]] void fail(const std::string& place, const std::string& found,
                       const std::string& expected, const std::string& hint = "") {
  throw DataError(Fault{"cells.form", "", place, found, expected, hint});
}

// The reader's faults are those of another kind of file.
template <class F>
auto as_cells(const F& f) {
  try {
    return f();
  } catch (const DataError& e) {
    Fault fault = e.fault();
    if (fault.id == "h5ad.form") {
      fault.id = "cells.form";
      if (fault.place.empty())
        fault.expected = "a file of `cyto segment features`";
      else
        fault.place = "/" + fault.place;
    }
    throw DataError(fault);
  }
}

std::string text_of(const std::vector<hsize_t>& shape) {
  std::string out;
  for (const hsize_t n : shape)
    out += (out.empty() ? "" : ", ") + (n == 0 ? "channels" : std::to_string(n));
  return "[" + out + "]";
}

// In the child.
class CellFile {
 public:
  explicit CellFile(const std::string& path)
      : file_(path),
        h_(open("h", {h_side, h_side, any})),
        crop_(open("crop", {target_side, target_side, 3})),
        mask_(open("mask", {target_side, target_side})) {}

  hsize_t cells() const { return cells_; }
  int64_t channels() const { return static_cast<int64_t>(channels_); }

  std::vector<std::string> texts(const char* name) const {
    require_length(name);
    return file_.strings(name);
  }
  bool has(const char* name) const { return file_.has(name); }
  // Of what h depends on; "" for a file that does not name its detector.
  std::string detector() const {
    if (file_.attribute("/", "weights_xxh3").empty()) return "";
    std::string out;
    for (const char* name : {"weights_xxh3", "h_level", "mask_mode", "dilate"})
      if (const std::string value = file_.attribute("/", name); !value.empty())
        out += (out.empty() ? "" : ", ") + std::string(name) + " " + value;
    return out;
  }
  std::vector<int64_t> flags(const char* name) const {
    require_length(name);
    std::vector<int64_t> out = file_.integers(name);
    for (const int64_t v : out)
      if (v != 0 && v != 1)
        fail(std::string("/") + name, "the value " + std::to_string(v), "0 or 1");
    return out;
  }

  void read(int64_t row, float* to) const {
    const size_t h = h_values(channels());
    read_part(h_, "h", row, h, to);
    read_part(crop_, "crop", row, crop_values, to + h);
    read_part(mask_, "mask", row, mask_values, to + h + crop_values);
  }

 private:
  // A dataset of reals with one row per cell.
  H5Id open(const char* name, const std::vector<hsize_t>& rest) {
    H5Id set = file_.dataset(name);
    const std::string place = std::string("/") + name;
    const H5Id type(H5Dget_type(set), H5Tclose, "type"),
        space(H5Dget_space(set), H5Sclose, "space");
    const int dims = H5Sget_simple_extent_ndims(space);
    std::vector<hsize_t> shape(static_cast<size_t>(std::max(dims, 0)));
    if (dims > 0) H5Sget_simple_extent_dims(space, shape.data(), nullptr);
    std::vector<hsize_t> wanted = rest;
    wanted.insert(wanted.begin(), shape.empty() ? 0 : shape[0]);
    if (shape.size() == wanted.size() && wanted.back() == any && shape.back() >= 1 &&
        shape.back() <= most_channels)
      wanted.back() = channels_ = shape.back();
    if (shape != wanted)
      fail(place, text_of(shape), "[cells, " + text_of(rest).substr(1),
           "another --target does not fit this network");
    if (H5Tget_class(type) != H5T_FLOAT) fail(place, "no real numbers", "real numbers");
    if (shape[0] == 0 || shape[0] > most_cells)
      fail(place, std::to_string(shape[0]) + " cells", "1 to " + std::to_string(most_cells));
    if (cells_ == 0) cells_ = shape[0];
    if (cells_ != shape[0])
      fail(place, std::to_string(shape[0]) + " rows", std::to_string(cells_) + " as in /h");
    return set;
  }

  void require_length(const char* name) const {
    const std::vector<hsize_t> shape = file_.shape(name);
    if (shape != std::vector<hsize_t>{cells_})
      fail(std::string("/") + name, text_of(shape), "[" + std::to_string(cells_) + "]");
  }

  static void read_part(hid_t set, const char* name, int64_t row, size_t values, float* to) {
    const H5Id space(H5Dget_space(set), H5Sclose, "space");
    const hsize_t size[1] = {values};
    const H5Id memory(H5Screate_simple(1, size, nullptr), H5Sclose, "space");
    hsize_t first[4] = {static_cast<hsize_t>(row), 0, 0, 0}, count[4] = {};
    H5Sget_simple_extent_dims(space, count, nullptr);
    count[0] = 1;
    if (H5Sselect_hyperslab(space, H5S_SELECT_SET, first, nullptr, count, nullptr) < 0 ||
        H5Dread(set, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, to) < 0)
      fail(std::string("/") + name, "data of cell " + std::to_string(row) + " that cannot be read",
           "a whole array", "copy the file again");
  }

  static constexpr hsize_t any = 0;  // channels, whatever their number
  Hdf5Reader file_;
  hsize_t cells_ = 0, channels_ = 0;
  H5Id h_, crop_, mask_;
};

void check_values(const float* values, size_t count, float low, const char* name,
                  const std::string& cell) {
  for (size_t i = 0; i < count; ++i) {
    const float v = values[i];
    if (v >= low - tolerance && v <= 1 + tolerance) continue;
    fail(std::string("/") + name + ", cell " + cell, "the value " + format_float(v),
         low < 0 ? "finite values of -1 to 1" : "finite values of 0 to 1",
         "write the features again");
  }
}

bool is_hash(const std::string& text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

ImageCellColumns read_cell_columns(const std::string& path) {
  ImageCellColumns out;
  std::error_code error;  // a pipe would wait for ever
  if (std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error))
    throw FileError(
        Fault{"file.kind", path, "", "no regular file", "a file of `cyto segment features`", ""});
  const auto send = [&path](Sender& to) {
    as_cells([&] {
      const CellFile file(path);
      const bool types = file.has("cell_type"), groups = file.has("group");
      const std::vector<std::string> none(file.cells());
      ImageCellColumns c{file.texts("name"),
                         types ? file.texts("cell_type") : none,
                         groups ? file.texts("group") : none,
                         file.flags("undetected"),
                         file.flags("empty_mask"),
                         types,
                         file.channels(),
                         file.detector()};
      to.part();
      to.texts(c.names);
      to.texts(c.types);
      to.texts(c.groups);
      to.array(c.undetected);
      to.array(c.empty_mask);
      to.number(types);
      to.number(static_cast<uint64_t>(c.channels));
      to.text(c.detector);
    });
  };
  read_in_child(path, send, [&out](Receiver& from) {
    from.part();
    out.names = from.texts();
    out.types = from.texts();
    out.groups = from.texts();
    out.undetected = from.array<int64_t>();
    out.empty_mask = from.array<int64_t>();
    out.has_types = from.number() == 1;
    out.channels = static_cast<int64_t>(from.number());
    out.detector = escape_control(from.text());
    const size_t n = out.names.size();
    if (n == 0 || out.types.size() != n || out.groups.size() != n || out.undetected.size() != n ||
        out.empty_mask.size() != n || out.channels < 1 || out.channels > most_channels)
      throw ChildDied();
  });
  for (auto* list : {&out.names, &out.types, &out.groups})
    for (std::string& text : *list) text = escape_control(text);
  return out;
}

void read_cell_rows(const std::string& path, int64_t cells, int64_t channels,
                    const std::vector<int64_t>& rows,
                    const std::function<void(size_t index, const float* values)>& take) {
  const auto send = [&](Sender& to) {
    as_cells([&] {
      const CellFile file(path);
      if (file.cells() != static_cast<hsize_t>(cells) || file.channels() != channels)
        throw DataError(Fault{"change", "", "", "other cells than when it was read before",
                              "the same file", "start again"});
      std::vector<float> values(cell_values(channels));
      for (const int64_t row : rows) {
        file.read(row, values.data());
        to.part();
        to.bytes(values.data(), values.size() * sizeof(float));
      }
    });
  };
  read_in_child(path, send, [&](Receiver& from) {
    std::vector<float> values(cell_values(channels));
    for (size_t i = 0; i < rows.size(); ++i) {
      from.part();
      from.bytes(values.data(), values.size() * sizeof(float));
      take(i, values.data());
    }
  });
}

std::vector<std::string> check_cell_rows(const std::string& path,
                                         const std::vector<std::string>& names,
                                         const std::vector<int64_t>& rows) {
  std::vector<std::string> out;
  const auto send = [&](Sender& to) {
    as_cells([&] {
      const CellFile file(path);
      if (file.cells() != names.size()) fail("/h", "a file that changes", "the same file");
      const size_t h = h_values(file.channels());
      std::vector<float> values(cell_values(file.channels()));
      std::vector<std::string> hashes;
      for (const int64_t row : rows) {
        file.read(row, values.data());
        const std::string& cell = names[static_cast<size_t>(row)];
        check_values(values.data(), h, -1, "h", cell);
        check_values(values.data() + h, crop_values, 0, "crop", cell);
        check_values(values.data() + h + crop_values, mask_values, 0, "mask", cell);
        Xxh3Stream hash;
        hash.update(values.data(), values.size() * sizeof(float));
        hashes.push_back(hash.digest());
      }
      to.part();
      for (const std::string& hash : hashes) to.text(hash);
    });
  };
  read_in_child(path, send, [&](Receiver& from) {
    from.part();
    out.clear();
    for (size_t i = 0; i < rows.size(); ++i) {
      out.push_back(from.text());
      if (!is_hash(out.back())) throw ChildDied();
    }
  });
  return out;
}

}  // namespace cytograd::multimodal
