#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cytograd/data/dataset.h"

/// @file
/// What a data set says about itself, as commands print it.

namespace cytograd::cli {

/// A heading and one line per note, control characters escaped; nothing where there are no notes.
/// @param examples how many of each are named; 0: all
std::string notes_text(const std::vector<Note>& notes, size_t examples = 0);

/// An array of {id, text, count, examples}.
nlohmann::ordered_json notes_json(const std::vector<Note>& notes);

}  // namespace cytograd::cli
