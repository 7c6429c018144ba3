#include "cli/training.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>

#include "cli/domain_run.h"
#include "cli/session.h"
#include "cli/train_options.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/random.h"
#include "cytograd/data/domains.h"
#include "cytograd/guided/guide.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/train/environment.h"
#include "cytograd/train/method.h"
#include "cytograd/train/readout_fit.h"
#include "cytograd/train/stop.h"
#include "cytograd/train/trainer.h"

namespace cytograd::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Progress on a terminal, one line per epoch elsewhere.
class Narrator {
 public:
  TrainHooks hooks() {
    return {[this](const StepInfo& s) { on_step(s); }, [this](const EpochInfo& e) { on_epoch(e); },
            [](const std::string& text) { console().note(text); }};
  }

 private:
  void on_step(const StepInfo& s) {
    if (first_step_ < 0) first_step_ = s.step - 1;
    steps_ = s.steps;
    step_ = s.step;
    if (!console().progress() || seconds_since(shown_) < 0.1) return;
    shown_ = Clock::now();
    constexpr int64_t width = 20;
    const int64_t full = s.batch * width / s.batches;
    console().status("epoch " + std::to_string(s.epoch + 1) + " [" +
                     std::string(static_cast<size_t>(full), '=') +
                     std::string(static_cast<size_t>(width - full), ' ') + "] " +
                     std::to_string(s.batch) + "/" + std::to_string(s.batches) + "  loss " +
                     format_fixed(s.loss, 4) + "  " + remaining());
  }

  void on_epoch(const EpochInfo& e) {
    const auto value = [&](const char* name) {
      for (const auto& [key, v] : e.values)
        if (key == name) return std::isfinite(v) ? format_fixed(v, 4) : std::string("n/a");
      return std::string("n/a");
    };
    console().note("epoch " + std::to_string(e.epoch) + "/" + std::to_string(e.epochs) + ": loss " +
                   value("loss") + ", accuracy " + value("train_accuracy") + ", val loss " +
                   value("val_loss") + ", val macro-F1 " + value("val_f1_macro") +
                   (e.best ? " (best)" : "") + "; " + human_time(seconds_since(epoch_begin_)) +
                   ", " + remaining());
    epoch_begin_ = Clock::now();
  }

  std::string remaining() const {
    const auto done = static_cast<double>(step_ - first_step_);
    const auto left = static_cast<double>(steps_ - step_);
    return human_time(seconds_since(begin_) / std::max(done, 1.0) * left) + " left";
  }

  Clock::time_point begin_ = Clock::now(), epoch_begin_ = begin_, shown_{};
  int64_t first_step_ = -1, step_ = 0, steps_ = 0;
};

double checkpoint_bytes(const models::ImageModel& model, const TrainConfig& config) {
  double bytes = 0;
  for (const auto& [name, tensor] : model.state_dict())
    bytes += static_cast<double>(tensor.bytes());
  const double copies = 1 + (config.optimizer == "sgd" ? 1 : 2) + (config.ema > 0 ? 1 : 0);
  return bytes * copies;
}

// The last two, the best, and one that is being written.
void require_disk(const std::string& path, double checkpoint) {
  const double needed = 4 * checkpoint, free = free_disk(path);
  if (free > 0 && needed > free)
    throw FileError(Fault{"disk.full", path, "", human_bytes(free) + " are free",
                          human_bytes(needed) + " for four checkpoints",
                          "choose another --output"});
}

void write_inputs(const RunFolder& folder, const TrainConfig& config, const Task& task) {
  write_samples(folder.file("samples.csv"), task.scanned, task.report);
  write_splits(folder.file("splits.csv"), task.dataset, task.folds);
  if (!config.guide.empty())
    write_file_atomically(folder.file("guide.csv"), guide_csv(find_guide(config.guide)));
  write_file_atomically(
      folder.file("environment.json"),
      environment_json(static_cast<uint64_t>(config.seed), describe(choose_device(config.device)),
                       {{"data", task.report.hash}}));
}

std::string quoted_spec(const FittedReadout::Best& best) {
  return "{\"classifier\":" + json_text(best.spec.text()) +
         ",\"inner_f1_macro\":" + format_double(best.score);
}

