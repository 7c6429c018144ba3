#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

/// @file
/// Handles to the parser of the command line (CLI11), whose long headers only command_line.cpp
/// includes. The program owns what they point at; they are passed by value.

namespace cytograd::cli {

/// An option, flag or positional argument of a command. Everything that changes it returns it.
class Option {
 public:
  explicit Option(CLI::Option& option) : option_(&option) {}

  /// The command fails without it.
  Option required();
  /// Refuses whole numbers outside [least, most]; `int` and `int64_t` mean the same.
  Option range(int64_t least, int64_t most);
  Option range(int least, int most) { return range(int64_t{least}, int64_t{most}); }
  /// Refuses numbers outside [least, most].
  Option range(double least, double most);
  /// Refuses numbers that are not above 0.
  Option positive();
  /// Refuses numbers below 0.
  Option non_negative();
  /// Refuses all but these words.
  Option one_of(const std::vector<std::string>& words);

  /// The help tells the value that the variable has now.
  Option show_default();
  /// The help tells this as the default.
  Option default_text(const std::string& text);
  /// Heading in the help.
  Option group(const std::string& name);
  /// What stands for the value in the help: "PATH".
  Option type_name(const std::string& name);
  /// Another text of the help.
  Option description(const std::string& text);
  /// Environment variable that is read where the option is not given.
  Option envname(const std::string& name);

  /// One word is several values, separated by this.
  Option delimiter(char separator);
  /// How many values there are.
  Option expected(int least, int most);
  /// A list without it takes one value each time that it is named.
  Option allow_extra_args(bool allow);
  /// Of several values the last counts; more than one is an error otherwise.
  Option take_last();

 private:
  CLI::Option* option_;
};

/// The command line of the program or of one of its commands; a default one is none.
class CommandLine {
 public:
  CommandLine() = default;
  explicit CommandLine(CLI::App& app) : app_(&app) {}
  explicit operator bool() const { return app_ != nullptr; }

  /// Adds an option that sets `value`, which must live as long as the program.
  /// @param name "-o,--output", or without dashes for a positional argument
  Option add_option(const std::string& name, std::string& value, const std::string& description);
  Option add_option(const std::string& name, int& value, const std::string& description);
  Option add_option(const std::string& name, int64_t& value, const std::string& description);
  Option add_option(const std::string& name, uint64_t& value, const std::string& description);
  Option add_option(const std::string& name, double& value, const std::string& description);
  Option add_option(const std::string& name, std::vector<std::string>& value,
                    const std::string& description);
  Option add_option(const std::string& name, std::optional<int64_t>& value,
                    const std::string& description);
  /// Adds an option that calls `set` with its value or values.
  Option add_option_function(const std::string& name, std::function<void(const std::string&)> set,
                             const std::string& description);
  Option add_option_function(const std::string& name,
                             std::function<void(const std::vector<std::string>&)> set,
                             const std::string& description);
  /// Adds a flag, which makes `value` true or counts how often it is given.
  Option add_flag(const std::string& name, bool& value, const std::string& description);
  Option add_flag(const std::string& name, int& value, const std::string& description);
  /// Adds a flag that calls `set` with the number of times less that of its negation.
  Option add_flag(const std::string& name, std::function<void(int64_t)> set,
                  const std::string& description);
  /// An option that was added before.
  Option get_option(const std::string& name);

  /// Adds a command below this one. @param examples first lines of its help
  CommandLine add_subcommand(const std::string& name, const std::string& description,
                             const std::string& examples);
  /// Makes this number of commands below necessary.
  void require_subcommand(int count);
  /// What the command does, once its options are set.
  void callback(std::function<void()> run);

  std::string name() const;
  std::string description() const;
  /// The command above; none for the program.
  CommandLine parent() const;
  /// Those below, in the order in which they were added.
  std::vector<CommandLine> subcommands() const;
  /// Whether an option of this name was given at the last parse.
  bool given(const std::string& name) const;
  /// Options by their long names, with the dashes.
  std::vector<std::string> option_names() const;
  /// Words that nothing took at the last parse.
  std::vector<std::string> remaining() const;
  /// Text of `--help`. @param above the words before the name of the command
  std::string help(const std::string& above = "") const;

 private:
  CLI::App* app_ = nullptr;
};

}  // namespace cytograd::cli
