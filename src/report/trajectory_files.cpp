#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "cytograd/io/file.h"
#include "report/trajectory_parts.h"

extern char** environ;

namespace cytograd {
namespace {

namespace fs = std::filesystem;

constexpr const char* pixels = "2126";  // 180 mm at 300 dots per inch
constexpr int most_seconds = 120;

enum class Ended { well, badly, absent };

// Runs a program of the search path with its output thrown away.
Ended run_quietly(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (std::string& w : words) arguments.push_back(w.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int to : {STDOUT_FILENO, STDERR_FILENO})
    posix_spawn_file_actions_addopen(&actions, to, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  pid_t pid = -1;
  const int failed = posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return failed == ENOENT ? Ended::absent : Ended::badly;
  for (int tick = 0;; ++tick) {
    int status = 0;
    const pid_t ended = waitpid(pid, &status, WNOHANG);
    if (ended == pid) {
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return Ended::well;
      return WIFEXITED(status) && WEXITSTATUS(status) == 127 ? Ended::absent : Ended::badly;
    }
    if (ended < 0 && errno != EINTR) return Ended::badly;
    if (tick >= most_seconds * 50) {
      kill(pid, SIGKILL);
      while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
      }
      return Ended::badly;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

// The PNG appears under its name only when complete.
std::string render(const std::string& svg, const std::string& png) {
  const fs::path target = fs::absolute(png);
  const std::string temporary =
      (target.parent_path() /
       ("." + target.filename().string() + ".tmp-" + std::to_string(static_cast<long>(getpid()))))
          .string();
  const Ended ended =
      run_quietly({"rsvg-convert", "--format", "png", "--width", pixels, "--keep-aspect-ratio",
                   "--output", temporary, fs::absolute(svg).string()});
  std::error_code error;
  if (ended == Ended::well) {
    write_file_atomically(png, read_file(temporary));
    fs::remove(temporary, error);
    return "";
  }
  fs::remove(temporary, error);
  return ended == Ended::absent
             ? "figure.png was not made: the program rsvg-convert is not installed"
             : "figure.png was not made: rsvg-convert failed";
}

}  // namespace

std::vector<std::string> write_trajectory_figures(const multimodal::Trajectory& path,
                                                  const TrajectoryFigure& figure,
                                                  const std::string& folder) {
  trajectory::check_figure("write_trajectory_figures", path, figure);
  std::vector<std::string> notes, missing;
  const std::vector<int64_t> genes = trajectory::highlighted(path, figure, &missing);
  for (const std::string& symbol : missing)
    notes.push_back("gene " + symbol + " was not measured and is not drawn");
  if (static_cast<int64_t>(genes.size()) > trajectory::most_panels)
    notes.push_back("figure.svg draws the first " + std::to_string(trajectory::most_panels) +
                    " of " + std::to_string(genes.size()) + " genes; page.html has all");
  write_file_atomically(folder + "/figure.svg", trajectory_svg(path, figure));
  write_file_atomically(folder + "/page.html", trajectory_page(path, figure));
  const std::string note = render(folder + "/figure.svg", folder + "/figure.png");
  if (!note.empty()) notes.push_back(note);
  return notes;
}

}  // namespace cytograd
