#include "cli/common.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "cli/program.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/parallel.h"

namespace cytograd::cli {

std::vector<RegisteredCommand>& registered_commands() {
  static std::vector<RegisteredCommand> commands;
  return commands;
}

Command::Command(int order, void (*add)(CommandLine)) {
  registered_commands().push_back({order, add});
}

CommandLine add_command(CommandLine app, const std::string& name, const std::string& description,
                        const std::string& examples) {
  return app.add_subcommand(name, description, examples);
}

std::string full_name(CommandLine command) {
  const CommandLine parent = command.parent();
  const std::string above = parent && parent.parent() ? full_name(parent) + " " : "";
  return above + command.name();
}

void add_common_options(CommandLine command, CommonOptions& o, unsigned set) {
  const char* group = "Common options";
  if (set & with_output)
    command.add_option("-o,--output", o.output, "Where to write")
        .envname("CYTO_OUTPUT")
        .group(group);
  if (set & with_config)
    command.add_option("-c,--config", o.config, "Read settings from this TOML file")
        .envname("CYTO_CONFIG")
        .group(group);
  if (set & with_dry_run)
    command.add_flag("-n,--dry-run", o.dry_run, "Say what would happen and stop").group(group);
  if (set & with_force)
    command.add_flag("-f,--force", o.force, "Replace existing results").group(group);
  if (set & with_seed)
    command.add_option("--seed", o.seed, "Number that fixes every random choice")
        .envname("CYTO_SEED")
        .show_default()
        .group(group);
  if (set & with_device)
    command
        .add_option("--device", o.device,
                    cuda_built() ? "cpu, cuda, cuda:1 or auto" : "cpu or auto")
        .envname("CYTO_DEVICE")
        .show_default()
        .group(group);
  if ((set & with_device) && cuda_built())
    command
        .add_option("--kernels", o.kernels,
                    "Of products and convolutions on the device: own, or vendor (cuBLAS, cuDNN)")
        .envname("CYTO_KERNELS")
        .one_of({"own", "vendor"})
        .show_default()
        .group(group);
  command.add_option("--threads", o.threads, "Threads; results do not depend on it")
      .envname("CYTO_THREADS")
      .range(1, 4096)
      .group(group);
  command.add_flag("-q,--quiet", o.quiet, "Only warnings and errors").group(group);
  command.add_flag("-v,--verbose", o.verbose, "Say more").group(group);
  command.add_flag("--json", o.json, "Results and errors as JSON on standard output").group(group);
  command.add_flag("--no-color", o.no_color, "Plain text").group(group);
  command.add_flag("--no-progress", o.no_progress, "No progress bar").group(group);
}

void apply_common_options(const std::string& command, const CommonOptions& options) {
  console().configure(command, options);
  int threads = options.threads;
  if (const char* text = std::getenv("OMP_NUM_THREADS"); text && *text) {
    const auto value = parse_int(trim(text));
    if (value && *value < 1)
      throw ConfigError("OMP_NUM_THREADS: expected a number of at least 1, got " +
                        std::string(text));
    if (threads == 0 && value) threads = static_cast<int>(std::min<int64_t>(*value, 4096));
  }
  if (threads > 0) set_num_threads(threads);
  (void)choose_device(options.device);
}

Device device_of(const CommonOptions& options) {
  const Device device = choose_device(options.device);
  if (options.device == "auto")
    console().note("--device auto: " + describe(device) +
                   (cuda_built() && !cuda_available() ? ": " + cuda_absence() : ""));
  choose_kernels(device, options.kernels);
  return device;
}

std::string shell_word(const std::string& path) {
  if (!path.empty() && path.find_first_not_of(
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+") ==
                           std::string::npos)
    return path;
  std::string quoted = "'";
  for (const char c : path) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string count_text(int64_t n, const std::string& thing) {
  return std::to_string(n) + " " + thing + (n == 1 ? "" : "s");
}

void require_new_file(const std::string& path, bool force) {
  std::error_code error;
  if (force || !std::filesystem::exists(path, error)) return;
  throw FileError({.id = "file.exists",
                   .file = path,
                   .place = "",
                   .found = "the file exists",
                   .expected = "a new name",
                   .hint = "pass --force to replace it"});
}

void say_next(const std::vector<std::string>& written, const std::string& next) {
  for (const std::string& path : written) console().note("wrote " + path);
  if (!next.empty()) console().note("next: " + next);
}

std::string human_time(double seconds) {
  const auto s = static_cast<int64_t>(std::llround(std::max(0.0, seconds)));
  const auto two = [](int64_t v) { return (v < 10 ? "0" : "") + std::to_string(v); };
  if (s < 10) return format_fixed(seconds, 1) + " s";
  if (s < 60) return std::to_string(s) + " s";
  if (s < 3600) return std::to_string(s / 60) + " min " + two(s % 60) + " s";
  return std::to_string(s / 3600) + " h " + two(s / 60 % 60) + " min";
}

std::string human_bytes(double bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  while (bytes >= 1024 && unit < 4) {
    bytes /= 1024;
    ++unit;
  }
  return format_fixed(bytes, unit == 0 ? 0 : 1) + " " + units[unit];
}

}  // namespace cytograd::cli
