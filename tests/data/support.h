#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "cytograd/data/dataset.h"
#include "cytograd/io/file.h"
#include "cytograd/io/image.h"
#include "support/data.h"
#include "support/temp_folder.h"

namespace cytograd {

/// Writes an image of one colour below the folder.
inline std::string put_image(const TempFolder& folder, const std::string& name, int value = 0,
                             int64_t height = 8, int64_t width = 8) {
  const std::string path = folder / name;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  Image image(height, width, 3, static_cast<uint8_t>(value));
  image.pixels[0] = static_cast<uint8_t>(value / 256);
  // Without the sync of write_png, which hundreds of files would wait for.
  std::ofstream(path, std::ios::binary) << encode_png(image);
  return path;
}

inline void put_text(const TempFolder& folder, const std::string& name, const std::string& text) {
  const std::string path = folder / name;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  write_file_atomically(path, text);
}

inline int64_t count_class(const Dataset& d, const std::string& name) {
  int64_t n = 0;
  for (const Sample& s : d.samples) n += d.classes[static_cast<size_t>(s.label)] == name;
  return n;
}

inline int64_t note_count(const std::vector<Note>& notes, const std::string& id) {
  int64_t n = 0;
  for (const Note& note : notes)
    if (note.id == id) n += note.count;
  return n;
}

inline bool has_fault(const std::vector<Fault>& faults, const std::string& id) {
  for (const Fault& f : faults)
    if (f.id == id) return true;
  return false;
}

}  // namespace cytograd
