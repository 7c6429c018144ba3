#pragma once

#include <string>
#include <string_view>

/// @file
/// What the program says. Results go to standard output, messages to standard error; both are
/// checked, so that `cyto eval > /dev/full` fails.

namespace cytograd::cli {

struct CommonOptions;

enum class Style { plain, bold, dim, red, yellow, green };

class Console {
 public:
  /// @param command "train"; messages begin with `cyto train: `
  void configure(const std::string& command, const CommonOptions& options);
  void set_command(const std::string& command) { command_ = command; }

  /// Result text to standard output, as it is. @throws FileError if it cannot be written
  void out(std::string_view text);
  /// A message for people, one line, unless --quiet.
  void note(std::string_view text);
  /// The same with -v only.
  void detail(std::string_view text);
  /// A warning, also with --quiet.
  void warn(std::string_view text);
  void error(std::string_view text);
  /// Rewrites the last line of the terminal; ignored unless `progress()`. An empty text clears it.
  void status(std::string_view text);

  /// Whether a progress line may be redrawn: standard error is a terminal and neither --quiet,
  /// --no-progress nor TERM=dumb say otherwise.
  bool progress() const { return progress_; }
  bool json() const { return json_; }
  /// Columns of the terminal, 80 if unknown.
  int columns() const;
  /// `text` in a style if standard output is a colour terminal.
  std::string styled(Style style, std::string_view text) const;
  /// Waits until standard output has taken everything. @throws FileError
  void finish();

 private:
  void line(std::string_view prefix, Style style, std::string_view text);

  std::string command_;
  bool quiet_ = false, json_ = false, progress_ = false, color_out_ = false, color_err_ = false;
  int verbose_ = 0;
  bool status_shown_ = false;
};

/// The one console of the program.
Console& console();

}  // namespace cytograd::cli
