#include <algorithm>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>

#include "cli/crossval_plan.h"
#include "cli/processes.h"
#include "cli/training.h"
#include "cytograd/core/parallel.h"
#include "cytograd/io/file.h"
#include "cytograd/report/domain_report.h"
#include "cytograd/train/aggregate.h"
#include "cytograd/train/domain_summary.h"
#include "cytograd/train/stop.h"

namespace cytograd::cli {
namespace {

namespace fs = std::filesystem;

bool is_done(const Job& job) {
  std::error_code error;
  return fs::exists(job.folder + "/DONE", error);
}

// Data are read and decoded once for all jobs that name the same.
class SharedData {
 public:
  Task operator()(const TrainConfig& config) {
    std::string key;
    for (const ConfigField& field : config_fields())
      if (field.key.starts_with("data.")) key += config_value_toml(config, field) + "\n";
    if (!data_ || key != key_) {
      data_ = load_data(config, counting("reading images"));
      key_ = key;
    }
    return split_task(*data_, config);
  }

 private:
  std::string key_;
  std::optional<Task> data_;
};

// @return false if another process has it
bool run_job(const Job& job, SharedData& data) {
  const auto source = [&data](const TrainConfig& config) { return data(config); };
  std::error_code error;
  const bool begun = fs::exists(job.folder + "/config.toml", error);
  try {
    fs::create_directories(fs::path(job.folder).parent_path());
    if (begun) {
      const RunFolder folder = RunFolder::resume(job.folder);
      ResolvedConfig stored;
      apply_config_file(stored, job.folder + "/config.toml");
      if (!(stored.config == job.config))
        throw ConfigError(Fault{"cfg", job.folder + "/config.toml", "",
                                "a run with other settings than this grid asks for",
                                "the settings it began with", "choose another --output"});
      resume_training(folder, job.config, true, source);
      return true;
    }
    RunFolder folder = RunFolder::create(job.folder, false);
    try {
      begin_training(folder, job.config, source);
    } catch (...) {
      folder.release();
      throw;
    }
  } catch (const FileError& e) {
    // Another process has it, or has just finished it.
    if (e.fault().id != "lock" && !is_done(job)) throw;
    return false;
  }
  return true;
}

// Rank 0 writes the tables of what is finished.
void sum_up_folds(const CrossvalOptions& options, const Plan& plan) {
  std::vector<RunResult> results;
  for (const Job& job : plan.jobs)
    if (is_done(job)) results.push_back(read_run_result(job.folder + "/results.json", job.cell));
  const std::vector<CellSummary> cells = summarise_cells(results, plan.grid.folds);
  write_file_atomically(options.output + "/table.csv", summary_csv(cells));
  write_file_atomically(options.output + "/table.json", summary_json(cells));
  write_file_atomically(options.output + "/table.txt", summary_table(cells));
  console().out(options.json ? summary_json(cells) : summary_table(cells));
}

void sum_up_domains(const CrossvalOptions& options, const Plan& plan) {
  std::vector<DomainRun> runs;
  for (const Job& job : plan.jobs)
    if (is_done(job)) runs.push_back(read_domain_run(job.folder + "/domains.json", job.cell));
  const std::vector<MethodSummary> methods =
      summarise_domains(runs, plan.grid.runs_per_cell(), plan.grid.choices);
  const std::string json = domain_summary_json(methods, plan.grid.protocol),
                    text = domain_text(methods);
  write_file_atomically(options.output + "/table.csv", domain_summary_csv(methods));
  write_file_atomically(options.output + "/table.json", json);
  write_file_atomically(options.output + "/table.txt", text);
  console().out(options.json ? json : text);
}

void list_jobs(const Plan& plan) {
  for (const Job& job : plan.jobs)
    console().out(job.folder + "  " + (is_done(job) ? "done" : "to do") + "\n");
}

// Every process walks over all jobs, each from a place of its own, and takes those that nobody has:
// the lock of a run folder is the queue. What a killed process held is free again.
void run_jobs(const Plan& plan, const Processes& processes, bool lean) {
  SharedData data;
  const size_t n = plan.jobs.size();
  const size_t start =
      n * static_cast<size_t>(processes.rank()) / static_cast<size_t>(processes.count());
  std::exception_ptr failure;
  for (size_t i = 0; i < n; ++i) {
    const Job& job = plan.jobs[(start + i) % n];
    if (is_done(job)) continue;
    console().note(job.folder);
    try {
      if (!run_job(job, data))
        console().note(job.folder + " is being trained by another process");
      else if (lean)
        CheckpointStore(job.folder).keep_best();
    } catch (const StopRequested&) {
      throw;
    } catch (const ConfigError&) {
      throw;
    } catch (const Error& e) {
      // The other jobs do not depend on this one.
      console().warn(job.folder + ": " + e.what() + "; the other jobs go on");
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

void run(CrossvalOptions& options) {
  if (options.output.empty()) throw ConfigError("--output expects the folder of the results [cli]");
  const Processes processes;
  if (processes.count_here() > 1 && options.threads == 0)
    set_num_threads(std::max(1, num_threads() / processes.count_here()));
  const Plan plan = make_plan(options);
  if (options.dry_run) return processes.rank() == 0 ? list_jobs(plan) : void();
  fs::create_directories(options.output);
  write_plan(options.output + "/plan.json", plan.grid);
  catch_stop_signals();
  std::exception_ptr failure;
  try {
    run_jobs(plan, processes, options.lean);
  } catch (...) {
    // The others are met even so: a signal reaches all of them, and a fault is one's own.
    failure = std::current_exception();
  }
  processes.barrier();
  if (processes.rank() == 0 && stop_signal() == 0) {
    plan.grid.protocol.empty() ? sum_up_folds(options, plan) : sum_up_domains(options, plan);
    say_next({options.output + "/table.csv", options.output + "/table.json"},
             "cyto report --run " + shell_word(options.output));
  }
  if (failure) std::rethrow_exception(failure);
}

void add_crossval_command(CommandLine app) {
  auto options = std::make_shared<CrossvalOptions>();
  CommandLine command = add_command(
      app, "crossval", "Train and test on every fold, for one setting or a grid of them",
      "cyto crossval --data photos/ --folds 5 -o cv/                    five runs and their mean\n"
      "cyto crossval --config grid.toml -o cv/                          every cell of [[cells]]\n"
      "cyto crossval --data a/ b/ c/ --protocol leave-one-domain-out -o cv/   each domain unseen "
      "once\n"
      "cyto crossval --config grid.toml -o cv/ --dry-run                which runs, which are "
      "done\n"
      "mpirun -n 4 cyto crossval --config grid.toml -o cv/              four at a time\n");
  command.add_flag("--lean", options->lean, "Keep only the best checkpoint of finished runs");
  command
      .add_option("--protocol", options->protocol,
                  "Over domains (docs/domains.md): five-fold within them, leave-one-domain-out, or "
                  "fixed-unseen with --unseen")
      .one_of(protocol_names);
  command
      .add_option("--seeds", options->seeds,
                  "Runs of a protocol per fold, with seeds from --seed on; default 1, "
                  "leave-one-domain-out 3")
      .range(1, 1000);
  add_train_options(command, *options);
  command.get_option("--method").description("What is learned; several with commas are compared");
  add_common_options(command, *options, with_output | with_config | with_dry_run);
  run_command(command, options, run);
}

const Command registered{15, add_crossval_command};

}  // namespace
}  // namespace cytograd::cli
