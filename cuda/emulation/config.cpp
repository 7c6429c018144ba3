#include "cuda/emulation/config.h"

#include <cstdlib>

namespace cytograd::simt {
namespace {

double number(const char* name, const char* text, double low, double high) {
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  check<ValueError>(end != text && *end == '\0' && value >= low && value <= high, name,
                    "expected a number from ", low, " to ", high, ", got ", text);
  return value;
}

Order order_named(const std::string& text) {
  if (text == "ascending") return Order::ascending;
  if (text == "descending") return Order::descending;
  check<ValueError>(text == "random", "CYTO_EMULATION",
                    "expected ascending, descending or random, got ", text);
  return Order::random;
}

const char* name_of(Order order) {
  switch (order) {
    case Order::ascending:
      return "ascending";
    case Order::descending:
      return "descending";
    case Order::random:
      return "random";
  }
  return "unknown";
}

Config from_environment() {
  Config c;
  if (const char* text = std::getenv("CYTO_EMULATION")) c.order = order_named(text);
  if (const char* text = std::getenv("CYTO_EMULATION_SEED"))
    c.seed = static_cast<uint64_t>(number("CYTO_EMULATION_SEED", text, 0, 9e15));
  if (const char* text = std::getenv("CYTO_EMULATION_RESIDENT"))
    c.resident = static_cast<int>(number("CYTO_EMULATION_RESIDENT", text, 1, 1024));
  if (const char* text = std::getenv("CYTO_EMULATION_RACE"))
    c.race = number("CYTO_EMULATION_RACE", text, 0, 1) != 0;
  if (const char* text = std::getenv("CYTO_EMULATION_PREEMPT"))
    c.preempt = number("CYTO_EMULATION_PREEMPT", text, 0, 1);
  return c;
}

}  // namespace

Config& config() {
  static Config instance = from_environment();
  return instance;
}

std::string config_text() {
  const Config& c = config();
  std::string text = std::string("CYTO_EMULATION=") + name_of(c.order) +
                     " CYTO_EMULATION_SEED=" + std::to_string(c.seed);
  if (c.resident > 1) text += " CYTO_EMULATION_RESIDENT=" + std::to_string(c.resident);
  if (c.race) text += " CYTO_EMULATION_RACE=1";
  if (c.preempt > 0) text += " CYTO_EMULATION_PREEMPT=" + std::to_string(c.preempt);
  return text;
}

Stats& stats() {
  static thread_local Stats instance;
  return instance;
}

}  // namespace cytograd::simt
