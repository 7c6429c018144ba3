#include "support/program.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

#include "cytograd/core/random.h"
#include "cytograd/io/file.h"
#include "cytograd/io/image.h"
#include "support/temp_folder.h"

namespace cytograd::test {

Program::Program(std::vector<std::string> arguments, const std::string& folder,
                 const std::vector<std::string>& environment, const std::string& stdout_path,
                 const std::function<void()>& in_child)
    : out_(stdout_path.empty() ? folder + "/stdout" : stdout_path), err_(folder + "/stderr") {
  std::string program = std::string(CYTOGRAD_BINARY_DIR) + "/cyto";
  std::vector<char*> argv = {program.data()};
  for (std::string& a : arguments) argv.push_back(a.data());
  argv.push_back(nullptr);
  std::vector<std::string> variables = environment;
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ > 0) return;
  const int out = open(out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const int err = open(err_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  dup2(out, 1);
  dup2(err, 2);
  for (std::string& v : variables) putenv(v.data());
  if (in_child) in_child();
  execv(program.c_str(), argv.data());
  _exit(126);
}

void Program::send(int signal) const { kill(pid_, signal); }

ProgramResult Program::wait() {
  int status = 0;
  waitpid(pid_, &status, 0);
  ProgramResult result;
  result.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (std::filesystem::is_regular_file(out_)) result.out = read_file(out_);
  result.err = read_file(err_);
  return result;
}

ProgramResult cyto(const std::vector<std::string>& arguments,
                   const std::vector<std::string>& environment, const std::string& stdout_path,
                   const std::function<void()>& in_child) {
  const TempFolder folder;
  return Program(arguments, folder.path().string(), environment, stdout_path, in_child).wait();
}

void write_discs(const std::string& folder, const std::vector<std::string>& classes, int per_class,
                 int side) {
  for (size_t c = 0; c < classes.size(); ++c) {
    std::filesystem::create_directories(folder + "/" + classes[c]);
    for (int k = 0; k < per_class; ++k) {
      Rng rng(5, "disc", c, static_cast<uint64_t>(k));
      Image image(side, side, 3);
      const double radius = side * (0.2 + 0.1 * static_cast<double>(c));
      for (int y = 0; y < side; ++y)
        for (int x = 0; x < side; ++x) {
          const double dy = y - side / 2, dx = x - side / 2;
          const bool inside = dy * dy + dx * dx < radius * radius;
          for (size_t i = 0; i < 3; ++i)
            image.at(y, x)[i] =
                static_cast<uint8_t>((inside && i != c % 3 ? 60 : 180) + rng.below(60));
        }
      write_png(folder + "/" + classes[c] + "/" + std::to_string(k) + ".png", image);
    }
  }
}

}  // namespace cytograd::test
