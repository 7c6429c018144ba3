#include "cytograd/train/environment.h"

#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/sanitizers.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/io/text.h"

namespace cytograd {
namespace {

// The value of the first line `name<spaces>: value` of a file under /proc; "" if there is none.
std::string proc_value(const char* path, std::string_view name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    if (colon != std::string::npos && trim(std::string_view(line).substr(0, colon)) == name)
      return std::string(trim(std::string_view(line).substr(colon + 1)));
  }
  return "";
}

std::string host_system() {
  utsname name{};
  if (uname(&name) != 0) return "";
  return std::string(name.sysname) + " " + name.release + " " + name.machine;
}

}  // namespace

BuildInfo build_info() {
  BuildInfo out;
  out.version = CYTOGRAD_VERSION;
#if defined(__clang__)
  out.compiler = "clang " __clang_version__;
#else
  out.compiler = "gcc " __VERSION__;
#endif
  out.compiler = std::string(trim(out.compiler));
#ifdef NDEBUG
  out.type = "release";
#else
  out.type = "debug";
#endif
#ifdef CYTOGRAD_ASAN
  out.type += ", address sanitizer";
#endif
  out.cuda = cuda_built();
  return out;
}

std::string cpu_name() {
  std::string name = proc_value("/proc/cpuinfo", "model name");
  return name.empty() ? "unknown processor" : name;
}

double available_memory() {
  const std::string text = proc_value("/proc/meminfo", "MemAvailable");
  const auto kib = parse_double(std::string_view(text).substr(0, text.find(' ')));
  return kib ? *kib * 1024.0 : 0.0;
}

double free_disk(const std::string& path) {
  std::error_code error;
  std::filesystem::path folder = std::filesystem::absolute(path, error);
  while (!folder.empty() && folder != folder.parent_path() &&
         !std::filesystem::exists(folder, error))
    folder = folder.parent_path();
  struct statvfs info {};
  if (statvfs(folder.c_str(), &info) != 0) return 0.0;
  return static_cast<double>(info.f_bavail) * static_cast<double>(info.f_frsize);
}

std::string utc_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  if (!gmtime_r(&now, &parts)) return "";
  char text[64];
  const size_t n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return std::string(text, n);
}

std::string environment_json(uint64_t seed, const std::string& device,
                             const std::vector<std::pair<std::string, std::string>>& input_hashes) {
  const BuildInfo build = build_info();
  nlohmann::ordered_json out = {{"version", build.version}, {"compiler", build.compiler},
                                {"build", build.type},      {"cuda", build.cuda},
                                {"cpu", cpu_name()},        {"threads", num_threads()},
                                {"device", device},         {"system", host_system()},
                                {"started", utc_time()},    {"seed", seed}};
  nlohmann::ordered_json hashes = nlohmann::ordered_json::object();
  for (const auto& [name, hash] : input_hashes) hashes[escape_control(name)] = hash;
  out["inputs"] = hashes;
  return out.dump(2) + "\n";
}

}  // namespace cytograd
