#include "cli/processes.h"

#include <cstdlib>

#ifdef CYTOGRAD_MPI
#include <mpi.h>
#endif

#include "cytograd/core/error.h"

namespace cytograd::cli {
namespace {

// Variables that the launchers of Open MPI, MPICH and Slurm set.
int launched_count() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS"})
    if (const char* text = std::getenv(name)) return std::atoi(text);
  return 1;
}

}  // namespace

#ifdef CYTOGRAD_MPI

Processes::Processes() {
  if (launched_count() <= 1) return;
  MPI_Init(nullptr, nullptr);
  started_ = true;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &count_);
  MPI_Comm here;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &here);
  MPI_Comm_size(here, &count_here_);
  MPI_Comm_free(&here);
}

Processes::~Processes() {
  if (started_) MPI_Finalize();
}

void Processes::barrier() const {
  if (started_) MPI_Barrier(MPI_COMM_WORLD);
}

#else

Processes::Processes() {
  if (launched_count() > 1)
    throw ConfigError(
        "several processes were launched, but this build is without MPI; install libopenmpi-dev "
        "and "
        "build again, or start `cyto crossval` several times with the same --output [cli]");
}
Processes::~Processes() = default;
void Processes::barrier() const {}

#endif

}  // namespace cytograd::cli
