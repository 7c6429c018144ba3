

#include "cli/common.h"
#include "cli/program.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/parallel.h"
#include "cytograd/io/text.h"
#include "cytograd/train/environment.h"

namespace cytograd::cli {

HelpFormatter::HelpFormatter() { column_width(34); }

std::string HelpFormatter::make_help(const CLI::App* app, std::string name,
                                     CLI::AppFormatMode mode) const {
  if (mode == CLI::AppFormatMode::Sub) return make_expanded(app);
  std::string out;
  if (!app->get_footer().empty()) {
    out += "Examples:\n";
    const std::string examples = app->get_footer();
    std::string_view rest = examples;
    while (!rest.empty()) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      out += "  " + std::string(rest.substr(0, end)) + "\n";
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    out += "\n";
  }
  out += make_description(app) + make_usage(app, name);
  out += make_positionals(app) + make_groups(app, mode);
  out += make_subcommands(app, mode);
  return out;
}

std::string help_of(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  if (!parent) return command.help();
  return command.help(parent->get_parent() ? "cyto " + full_name(*parent) : "cyto");
}

std::string short_help(const CLI::App& app) {
  std::string out =
      "cyto: deep learning for single-cell hematology\n\n"
      "  cyto train --data photos/ --model resnet18 --output runs/first\n"
      "  cyto eval --run runs/first\n"
      "  cyto predict --run runs/first cell.png\n\n"
      "Commands:\n";
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    std::string name = command->get_name();
    name.resize(std::max<size_t>(name.size() + 1, 10), ' ');
    out += "  " + name + command->get_description() + "\n";
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

std::string unknown_word_message(const CLI::App& app, const CLI::App* command,
                                 const std::string& word) {
  std::vector<std::string> names;
  if (!word.empty() && word[0] == '-') {
    const std::string bare = word.substr(0, word.find('='));
    for (const CLI::Option* option : (command ? *command : app).get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    const std::string near = nearest_name(bare, names);
    return "unknown option " + bare + (near.empty() ? "" : "; did you mean " + near + "?");
  }
  if (command) return "unexpected argument \"" + word + "\"";
  for (const CLI::App* c : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(c->get_name());
  const std::string near = nearest_name(word, names);
  const std::string help = app.get_parent() ? "cyto help " + full_name(app) : "cyto help";
  return "unknown command \"" + word + "\"" +
         (near.empty() ? "; `" + help + "` lists them" : "; did you mean " + near + "?");
}

}  // namespace cytograd::cli
