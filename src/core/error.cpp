#include "cytograd/core/error.h"

#include <cstdint>

namespace cytograd {
namespace {

// Length of the valid UTF-8 sequence at s[i], or 0.
size_t utf8_length(const std::string& s, size_t i) {
  const auto byte = [&](size_t k) { return k < s.size() ? static_cast<unsigned char>(s[k]) : 0u; };
  const unsigned lead = byte(i);
  const size_t n = lead < 0x80                   ? 1
                   : lead >= 0xC2 && lead < 0xE0 ? 2
                   : (lead & 0xF0) == 0xE0       ? 3
                   : lead >= 0xF0 && lead < 0xF5 ? 4
                                                 : 0;
  for (size_t k = 1; k < n; ++k)
    if ((byte(i + k) & 0xC0) != 0x80) return 0;
  if (n == 3 && ((lead == 0xE0 && byte(i + 1) < 0xA0) || (lead == 0xED && byte(i + 1) >= 0xA0)))
    return 0;
  if (n == 4 && ((lead == 0xF0 && byte(i + 1) < 0x90) || (lead == 0xF4 && byte(i + 1) >= 0x90)))
    return 0;
  return n;
}

}  // namespace

std::string escape_control(const std::string& text) {
  static const char* hex = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const size_t n = utf8_length(text, i);
    const bool c1_control = n == 2 && c == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (n == 0 || c < 0x20 || c == 0x7F || c1_control) {
      for (size_t k = 0; k < (c1_control ? 2u : 1u); ++k) {
        const auto b = static_cast<unsigned char>(text[i + k]);
        out += {'\\', 'x', hex[b >> 4], hex[b & 15]};
      }
      i += c1_control ? 2 : 1;
    } else {
      out.append(text, i, n);
      i += n;
    }
  }
  return out;
}

std::string Fault::message() const {
  std::string out;
  const auto add = [&](const std::string& part, const char* separator, const char* prefix = "") {
    if (part.empty()) return;
    if (!out.empty()) out += separator;
    out += prefix + escape_control(part);
  };
  add(file, "");
  add(place, ": ");
  add(found, ": ");
  add(expected, "; ", "expected ");
  add(hint, "; ");
  if (!id.empty()) out += " [" + id + "]";
  return out;
}

Fault Error::fault() const {
  Fault out = fault_;
  if (out.message().empty()) out.found = what();
  return out;
}

}  // namespace cytograd
