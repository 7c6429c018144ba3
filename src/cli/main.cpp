#include <algorithm>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "cli/common.h"
#include "cli/program.h"
#include "cytograd/io/text.h"
#include "cytograd/train/stop.h"

using namespace cytograd;
using namespace cytograd::cli;

namespace {

struct Arguments {
  std::vector<std::string> words;
  std::string command;  // "" if none
  bool json = false;
};

Arguments read_arguments(int argc, char** argv) {
  Arguments out;
  for (int i = 1; i < argc; ++i) out.words.emplace_back(argv[i]);
  if (!out.words.empty() && (out.words[0].empty() || out.words[0][0] != '-'))
    out.command = out.words[0];
  for (const std::string& word : out.words) {
    if (word == "--") break;
    if (word == "--json") out.json = true;
  }
  return out;
}

int report(const Arguments& arguments, const Fault& fault, const std::string& message,
           ExitCode code) {
  const int exit_code = static_cast<int>(code);
  if (arguments.json) {
    const auto text = [](const std::string& s) { return escape_control(s); };
    const nlohmann::ordered_json error = {{"id", text(fault.id)},
                                          {"file", text(fault.file)},
                                          {"place", text(fault.place)},
                                          {"found", text(fault.found)},
                                          {"expected", text(fault.expected)},
                                          {"hint", text(fault.hint)},
                                          {"exit_code", exit_code}};
    try {
      console().out(nlohmann::ordered_json{{"error", error}}.dump() + "\n");
      return exit_code;
    } catch (const Error&) {
      // Nobody can read standard output; standard error may still be open.
    }
  }
  console().error(message);
  return exit_code;
}

int report_bug(const Arguments& arguments, const std::string& what) {
  std::string line = "cyto";
  for (const std::string& word : arguments.words) line += " " + word;
  std::string build = version_text();
  for (char& c : build)
    if (c == '\n') c = ' ';
  const std::string message =
      what + "; this is a bug in cytograd: " + std::string(trim(build)) + "; command: " + line;
  return report(arguments, Fault{"bug", "", "", message, "", ""}, message, ExitCode::bug);
}

// CLI11 puts the option first ("--epochs: 1 required"); its lines never end in a full stop.
int report_usage(const Arguments& arguments, std::string message) {
  while (!message.empty() && (message.back() == '\n' || message.back() == '.')) message.pop_back();
  Fault fault{"cli", "", "", message, "", ""};
  return report(arguments, fault, fault.message(), ExitCode::usage);
}

int report_no_memory(const Arguments& arguments, const std::string& found) {
  const Fault fault{"mem.full", "", "",
                    found,      "", "use a smaller --batch or --image-size, or fewer --threads"};
  return report(arguments, fault, fault.message(), ExitCode::resource);
}

CommandLine find_command(CommandLine app, const std::string& name) {
  for (const CommandLine& command : app.subcommands())
    if (command.name() == name) return command;
  return {};
}

int show_help(CommandLine app, const Arguments& arguments) {
  // `cyto help [command [subcommand]]`
  CommandLine command = app;
  for (size_t i = 1; i < arguments.words.size(); ++i) {
    const CommandLine below = find_command(command, arguments.words[i]);
    if (!below)
      return report_usage(arguments, unknown_word_message(command, {}, arguments.words[i]));
    command = below;
  }
  console().out(help_of(command));
  return 0;
}

// The subcommand of a command that has some. None, with `message` set, if none is given.
CommandLine find_part(CommandLine command, const Arguments& arguments, std::string& message) {
  const std::vector<CommandLine> parts = command.subcommands();
  if (parts.empty()) return command;
  const std::string word = arguments.words.size() > 1 ? arguments.words[1] : "";
  if (word == "-h" || word == "--help") return command;
  if (!word.empty() && word[0] != '-') {
    const CommandLine part = find_command(command, word);
    if (!part) message = unknown_word_message(command, {}, word);
    return part;
  }
  for (const CommandLine& part : parts) message += (message.empty() ? "" : ", ") + part.name();
  message = "expected one of " + message + (word.empty() ? "" : ", got " + word);
  return {};
}

int run(Program& program, Arguments& arguments) {
  const CommandLine app = program.line();
  if (arguments.words.empty()) {
    console().out(short_help(app));
    return 0;
  }
  if (arguments.command == "help") return show_help(app, arguments);
  CommandLine command = find_command(app, arguments.command);
  if (!arguments.command.empty() && !command) {
    const std::string word = arguments.command;
    arguments.command.clear();
    return report_usage(arguments, unknown_word_message(app, {}, word));
  }
  console().set_command(arguments.command);
  if (command) {
    std::string message;
    command = find_part(command, arguments, message);
    if (!command) return report_usage(arguments, message);
    console().set_command(full_name(command));
  }
  const ParseResult result = program.parse(arguments.words);
  switch (result.end) {
    case ParseEnd::done:
      if (!command) return report_usage(arguments, "no command given; `cyto help` lists them");
      break;
    case ParseEnd::help:
      console().out(help_of(command ? command : app));
      break;
    case ParseEnd::version:
      console().out(version_text());
      break;
    case ParseEnd::unknown_word:
      for (CommandLine level = command ? command : app; level; level = level.parent())
        if (const auto words = level.remaining(); !words.empty())
          return report_usage(arguments, unknown_word_message(app, command, words[0]));
      return report_usage(arguments, result.message);
    case ParseEnd::wrong:
      return report_usage(arguments, result.message);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  // A closed pipe and a file size limit are errors of the write, not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  Arguments arguments = read_arguments(argc, argv);
  try {
    Program program;
    auto& commands = registered_commands();
    std::stable_sort(commands.begin(), commands.end(),
                     [](const auto& a, const auto& b) { return a.order < b.order; });
    for (const RegisteredCommand& c : commands) c.add(program.line());
    const int code = run(program, arguments);
    console().finish();
    return code;
  } catch (const InternalError& e) {
    return report_bug(arguments, e.what());
  } catch (const StopRequested& e) {
    console().note(e.what());
    return e.exit_code;
  } catch (const Error& e) {
    return report(arguments, e.fault(), e.what(), e.exit_code());
  } catch (const std::bad_alloc&) {
    return report_no_memory(
        arguments, refused_bytes() == 0
                       ? "out of memory"
                       : "out of memory: asked for " + std::to_string(refused_bytes()) + " bytes");
  } catch (const std::filesystem::filesystem_error& e) {
    const Fault fault{"file.io", e.path1().string(), "", e.code().message(), "", ""};
    return report(arguments, fault, fault.message(), ExitCode::file);
  } catch (const std::system_error& e) {
    // A thread without memory for its stack, or too many of them.
    if (e.code() == std::errc::resource_unavailable_try_again)
      return report_no_memory(arguments, "cannot start a thread: " + e.code().message());
    return report_bug(arguments, e.what());
  } catch (const std::exception& e) {
    return report_bug(arguments, e.what());
  }
}
