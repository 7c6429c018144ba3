#pragma once

#include <string>
#include <vector>

/// @file
/// What a run ran on.

namespace cytograd {

struct BuildInfo {
  std::string version;   ///< "0.1.0"
  std::string compiler;  ///< "gcc 12.2.0"
  std::string type;      ///< "release" or "debug", with the sanitizers
  bool cuda = false;
};

BuildInfo build_info();
/// Model name of the processor, "unknown processor" if the system does not say.
std::string cpu_name();
/// Bytes of memory that are free for use now; 0 if unknown.
double available_memory();
/// Bytes free for this user in the file system that holds `path` (or would); 0 if unknown.
double free_disk(const std::string& path);

/// environment.json: version, build, processor, threads, host system, start time, seed and the
/// hashes of the inputs. @param input_hashes pairs of name and hash
std::string environment_json(uint64_t seed, const std::string& device,
                             const std::vector<std::pair<std::string, std::string>>& input_hashes);

/// Time of day in UTC as 2026-01-31T12:00:00Z.
std::string utc_time();

}  // namespace cytograd
