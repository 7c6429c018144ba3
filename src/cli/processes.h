#pragma once

namespace cytograd::cli {

/// The processes of one job on one or several machines: through MPI where the build has it and
/// `mpirun` started this process, else this process alone. Nothing is sent between them but the
/// barrier; they meet in files.
class Processes {
 public:
  Processes();
  ~Processes();
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  int rank() const { return rank_; }
  int count() const { return count_; }
  /// Processes on this machine, this one included; they share its cores.
  int count_here() const { return count_here_; }
  /// Returns when every process has called it.
  void barrier() const;

 private:
  int rank_ = 0, count_ = 1, count_here_ = 1;
  bool started_ = false;
};

}  // namespace cytograd::cli
