#include <filesystem>
#include <memory>

#include "cli/domain_run.h"
#include "cli/embedding.h"
#include "cytograd/io/file.h"
#include "cytograd/report/grid_table.h"

namespace cytograd::cli {
namespace {

struct Options : CommonOptions {
  std::string run, checkpoint = "best";
  DataChoice data;
  bool embedding = false;
};

void add_run_options(CommandLine command, Options& o) {
  command.add_option("--run", o.run, "Run folder").required();
  command.add_option("--checkpoint", o.checkpoint, "best or last")
      .one_of({"best", "last"})
      .show_default();
}

void run_eval(Options& o) {
  if (!o.output.empty()) require_new_file(o.output, o.force);
  const TrainedModel trained = load_trained(o.run, o.checkpoint, device_of(o));
  const ChosenData data = choose_data(o.run, trained, o.data);
  const Evaluation evaluation = evaluate(trained, data.task.dataset, data.indices, data.role);
  const std::vector<bool> all(trained.classes.size(), true);
  const PartScores domains = part_scores(evaluation, data.task.dataset, all);
  std::string json = evaluation_json(evaluation, trained.classes);
  if (domains.domains.size() > 1)
    json.insert(json.size() - 1, ",\"by_domain\":" + part_json(domains, trained.classes));
  json += "\n";
  console().out(o.json ? json
                       : evaluation_text(evaluation, trained.classes) +
                             domains_text(domains, trained.classes));
  if (!o.output.empty()) write_file_atomically(o.output, json);
  say_next(o.output.empty() ? std::vector<std::string>{} : std::vector<std::string>{o.output},
           data.same ? "cyto report --run " + shell_word(o.run)
                     : "cyto predict --run " + shell_word(o.run) + " IMAGE");
}

// What cyto crossval wrote.
void run_grid_report(Options& o) {
  while (o.run.size() > 1 && o.run.back() == '/') o.run.pop_back();
  const bool protocol = !read_plan(o.run + "/plan.json").protocol.empty();
  const std::vector<std::string> written =
      protocol ? write_domain_report(o.run, device_of(o)) : write_grid_report(o.run, device_of(o));
  if (o.json) console().out("{\"report\":" + json_text(written.front()) + "}\n");
  say_next(written, "open " + written.front() + " in a browser");
}

void run_report(Options& o) {
  std::error_code error;
  if (std::filesystem::exists(o.run + "/plan.json", error)) return run_grid_report(o);
  const TrainedModel trained = load_trained(o.run, o.checkpoint, device_of(o));
  const ChosenData data = choose_data(o.run, trained, o.data);
  const Evaluation evaluation = evaluate(trained, data.task.dataset, data.indices, data.role);
  const std::string page = write_run_report(o.run, trained, data.task, evaluation);
  std::vector<std::string> written = {page, o.run + "/report/predictions.csv",
                                      o.run + "/report/classes.csv"};
  if (trained.readout || o.embedding)
    for (const std::string& path :
         write_embedding_pages(o.run, trained, data.task, data.same ? "" : "all"))
      written.push_back(path);
  if (o.json) console().out("{\"report\":" + json_text(page) + "}\n");
  say_next(written, "open " + page + " in a browser");
}

void add_eval_command(CommandLine app) {
  auto options = std::make_shared<Options>();
  CommandLine command =
      add_command(app, "eval", "Score a run on labelled images",
                  "cyto eval --run runs/a                        its held-back part\n"
                  "cyto eval --run runs/a --data other/ --json   other data, as JSON\n");
  add_run_options(command, *options);
  add_data_choice(command, options->data);
  add_common_options(command, *options, with_output | with_force | with_device);
  run_command(command, options, run_eval);
}

void add_report_command(CommandLine app) {
  auto options = std::make_shared<Options>();
  CommandLine command = add_command(
      app, "report", "Write the report of a run or of a cross-validation",
      "cyto report --run runs/a                 runs/a/report/index.html\n"
      "cyto report --run runs/a --embedding     and its cells in the plane, interactive\n"
      "cyto report --run cv/                    table, figures and pages of a grid\n");
  add_run_options(command, *options);
  command.add_flag("--embedding", options->embedding,
                   "Also embedding.svg and embedding.html; guided runs always have them");
  add_data_choice(command, options->data);
  add_common_options(command, *options, with_device);
  run_command(command, options, run_report);
}

const Command registered_eval{20, add_eval_command};
const Command registered_report{50, add_report_command};

}  // namespace
}  // namespace cytograd::cli
