#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "cytograd/core/error.h"

namespace cytograd {

/// Deepest nesting of JSON that is read.
inline constexpr int max_json_depth = 64;

/// Parses JSON as hostile input: at most `max_json_depth` deep, valid UTF-8, no duplicate keys, no
/// comments. @param base the id, file and hint of the fault to throw. @throws DataError whose place
/// is the byte, after `base.place`
nlohmann::json parse_json(std::string_view text, const Fault& base);

/// Reads and parses a file of at most 1 GiB. @throws FileError, DataError
nlohmann::json read_json(const std::string& path, const std::string& id);

}  // namespace cytograd