// Scores on one part by a classifier that was fitted to the training embeddings.
Evaluation evaluate_by(const Classifier& classifier, const Evaluation& with_embeddings) {
  Evaluation out;
  out.role = with_embeddings.role;
  out.predictions = with_embeddings.predictions;
  classify_by(out.predictions, classifier);
  out.confusion = Confusion(out.predictions.classes);
  for (size_t i = 0; i < out.predictions.indices.size(); ++i)
    out.confusion.add(out.predictions.labels[i], out.predictions.predicted[i]);
  out.scores = scores_of(out.confusion);
  return out;
}

double total_seconds(const RunFolder& folder) {
  const CsvTable times = read_csv(folder.file("times.csv"));
  double out = 0;
  for (size_t row = 0; row < times.rows(); ++row) out += times.number(row, 1);
  return out;
}

double macro_of(const TrainConfig& config, const Scores& scores) {
  return config.macro_over == "all" ? f1_macro_over_all(scores) : scores.f1_macro.value_or(0);
}

// report/embeddings.csv: of the components in use.
void write_embeddings(const RunFolder& folder, const TrainedModel& trained, const Task& task,
                      const std::vector<Evaluation>& parts) {
  std::vector<std::string> row = {
      "sample", "role", "class", "predicted", "confidence", "agreement", "anchor_confidence"};
  for (int64_t k = 0; k < trained.width(); ++k) row.push_back("e" + std::to_string(k));
  CsvWriter out(folder.file("report/embeddings.csv"), row);
  for (const Evaluation& part : parts)
    for (size_t i = 0; i < part.predictions.indices.size(); ++i) {
      const Predictions& p = part.predictions;
      row = {escape_control(task.dataset.samples[static_cast<size_t>(p.indices[i])].id),
             part.role,
             trained.classes[static_cast<size_t>(p.labels[i])],
             trained.classes[static_cast<size_t>(p.predicted[i])],
             format_double(p.confidence(i)),
             format_double(p.agreement[i]),
             format_double(p.anchor_confidence[i])};
      for (int64_t k = 0; k < p.width; ++k)
        row.push_back(
            format_float(p.embeddings[i * static_cast<size_t>(p.width) + static_cast<size_t>(k)]));
      out.row(row);
    }
  out.commit();
}

// results.json: what a table of many runs is made of. With a readout also the embeddings.
void write_results(const RunFolder& folder, const TrainedModel& trained, const Task& task,
                   const Evaluation& evaluation, const std::optional<FittedReadout>& fitted) {
  const TrainConfig& c = trained.config;
  std::string out =
      "{\"method\":" + json_text(c.method) + ",\"growing\":" + (grows(c) ? "true" : "false") +
      ",\"embedding\":" + std::to_string(c.embedding) + ",\"fold\":" + std::to_string(c.fold) +
      ",\"seed\":" + std::to_string(c.seed) + ",\"best_epoch\":" + std::to_string(trained.epoch) +
      ",\"n\":" + std::to_string(trained.width()) +
      ",\"seconds\":" + format_fixed(total_seconds(folder), 1) +
      ",\"role\":" + json_text(evaluation.role) +
      ",\"f1_macro\":" + format_double(macro_of(c, evaluation.scores));
  if (fitted) {
    std::vector<Evaluation> parts;
    for (const char* role : {"train", "val", "test"}) {
      const Split& s = task.split;
      const auto& part = role[1] == 'r' ? s.train : role[0] == 'v' ? s.val : s.test;
      if (!part.empty()) parts.push_back(evaluate(trained, task.dataset, part, role, true));
    }
    write_embeddings(folder, trained, task, parts);
    const Evaluation& last = parts.back();
    out += ",\"posthoc\":{";
    bool first = true;
    for (const auto& [kind, best] : fitted->best) {
      const auto classifier = fit_classifier(best.spec, trained.readout->reference,
                                             stream_key(static_cast<uint64_t>(c.seed), "readout"));
      const Evaluation e = evaluate_by(*classifier, last);
      out += (first ? "" : ",") + json_text(kind) + ":" + quoted_spec(best) +
             ",\"f1_macro\":" + format_double(macro_of(c, e.scores)) +
             ",\"f1_micro\":" + format_double(e.scores.f1_micro.value_or(0)) + "}";
      first = false;
    }
    out += "},\"chosen\":" + json_text(trained.readout->classifier->spec().text());
  }
  out += ",\"scores\":" + evaluation_json(evaluation, trained.classes) + "}\n";
  write_file_atomically(folder.file("results.json"), out);
}

