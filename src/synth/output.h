#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cytograd/io/image.h"

namespace cytograd::synth {

/// Makes sure that nothing of value is overwritten: `folder` must be absent or empty, or `force`
/// must be on and `folder` hold `marker`, which an earlier run of ours wrote last. The marker is
/// then removed: until the new one is complete the folder counts as unfinished.
/// @throws FileError
void claim_folder(const std::filesystem::path& folder, const std::string& marker, bool force);
/// Removes the files PREFIX_<digits>.png, .jpg, .xml directly in `folder`; a missing folder is
/// fine.
void remove_numbered(const std::filesystem::path& folder, const std::string& prefix);
/// @throws FileError if so many bytes do not fit on the disk of `folder`
void require_space(const std::filesystem::path& folder, double bytes);
/// PREFIX_00042.EXTENSION
std::string numbered(const std::string& prefix, int64_t number, const std::string& extension);
/// By `format` png or jpg, atomically. @throws FileError
void write_image(const std::filesystem::path& path, const Image& image, const std::string& format);

}  // namespace cytograd::synth
