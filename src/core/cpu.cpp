#include "cytograd/core/cpu.h"

#include <atomic>
#include <cstdlib>

#include "core/isa.h"
#include "cytograd/core/error.h"

namespace cytograd {
namespace {

constexpr const char* names[isa_count] = {"portable", "avx2", "avx512"};

bool supported(Isa isa) {
  if (isa == Isa::portable) return true;
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == Isa::avx2) return avx2;
  return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

Isa parse(const std::string& name, const char* source) {
  for (int i = 0; i < isa_count; ++i) {
    if (name != names[i]) continue;
    check<ConfigError>(supported(static_cast<Isa>(i)), source, "this processor has no ", name);
    return static_cast<Isa>(i);
  }
  throw ConfigError(std::string(source) + ": expected portable, avx2 or avx512, got \"" +
                    escape_control(name) + "\"");
}

Isa initial() {
  if (const char* text = std::getenv("CYTO_ISA")) return parse(text, "CYTO_ISA");
  Isa best = Isa::portable;
  for (int i = 0; i < isa_count; ++i)
    if (supported(static_cast<Isa>(i))) best = static_cast<Isa>(i);
  return best;
}

std::atomic<Isa>& chosen() {
  static std::atomic<Isa> isa = initial();
  return isa;
}

}  // namespace

Isa current_isa() { return chosen().load(std::memory_order_relaxed); }

const char* isa_name() { return names[static_cast<int>(current_isa())]; }

std::vector<std::string> available_isas() {
  std::vector<std::string> found;
  for (int i = 0; i < isa_count; ++i)
    if (supported(static_cast<Isa>(i))) found.emplace_back(names[i]);
  return found;
}

void set_isa(const std::string& name) { chosen().store(parse(name, "set_isa")); }

}  // namespace cytograd