// Rows of the guide that no class of the data has.
void say_guide(const Task& task, const TrainConfig& config) {
  if (config.guide.empty()) return;
  const MatchedGuide matched = match_guide(find_guide(config.guide), task.dataset.classes);
  if (matched.unused.empty()) return;
  std::string names;
  for (const std::string& name : matched.unused) names += (names.empty() ? "" : ", ") + name;
  console().warn("the guide has classes that the data lack: " + names);
}

// Classifiers of the embeddings, scores on the held-back part, the report. @param quiet  the result
// is that of a stage, not of the command
void finish(const RunFolder& folder, const Task& task, Device device, bool quiet) {
  TrainedModel trained = load_trained(folder.path(), "best", device);
  std::optional<FittedReadout> fitted;
  if (trained.config.posthoc || !trained.by_head) {
    console().note("choosing a classifier of the embeddings");
    fitted = fit_readout(trained, task, counting("embeddings"));
    write_readout(folder.path(), fitted->readout);
    trained.readout = load_readout(folder.path(), trained.epoch);
  }
  const std::string role = !task.split.test.empty()  ? "test"
                           : !task.split.val.empty() ? "val"
                                                     : "train";
  const Evaluation evaluation = evaluate(trained, task.dataset, part_of(task.split, role), role);
  write_results(folder, trained, task, evaluation, fitted);
  const DomainRun domains = score_domains(trained, task, evaluation, total_seconds(folder));
  write_domain_run(folder, domains);
  const std::string page = write_run_report(folder.path(), trained, task, evaluation);
  folder.mark_done(evaluation_json(evaluation, trained.classes) + "\n");
  if (quiet) return;
  if (console().json())
    console().out(evaluation_json(evaluation, trained.classes) + "\n");
  else
    console().out(evaluation_text(evaluation, trained.classes) +
                  domains_text(domains.held, trained.classes) +
                  (domains.outside ? domains_text(*domains.outside, trained.classes) : ""));
  say_next({folder.path() + " (weights " + trained.file + ")", page},
           "cyto eval --run " + folder.path() + "   or   cyto predict --run " + folder.path() +
               " IMAGE");
}

// Classes that only unseen domains have cannot be told.
void say_missing(const Task& task) {
  if (task.split.unseen.empty()) return;
  const auto trained = class_counts(task.dataset, task.split.train);
  const auto outside = class_counts(task.dataset, task.split.unseen);
  const auto any = [](const std::vector<int64_t>& row) {
    return std::any_of(row.begin(), row.end(), [](int64_t n) { return n > 0; });
  };
  std::string names;
  for (size_t c = 0; c < trained.size(); ++c)
    if (!any(trained[c]) && any(outside[c]))
      names += (names.empty() ? "" : ", ") + escape_control(task.dataset.classes[c]);
  if (!names.empty())
    console().warn("no training domain has " + names +
                   "; the F1 of what nobody could learn counts 0 in the unseen domain "
                   "[class.missing]");
}

}  // namespace

void say_data(const Task& task) {
  const ClassTable table = class_table(task.dataset, task.split.roles(task.dataset.size()));
  std::string text = table.text();
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) console().note(text.substr(begin, end - begin));
    begin = end + 1;
  }
  for (const auto* notes : {&task.dataset.notes, &task.report.notes})
    for (const Note& note : *notes)
      console().detail(note.text + " (" + std::to_string(note.count) + ") [" + note.id + "]");
  const size_t unused = task.dataset.samples.size() - task.split.train.size() -
                        task.split.val.size() - task.split.test.size() - task.split.unseen.size();
  if (unused > 0)
    console().warn(std::to_string(unused) + " of " + std::to_string(task.dataset.size()) +
                   " samples are in no part of the split and are not used");
  for (const Note& note : table.missing()) {
    std::string text = note.text + ":";
    for (const std::string& example : note.examples) text += " " + example;
    console().warn(text + " [" + note.id + "]");
  }
  if (table.domains.size() > 1)
    for (const Note& note : domain_notes(table)) {
      std::string line = note.text + ":";
      for (const std::string& example : note.examples) line += " " + example;
      console().note(line + " [" + note.id + "]");
    }
  say_missing(task);
}

