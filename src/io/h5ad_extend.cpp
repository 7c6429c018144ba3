#include "cytograd/io/h5ad_extend.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "cytograd/core/error.h"
#include "io/byte_source.h"
#include "io/h5ad_child.h"
#include "io/h5ad_entries.h"
#include "io/hdf5_reader.h"
#include "io/system.h"

namespace cytograd {
namespace {

using namespace io;

constexpr size_t piece = size_t{1} << 20;

// A copy of a file beside its later place, which HDF5 can open by name before it is put there;
// named so that `remove_stale_temporaries` knows it.
class Staged {
 public:
  Staged(const FileSource& source, const std::string& to)
      : to_(to),
        path_(folder_of(to) + "/." + name_of_path(to).substr(0, 200) + ".tmp-" +
              std::to_string(getpid()) + "-h5ad"),
        fd_(sys::open(path_, O_RDWR | O_CREAT | O_EXCL, 0666)) {
    if (fd_ == -1) throw_file_error(to, "create", errno);
    std::vector<char> bytes(piece);
    for (uint64_t at = 0; at < source.size(); at += piece) {
      const auto count = static_cast<size_t>(std::min<uint64_t>(piece, source.size() - at));
      try {
        source.read(at, bytes.data(), count);
        if (const int error = write_all(fd_, bytes.data(), count); error != 0) fail("write", error);
      } catch (...) {
        discard();
        throw;
      }
    }
  }
  ~Staged() { discard(); }
  Staged(const Staged&) = delete;
  Staged& operator=(const Staged&) = delete;

  const std::string& path() const { return path_; }
  void commit() {
    if (sys::fsync(fd_) != 0) fail("write", errno);
    if (sys::close(std::exchange(fd_, -1)) != 0) fail("write", errno);
    if (sys::rename(path_, to_) != 0) fail("rename the new file to this name", errno);
    path_.clear();
    if (const int error = sync_folder(folder_of(to_)); error != 0) fail("sync the folder", error);
  }

 private:
  void discard() noexcept {
    if (fd_ != -1) ::close(fd_);
    fd_ = -1;
    if (!path_.empty()) ::unlink(path_.c_str());
    path_.clear();
  }
  [[noreturn]] void fail(const char* action, int error) {
    discard();
    throw_file_error(to_, action, error);
  }

  std::string to_, path_;
  int fd_;
};

// An open group of the file, made where there is none.
H5Id group_of(const Hdf5Reader& file, const char* name) {
  if (!file.has(name)) return create_dict(file.id(), name);
  if (!file.is_group(name))
    h5ad_fault(name, "a table of anndata before 0.7", "a group",
               "read and write the file once with a newer anndata");
  return {H5Gopen2(file.id(), name, H5P_DEFAULT), H5Gclose, "group"};
}

void remove(const Hdf5Reader& file, const std::string& place) {
  if (file.has(place) && H5Ldelete(file.id(), place.c_str(), H5P_DEFAULT) < 0)
    h5ad_fault(place, "an entry that cannot be replaced", "a whole file");
}

// anndata 0.7 reads columns that are arrays only.
Column as_texts(const Column& column) {
  const auto* c = std::get_if<Categorical>(&column);
  if (!c) return column;
  std::vector<std::string> out;
  for (const int32_t code : c->codes)
    out.push_back(code < 0 ? "" : c->categories[static_cast<size_t>(code)]);
  return out;
}

void add_columns(const Hdf5Reader& file, const AnnAdditions& more) {
  if (more.obs.empty()) return;
  const H5Id obs = group_of(file, "obs");
  const bool old = file.attribute("obs", "encoding-version") == "0.1.0";
  std::vector<std::string> order =
      file.list_attribute("obs", "column-order").value_or(std::vector<std::string>());
  for (const auto& [name, column] : more.obs) {
    if (name == file.attribute("obs", "_index"))
      h5ad_fault("obs/" + name, "the names of the cells", "another name for the new column");
    remove(file, "obs/" + name);
    remove(file, "obs/__categories/" + name);
    write_entry(obs, name, old ? as_texts(column) : column);
    if (std::find(order.begin(), order.end(), name) == order.end()) order.push_back(name);
  }
  if (H5Aexists(obs, "column-order") > 0) H5Adelete(obs, "column-order");
  write_attribute(obs, "column-order", std::span<const std::string>(order));
}

template <class Map>
void add_entries(const Hdf5Reader& file, const char* folder, const Map& entries) {
  if (entries.empty()) return;
  const H5Id group = group_of(file, folder);
  for (const auto& [name, value] : entries) {
    remove(file, std::string(folder) + "/" + name);
    write_entry(group, name, value);
  }
}

void extend(const std::string& path, const AnnAdditions& more, int64_t rows) {
  const Hdf5Reader file(path, Hdf5Reader::Mode::change);
  if (!file.is_group("obs"))
    h5ad_fault("obs", "no group", "a table of anndata 0.7 or newer",
               "read and write the file once with a newer anndata");
  std::string index = file.attribute("obs", "_index");
  if (index.empty()) index = "index";
  const auto cells = static_cast<int64_t>(file.length("obs/" + index));
  if (rows >= 0 && cells != rows)
    h5ad_fault("obs", std::to_string(cells) + " cells",
               std::to_string(rows) + ", as there are new values");
  add_columns(file, more);
  add_entries(file, "obsm", more.obsm);
  add_entries(file, "uns", more.uns);
}

}  // namespace

void extend_h5ad(const std::string& from, const std::string& to, const AnnAdditions& more) {
  const int64_t rows = check_additions(more);
  const FileSource source(from);
  Staged copy(source, to);
  read_in_child(
      from,
      [&](Sender& send) {
        extend(copy.path(), more, rows);
        send.part();
      },
      [](Receiver& receive) { receive.part(); });
  copy.commit();
}

}  // namespace cytograd
