#include "data/layout.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <numeric>
#include <system_error>

#include "cytograd/io/text.h"

namespace cytograd::layout {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail_listing(const std::string& folder, const std::error_code& error) {
  const bool loop = error == std::errc::too_many_symbolic_link_levels;
  const bool denied = error == std::errc::permission_denied;
  const bool missing = error == std::errc::no_such_file_or_directory;
  throw FileError({.id = loop      ? "paths"
                         : denied  ? "file.permission"
                         : missing ? "file.missing"
                                   : "file.io",
                   .file = folder,
                   .place = {},
                   .found = error.message(),
                   .expected = "a folder that can be listed",
                   .hint = {}});
}

template <class Visit>
void for_each_entry(const std::string& folder, Visit&& visit) {
  std::error_code error;
  fs::directory_iterator it(folder, error);
  if (error) fail_listing(folder, error);
  for (; it != fs::directory_iterator(); it.increment(error)) {
    if (error) fail_listing(folder, error);
    visit(*it);
  }
}

void collect_images(Dataset& dataset, const std::string& root, const std::string& relative,
                    int depth, std::vector<std::string>& found) {
  // Links to folders are not followed below the first level, so a loop of links ends.
  constexpr int max_depth = 16;
  for_each_entry(join(root, relative), [&](const fs::directory_entry& entry) {
    const std::string name = entry.path().filename().string();
    const std::string below = relative.empty() ? name : relative + "/" + name;
    std::error_code error;
    if (name.starts_with(".")) {
      dataset.add_note("file.hidden", "hidden files left out", below);
    } else if (entry.is_directory(error)) {
      if (entry.is_symlink(error) || depth >= max_depth)
        dataset.add_note("file.link", "links to folders, or folders too deep, left out", below);
      else
        collect_images(dataset, root, below, depth + 1, found);
    } else if (!has_image_extension(name)) {
      dataset.add_note("file.other", "files that are not images by their name left out", below);
    } else {
      found.push_back(below);
    }
  });
}

}  // namespace

std::string join(const std::string& folder, const std::string& name) {
  if (name.empty()) return folder;
  return (fs::path(folder) / name).string();
}

std::string base_name(const std::string& path) {
  fs::path p = fs::path(path).lexically_normal();
  if (!p.has_filename()) p = p.parent_path();
  if (p == "." || p == "..") {
    std::error_code error;
    p = fs::weakly_canonical(p, error);
  }
  return p.filename().string();
}

std::string parent_of(const std::string& path) {
  fs::path p = fs::path(path).lexically_normal();
  if (!p.has_filename()) p = p.parent_path();
  if (p == "." || p.filename() == "..") return (p / "..").string();
  return p.has_parent_path() ? p.parent_path().string() : ".";
}

std::string stem(const std::string& path) { return fs::path(path).stem().string(); }

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

bool is_folder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool is_file(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

std::vector<std::string> subfolders(const std::string& folder) {
  std::vector<std::string> names;
  for_each_entry(folder, [&](const fs::directory_entry& entry) {
    std::error_code error;
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(".") && entry.is_directory(error)) names.push_back(name);
  });
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> list_images(Dataset& dataset, const std::string& root,
                                     const std::string& relative) {
  std::vector<std::string> found;
  collect_images(dataset, root, relative, 0, found);
  std::sort(found.begin(), found.end());
  return found;
}

bool has_loose_images(const std::string& folder) {
  bool found = false;
  for_each_entry(folder, [&](const fs::directory_entry& entry) {
    const std::string name = entry.path().filename().string();
    std::error_code error;
    found = found ||
            (!name.starts_with(".") && has_image_extension(name) && !entry.is_directory(error));
  });
  return found;
}

bool has_image_extension(const std::string& name) {
  constexpr std::array<std::string_view, 11> known = {
      ".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm"};
  const std::string extension = to_lower_ascii(fs::path(name).extension().string());
  return std::find(known.begin(), known.end(), extension) != known.end();
}

int64_t intern(std::vector<std::string>& names, const std::string& name) {
  const auto it = std::find(names.begin(), names.end(), name);
  if (it != names.end()) return it - names.begin();
  names.push_back(name);
  return static_cast<int64_t>(names.size()) - 1;
}

void sort_classes(Dataset& dataset) {
  const auto& names = dataset.classes;
  const bool numbers = std::all_of(names.begin(), names.end(),
                                   [](const auto& n) { return parse_int(n).has_value(); });
  std::vector<size_t> order(names.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return numbers ? *parse_int(names[a]) < *parse_int(names[b]) : names[a] < names[b];
  });
  std::vector<int64_t> place(names.size());
  std::vector<std::string> sorted;
  for (size_t i = 0; i < order.size(); ++i) {
    place[order[i]] = static_cast<int64_t>(i);
    sorted.push_back(names[order[i]]);
  }
  dataset.classes = std::move(sorted);
  for (Sample& s : dataset.samples) s.label = place[static_cast<size_t>(s.label)];
}

void prune_classes(Dataset& dataset) {
  std::vector<bool> present(dataset.classes.size());
  for (const Sample& s : dataset.samples) present[static_cast<size_t>(s.label)] = true;
  std::vector<int64_t> place(dataset.classes.size());
  std::vector<std::string> kept;
  for (size_t c = 0; c < present.size(); ++c) {
    place[c] = static_cast<int64_t>(kept.size());
    if (present[c])
      kept.push_back(dataset.classes[c]);
    else
      dataset.add_note("class.empty", "classes without a usable sample left out",
                       dataset.classes[c]);
  }
  for (Sample& s : dataset.samples) s.label = place[static_cast<size_t>(s.label)];
  dataset.classes = std::move(kept);
}

}  // namespace cytograd::layout