Task read_task(const TrainConfig& config) {
  return load_task(config, [count = counting("reading images")](int64_t i, int64_t n) {
    throw_if_stopped("nothing was trained in this call");
    count(i, n);
  });
}

namespace {

void begin(const RunFolder& folder, const TrainConfig& config, const TaskSource& source, bool again,
           bool quiet);
void go_on(const RunFolder& folder, const TrainConfig& config, bool fall_back,
           const TaskSource& source, bool quiet);

// The stage whose network the run keeps, as a run of its own in RUN/stage1.
void train_first_stage(const RunFolder& folder, const TrainConfig& config,
                       const TaskSource& source) {
  const TrainConfig first = first_stage(config);
  const std::string path = folder.file("stage1");
  std::error_code error;
  console().note("stage 1: " + path);
  if (std::filesystem::exists(path + "/config.toml", error))
    go_on(RunFolder::resume(path), first, true, source, true);
  else
    begin(RunFolder::create(path, false), first, source, false, true);
}

// From the first image to the report. @param again  an earlier call may have got through stage 1
void begin(const RunFolder& folder, const TrainConfig& config, const TaskSource& source, bool again,
           bool quiet) {
  const Task task = source(config);
  say_data(task);
  say_guide(task, config);
  auto trainer = std::make_unique<Trainer>(config, task);
  const bool stages = trains_head_alone(config), two = stages && config.stage1.empty();
  if (!config.weights.empty() && !stages)
    for (const std::string& note : trainer->load_weights(config.weights)) console().note(note);
  if (stages && !two) trainer->load_first_stage(config.stage1);
  require_disk(folder.path(), checkpoint_bytes(trainer->model(), config));
  // Earlier results go only now, when nothing but training can fail.
  folder.prepare(again && two);
  write_file_atomically(folder.file("config.toml"), config_toml(config));
  write_inputs(folder, config, task);
  if (two) {
    trainer.reset();  // its memory
    train_first_stage(folder, config, source);
    trainer = std::make_unique<Trainer>(config, task);
    trainer->load_first_stage(folder.file("stage1"));
    console().note("stage 2: the classifier, on the network of stage 1");
  }
  Narrator narrator;
  trainer->run(folder, narrator.hooks());
  finish(folder, task, trainer->device(), quiet);
}

void go_on(const RunFolder& folder, const TrainConfig& config, bool fall_back,
           const TaskSource& source, bool quiet) {
  const CheckpointStore store(folder.path());
  // Killed before its first checkpoint, that of step 0, was linked.
  const std::vector<int64_t> steps = store.steps();
  if (!store.has("last") && (steps.empty() || steps.back() == 0))
    return begin(folder, config, source, true, quiet);
  std::string note;
  const Checkpoint checkpoint = read_last_checkpoint(store, fall_back, note);
  if (!note.empty()) console().warn(note);
  if (checkpoint.progress.finished && folder.is_done()) {
    console().note(folder.path() + " is finished; nothing to do");
    return;
  }
  // The split as written, not drawn again.
  TrainConfig data_config = config;
  data_config.splits = folder.file("splits.csv");
  data_config.folds = 1;
  const Task task = source(data_config);
  Trainer trainer(config, task);
  trainer.restore(checkpoint, store.resolve("last"));
  console().note("going on after " + std::to_string(checkpoint.progress.epoch) + " epochs and " +
                 std::to_string(checkpoint.progress.batch) + " steps");
  Narrator narrator;
  trainer.run(folder, narrator.hooks());
  finish(folder, task, trainer.device(), quiet);
}

}  // namespace

void begin_training(const RunFolder& folder, const TrainConfig& config, const TaskSource& source) {
  begin(folder, config, source, false, false);
}

void resume_training(const RunFolder& folder, const TrainConfig& config, bool fall_back,
                     const TaskSource& source) {
  go_on(folder, config, fall_back, source, false);
}

}  // namespace cytograd::cli
