#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

/// @file
/// Errors. The library throws; only the program prints and exits. Message form:
/// `op: what was expected, what was found; hint`, lower case, no full stop.

namespace cytograd {

/// What the program exits with when an error reaches it (docs/errors).
enum class ExitCode { ok = 0, bug = 1, usage = 2, data = 3, file = 4, resource = 5, diverged = 6 };

/// The parts of a message about something outside the program (a file, a row, a flag).
/// Empty parts are left out of the message.
struct Fault {
  std::string id;        ///< e.g. "img.truncated"; names a page in docs/errors
  std::string file;      ///< path as the user gave it
  std::string place;     ///< "line 17", "byte 4312", "tensor conv1.weight", "/X/indices"
  std::string found;     ///< "JPEG data ends early"
  std::string expected;  ///< "a complete image of 9120 bytes"
  std::string hint;      ///< "copy it again or pass --on-bad-image skip"

  /// `file: place: found; expected ...; hint [id]`, control characters escaped.
  std::string message() const;
};

/// Bytes below 0x20, 0x7f and invalid UTF-8 become `\xHH`, so that text from files cannot drive a
/// terminal.
std::string escape_control(const std::string& text);

/// Base of everything Cytograd throws.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, ExitCode code = ExitCode::bug)
      : std::runtime_error(message), code_(code) {}
  explicit Error(Fault fault, ExitCode code)
      : std::runtime_error(fault.message()), code_(code), fault_(std::move(fault)) {}
  ExitCode exit_code() const { return code_; }
  /// The parts, for `--json`; only `found` is set when the error was made from a plain message.
  Fault fault() const;

 private:
  ExitCode code_;
  Fault fault_;
};

/// A tensor has the wrong shape.
struct ShapeError : Error {
  explicit ShapeError(const std::string& m) : Error(m, ExitCode::usage) {}
};
/// A tensor has the wrong element type.
struct DtypeError : Error {
  explicit DtypeError(const std::string& m) : Error(m, ExitCode::usage) {}
};
/// An argument is out of range.
struct ValueError : Error {
  explicit ValueError(const std::string& m) : Error(m, ExitCode::usage) {}
};
/// No memory, no such device, or a device failed.
struct DeviceError : Error {
  explicit DeviceError(const std::string& m) : Error(m, ExitCode::resource) {}
  explicit DeviceError(Fault f) : Error(std::move(f), ExitCode::resource) {}
};
/// A call out of order: a second backward, use before fit.
struct StateError : Error {
  explicit StateError(const std::string& m) : Error(m, ExitCode::usage) {}
};
/// Command line or configuration is wrong (exit 2).
struct ConfigError : Error {
  explicit ConfigError(const std::string& m) : Error(m, ExitCode::usage) {}
  explicit ConfigError(Fault f) : Error(std::move(f), ExitCode::usage) {}
};
/// Reading or writing failed; either the content (`DataError`) or the file system (`FileError`).
struct IoError : Error {
  using Error::Error;
};
/// The content of an input is wrong (exit 3).
struct DataError : IoError {
  explicit DataError(Fault f) : IoError(std::move(f), ExitCode::data) {}
};
/// The file system refused: missing, permission, full (exit 4).
struct FileError : IoError {
  explicit FileError(Fault f) : IoError(std::move(f), ExitCode::file) {}
};
/// Training became non-finite (exit 6).
struct DivergedError : Error {
  explicit DivergedError(const std::string& m) : Error(m, ExitCode::diverged) {}
};
/// Our bug (exit 1).
struct InternalError : Error {
  explicit InternalError(const std::string& m) : Error(m, ExitCode::bug) {}
};

/// Throws `E("op: parts...")` unless `condition`. Parts are streamed, so shapes and dtypes print
/// themselves.
template <class E, class... Parts>
void check(bool condition, const char* op, const Parts&... parts) {
  if (condition) [[likely]]
    return;
  std::ostringstream out;
  out << op << ": ";
  (out << ... << parts);
  throw E(out.str());
}

}  // namespace cytograd
