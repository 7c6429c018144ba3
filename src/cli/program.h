#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

/// @file
/// What main.cpp, help.cpp and common.cpp share; commands include common.h.

namespace cytograd::cli {

struct RegisteredCommand {
  int order;
  void (*add)(CLI::App&);
};
/// Filled by the static `Command` objects of the command files.
std::vector<RegisteredCommand>& registered_commands();

/// Help that begins with the examples (kept in the app's footer).
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter();
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override;
};

/// `cyto help COMMAND`.
std::string help_of(const CLI::App& command);
/// Text of a bare `cyto`.
std::string short_help(const CLI::App& app);
/// Text of `cyto --version`.
std::string version_text();

/// Bytes of the last allocation that the system refused, 0 if unknown.
size_t refused_bytes();

/// The error for a word or option that nothing accepts, with the nearest name that exists.
/// @param command null for the program itself
std::string unknown_word_message(const CLI::App& app, const CLI::App* command,
                                 const std::string& word);

}  // namespace cytograd::cli
