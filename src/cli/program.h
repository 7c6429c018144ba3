#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "cli/command_line.h"

/// @file
/// What main.cpp, help.cpp and common.cpp share; commands include common.h.

namespace cytograd::cli {

struct RegisteredCommand {
  int order;
  void (*add)(CommandLine);
};
/// Filled by the static `Command` objects of the command files.
std::vector<RegisteredCommand>& registered_commands();

/// How the parse of a command line ended.
enum class ParseEnd { done, help, version, unknown_word, wrong };

struct ParseResult {
  ParseEnd end;
  std::string message;  ///< of the parser, for `unknown_word` and `wrong`
};

/// The program: owns the options of all commands.
class Program {
 public:
  Program();
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// Without any command yet.
  CommandLine line();
  /// Sets the options and runs the command, whose exceptions pass through.
  ParseResult parse(const std::vector<std::string>& words);

 private:
  std::unique_ptr<CLI::App> app_;
};

/// `cyto help COMMAND`.
std::string help_of(CommandLine command);
/// Text of a bare `cyto`.
std::string short_help(CommandLine app);
/// Text of `cyto --version`.
std::string version_text();

/// Bytes of the last allocation that the system refused, 0 if unknown.
size_t refused_bytes();

/// The error for a word or option that nothing accepts, with the nearest name that exists.
/// @param command none for the program itself
std::string unknown_word_message(CommandLine app, CommandLine command, const std::string& word);

}  // namespace cytograd::cli
