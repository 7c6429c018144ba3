#pragma once

#include <csignal>
#include <functional>
#include <string>
#include <vector>

/// @file
/// Driving the real program.

namespace cytograd::test {

struct ProgramResult {
  int exit = -1;    ///< exit code, or 128 + signal
  std::string out;  ///< standard output
  std::string err;
};

/// A running `cyto`. Output goes to files in `folder`.
class Program {
 public:
  /// @param environment "NAME=value" set in addition
  /// @param in_child called in the new process before the program starts (limits, descriptors)
  Program(std::vector<std::string> arguments, const std::string& folder,
          const std::vector<std::string>& environment = {}, const std::string& stdout_path = "",
          const std::function<void()>& in_child = {});
  void send(int signal) const;
  ProgramResult wait();

 private:
  int pid_ = -1;
  std::string out_, err_;
};

/// Runs `cyto` to its end.
ProgramResult cyto(const std::vector<std::string>& arguments,
                   const std::vector<std::string>& environment = {},
                   const std::string& stdout_path = "", const std::function<void()>& in_child = {});

/// A class folder per class, `per_class` images of `side` pixels each: a disc whose colour and size
/// tell the class, on noise.
void write_discs(const std::string& folder, const std::vector<std::string>& classes, int per_class,
                 int side = 24);

}  // namespace cytograd::test
