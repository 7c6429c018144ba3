#include "cli/notes.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cytograd/io/text.h"

namespace cytograd::cli {

std::string notes_text(const std::vector<Note>& notes, size_t examples) {
  std::string text = notes.empty() ? "" : "\nnotes\n";
  for (const Note& note : notes) {
    const size_t all = note.examples.size(), shown = examples ? std::min(examples, all) : all;
    text += "  " + note.text + " (" + std::to_string(note.count) + ") [" + note.id + "]";
    for (size_t i = 0; i < shown; ++i) text += (i ? ", " : ": ") + escape_control(note.examples[i]);
    text += shown < all ? ", ...\n" : "\n";
  }
  return text;
}

nlohmann::ordered_json notes_json(const std::vector<Note>& notes) {
  auto json = nlohmann::ordered_json::array();
  for (const Note& note : notes) {
    auto examples = nlohmann::ordered_json::array();
    for (const std::string& e : note.examples) examples.push_back(escape_control(e));
    json.push_back({{"id", note.id},
                    {"text", escape_control(note.text)},
                    {"count", note.count},
                    {"examples", examples}});
  }
  return json;
}

}  // namespace cytograd::cli
