#include <algorithm>

#include "cli/common.h"
#include "cli/program.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/parallel.h"
#include "cytograd/io/text.h"
#include "cytograd/train/environment.h"

namespace cytograd::cli {

std::string help_of(CommandLine command) {
  const CommandLine parent = command.parent();
  if (!parent) return command.help();
  return command.help(parent.parent() ? "cyto " + full_name(parent) : "cyto");
}

std::string short_help(CommandLine app) {
  std::string out =
      "cyto: deep learning for single-cell hematology\n\n"
      "  cyto train --data photos/ --model resnet18 --output runs/first\n"
      "  cyto eval --run runs/first\n"
      "  cyto predict --run runs/first cell.png\n\n"
      "Commands:\n";
  for (const CommandLine& command : app.subcommands()) {
    std::string name = command.name();
    name.resize(std::max<size_t>(name.size() + 1, 10), ' ');
    out += "  " + name + command.description() + "\n";
  }
  return out + "\n`cyto help COMMAND` says more; every command begins its help with examples.\n";
}

namespace {

// What a build with a device sees; nothing for others.
std::string cuda_devices() {
  if (!cuda_built()) return "";
  std::string out;
  for (int i = 0; i < cuda_device_count(); ++i) out += ", " + describe(Device::cuda(i));
  return out.empty() ? "; no cuda: " + cuda_absence() : out;
}

}  // namespace

std::string version_text() {
  const BuildInfo build = build_info();
  return "cyto " + build.version + "\nbuild: " + build.compiler + ", " + build.type +
         "\ndevices: cpu (" + cpu_name() + ", " + std::to_string(num_threads()) + " threads)" +
         cuda_devices() + "\n";
}

std::string unknown_word_message(CommandLine app, CommandLine command, const std::string& word) {
  if (!word.empty() && word[0] == '-') {
    const std::string bare = word.substr(0, word.find('='));
    const std::string near = nearest_name(bare, (command ? command : app).option_names());
    return "unknown option " + bare + (near.empty() ? "" : "; did you mean " + near + "?");
  }
  if (command) return "unexpected argument \"" + word + "\"";
  std::vector<std::string> names;
  for (const CommandLine& c : app.subcommands()) names.push_back(c.name());
  const std::string near = nearest_name(word, names);
  const std::string help = app.parent() ? "cyto help " + full_name(app) : "cyto help";
  return "unknown command \"" + word + "\"" +
         (near.empty() ? "; `" + help + "` lists them" : "; did you mean " + near + "?");
}

}  // namespace cytograd::cli
