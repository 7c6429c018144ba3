#include "io/json.h"

#include <set>
#include <vector>

#include "cytograd/io/file.h"
#include "cytograd/io/text.h"

namespace cytograd {
namespace {

using nlohmann::json;

// Watches the parser: depth, and the keys of each object that is open.
class Guard {
 public:
  explicit Guard(const Fault& base) : base_(base) {}

  bool operator()(int depth, json::parse_event_t event, json& value) {
    if (depth >= max_json_depth &&
        (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start))
      fail("JSON nested deeper than " + std::to_string(max_json_depth));
    if (event == json::parse_event_t::object_start) keys_.emplace_back();
    if (event == json::parse_event_t::object_end) keys_.pop_back();
    if (event == json::parse_event_t::key) {
      auto key = value.get<std::string>();
      if (!keys_.back().insert(key).second)
        fail("key \"" + key.substr(0, 200) + "\" appears twice");
    }
    return true;
  }

  [[noreturn]] void fail(const std::string& found) const {
    Fault fault = base_;
    fault.found = found;
    throw DataError(fault);
  }

 private:
  const Fault& base_;
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

json parse_json(std::string_view text, const Fault& base) {
  Guard guard(base);
  try {
    return json::parse(text.begin(), text.end(), std::ref(guard));
  } catch (const json::parse_error& e) {
    Fault fault = base;
    fault.place += (fault.place.empty() ? "byte " : ", byte ") + std::to_string(e.byte);
    // The library prefixes its message with a tag and the position.
    const std::string what = e.what();
    const size_t start = what.find("] ");
    fault.found = "not valid JSON: " + (start == std::string::npos ? what : what.substr(start + 2));
    throw DataError(fault);
  } catch (const json::exception& e) {
    guard.fail(std::string("not valid JSON: ") + e.what());
  }
}

std::string json_text(const std::string& text) { return json(escape_control(text)).dump(); }

json read_json(const std::string& path, const std::string& id) {
  return parse_json(read_file(path, max_text_bytes), {id, path, "", "", "", ""});
}

}  // namespace cytograd
