#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/console.h"
#include "cytograd/core/device.h"
#include "cytograd/core/error.h"
#include "cytograd/io/text.h"

/// @file
/// What every command shares. A command is one file:
///
///     struct Options : CommonOptions { std::vector<std::string> paths; };
///     void run(Options& options) { ... console().out(...); }
///     void add_data_command(CommandLine app) {
///       auto options = std::make_shared<Options>();
///       CommandLine command = add_command(app, "data", "Say what is in a data set",
///                                         "cyto data photos/       classes, sizes, faults\n");
///       command.add_option("path", options->paths, "Data set folders").required();
///       add_common_options(command, *options, with_output | with_force);
///       run_command(command, options, run);
///     }
///     const Command registered{40, add_data_command};
///
/// It returns when done and throws an `Error` otherwise; main prints it and chooses the exit code.

namespace cytograd::cli {

/// Options whose name means the same in every command.
struct CommonOptions {
  std::string output, config;
  bool dry_run = false, force = false, quiet = false, json = false;
  bool no_color = false, no_progress = false;
  int verbose = 0;
  uint64_t seed = 0;
  std::string device = "cpu", kernels = "own";
  int threads = 0;  ///< 0: as many as this process may use
};

/// Which of the optional ones a command takes. -q -v --json --threads --no-color --no-progress are
/// always there.
enum CommonSet : unsigned {
  with_nothing = 0,
  with_output = 1,
  with_config = 2,
  with_dry_run = 4,
  with_force = 8,
  with_seed = 16,
  with_device = 32,
};

/// Adds a command. @param examples lines `cyto NAME ...   what it does`; the help begins with them
CommandLine add_command(CommandLine app, const std::string& name, const std::string& description,
                        const std::string& examples);
/// @param set sum of `CommonSet`
void add_common_options(CommandLine command, CommonOptions& options, unsigned set);

/// Sets up console and threads from the common options. @throws ConfigError
void apply_common_options(const std::string& command, const CommonOptions& options);
/// The device that --device names; `auto` tells which it took.
/// @throws DeviceError gpu.none if this build or machine has no such device, ValueError for others
Device device_of(const CommonOptions& options);

/// The name of a command below the program: "train", "weights inspect".
std::string full_name(CommandLine command);

/// Makes `command` call `run(*options)`; its messages begin with its full name.
template <class Options, class Run>
void run_command(CommandLine command, std::shared_ptr<Options> options, Run run) {
  command.callback([name = full_name(command), options, run] {
    apply_common_options(name, *options);
    run(*options);
  });
}

/// Registers a command with the program; `order` is its place in the help.
struct Command {
  Command(int order, void (*add)(CommandLine));
};

/// A path as a word of a shell command.
std::string shell_word(const std::string& path);
/// "1 fault", "3 faults".
std::string count_text(int64_t n, const std::string& thing);
/// @throws FileError file.exists if there is such a file and `force` is not set
void require_new_file(const std::string& path, bool force);
/// Ends a command: what was written and what to do next, to standard error.
void say_next(const std::vector<std::string>& written, const std::string& next);

/// A duration for people: "45 s", "3 min 20 s", "2 h 05 min".
std::string human_time(double seconds);
/// "11.2 MiB".
std::string human_bytes(double bytes);

}  // namespace cytograd::cli
