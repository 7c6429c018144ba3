#include "cli/crossval_plan.h"

#include <algorithm>
#include <set>

#include "cytograd/core/error.h"
#include "cytograd/data/dataset.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/text.h"
#include "cytograd/train/grid_file.h"
#include "cytograd/train/method.h"
#include "cytograd/train/pretraining.h"
#include "cytograd/train/task.h"

namespace cytograd::cli {
namespace {

[[noreturn]] void conflict(const std::string& found, const std::string& expected,
                           const std::string& hint = "") {
  throw ConfigError(Fault{"cfg", "", "", found, expected, hint});
}

// How many folds a file of splits holds.
int64_t folds_of(const std::string& splits) {
  const CsvTable table = read_csv(splits);
  const size_t column = table.column("fold");
  int64_t out = 0;
  for (size_t row = 0; row < table.rows(); ++row) {
    const auto fold = parse_int(table.at(row, column));
    if (!fold || *fold < 0 || *fold > 1000)
      table.fail(row, "fold " + std::string(table.at(row, column)), "0, 1, 2, ...");
    out = std::max(out, *fold + 1);
  }
  return out;
}

// "--method ce,coral" makes a cell of each.
std::vector<GridCell> take_methods(TrainOptions& options) {
  const auto given = options.given.find("--method");
  if (given == options.given.end() || given->second.back().find(',') == std::string::npos)
    return {};
  const std::string text = given->second.back();
  options.given.erase(given);
  std::vector<GridCell> out;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string name = text.substr(begin, end - begin);
    ResolvedConfig probe;
    set_config(probe, config_field("method.name"), name, "--method");
    for (const GridCell& cell : out)
      if (cell.name == name) conflict("method " + name + " twice", "each method once");
    out.push_back({name, {{"method", name}}});
    begin = end + 1;
  }
  return out;
}

std::vector<GridCell> cells_of(TrainOptions& options) {
  std::vector<GridCell> methods = take_methods(options);
  std::vector<GridCell> cells =
      options.config.empty() ? std::vector<GridCell>{{"run", {}}} : read_grid_cells(options.config);
  if (methods.empty()) return cells;
  if (cells.size() > 1 || !cells[0].values.empty())
    conflict("several methods and [[cells]] in " + options.config, "one of them",
             "name the methods in the cells");
  return methods;
}

// A domain's name as a part of a folder's name.
std::string folder_word(const std::string& name) {
  std::string out = escape_control(name);
  for (char& c : out)
    if (c == '/' || c == ' ' || c == '\\') c = '_';
  return out;
}

class ProtocolPlanner {
 public:
  ProtocolPlanner(const CrossvalOptions& options, ResolvedConfig base)
      : options_(options), base_(std::move(base)) {
    const bool leave = options_.protocol == "leave-one-domain-out";
    if (!base_.config.splits.empty())
      conflict("--protocol with split.file", "one of them", "the protocol draws the split");
    give("split.folds", leave ? "1" : "5");
    give("split.select", "val-fold");
    const bool several = base_.config.folds > 1;
    if (!leave && !several) conflict("split.folds is 1 with " + options_.protocol, "2 or more");
    seeds_ = options_.seeds > 0 ? options_.seeds : leave ? 3 : 1;
    if (options_.protocol == "five-fold" && !base_.config.unseen.empty())
      conflict("--unseen with five-fold", "--protocol fixed-unseen",
               "five-fold trains and tests on the same domains");
    if (options_.protocol == "fixed-unseen" && base_.config.unseen.empty())
      conflict("fixed-unseen without an unseen domain", "--unseen NAME");
    choices_ = leave ? left_out() : std::vector<std::vector<std::string>>{base_.config.unseen};
  }

  Plan plan(const std::vector<GridCell>& cells) {
    out_.grid.protocol = options_.protocol;
    out_.grid.folds = base_.config.folds;
    out_.grid.choices = static_cast<int64_t>(choices_.size());
    for (const GridCell& cell : cells) {
      for (size_t choice = 0; choice < choices_.size(); ++choice)
        for (int64_t fold = 0; fold < base_.config.folds; ++fold)
          for (int64_t s = 0; s < seeds_; ++s) add(cell, choice, fold, base_.config.seed + s);
      const TrainConfig& c = out_.jobs.back().config;
      out_.grid.cells.push_back({cell.name, c.method, grows(c), c.embedding});
    }
    return std::move(out_);
  }

 private:
  void give(const char* key, const std::string& text) {
    if (!base_.sources.contains(key)) set_config(base_, config_field(key), text, "protocol");
  }

  // Every domain in turn, or those that were named.
  std::vector<std::vector<std::string>> left_out() const {
    const TrainConfig& c = base_.config;
    if (c.data.empty()) throw ConfigError("no data set given; pass --data FOLDER [cli]");
    std::vector<DatasetOptions> sets;
    for (const std::string& path : c.data) sets.push_back(dataset_options(c, path));
    const Dataset data = load_datasets(sets);
    std::set<int64_t> present;
    for (const Sample& s : data.samples) present.insert(s.domain);
    if (present.size() < 2)
      conflict("leave-one-domain-out with " + std::to_string(present.size()) + " domain" +
                   (data.domains.empty() ? "" : " (" + escape_control(data.domains[0]) + ")"),
               "two domains or more", "several --data, or a manifest with a column `domain`");
    std::vector<std::vector<std::string>> out;
    if (c.unseen.empty()) {
      for (const int64_t d : present) out.push_back({data.domains[static_cast<size_t>(d)]});
    } else {
      for (const std::string& name : c.unseen) {
        (void)domain_roles(data, {}, {name});
        out.push_back({name});
      }
    }
    return out;
  }

  std::string folder_of(size_t choice, int64_t fold, int64_t seed) {
    std::string out;
    const auto join = [&](const std::string& text) { out += (out.empty() ? "" : "-") + text; };
    if (options_.protocol == "leave-one-domain-out") {
      std::string word = folder_word(choices_[choice][0]);
      for (size_t i = 0; i < choice; ++i)
        if (folder_word(choices_[i][0]) == word) word += "_" + std::to_string(choice);
      join("unseen-" + word);
    }
    if (base_.config.folds > 1) join("fold-" + std::to_string(fold));
    if (seeds_ > 1 || out.empty()) join("seed-" + std::to_string(seed));
    return out;
  }

  void add(const GridCell& cell, size_t choice, int64_t fold, int64_t seed) {
    ResolvedConfig resolved = base_;
    set_config(resolved, config_field("split.fold"), std::to_string(fold), "protocol");
    set_config(resolved, config_field("train.seed"), std::to_string(seed), "protocol");
    Job job;
    job.cell = cell.name;
    job.config = cell_config(resolved, cell, options_.config, false).config;
    job.config.unseen = choices_[choice];
    for (const std::string& name : job.config.unseen) std::erase(job.config.train_domains, name);
    check_config(job.config);
    const std::string folder = cell.name + "/" + folder_of(choice, fold, seed);
    job.folder = options_.output + "/" + folder;
    out_.grid.runs.push_back({cell.name, folder, job.config.unseen, fold, seed});
    out_.jobs.push_back(std::move(job));
  }

  const CrossvalOptions& options_;
  ResolvedConfig base_;
  int64_t seeds_ = 1;
  std::vector<std::vector<std::string>> choices_;
  Plan out_;
};

Plan plan_of_folds(const CrossvalOptions& options, ResolvedConfig base,
                   const std::vector<GridCell>& cells) {
  const std::string splits = base.config.splits;
  if (options.seeds > 0) conflict("--seeds without --protocol", "a protocol");
  if (splits.empty() && !base.sources.contains("split.folds"))
    set_config(base, config_field("split.folds"), "5", "crossval");
  Plan out;
  const int64_t folds = out.grid.folds = splits.empty() ? base.config.folds : folds_of(splits);
  if (folds < 2)
    conflict("split.folds is " + std::to_string(folds), "two folds or more",
             "`cyto train` runs one");
  // The protocol of guided embeddings, so that networks with a head are compared on equal terms.
  if (!base.sources.contains("method.posthoc"))
    set_config(base, config_field("method.posthoc"), "true", "crossval");
  for (const GridCell& cell : cells) {
    for (int64_t fold = 0; fold < folds; ++fold) {
      ResolvedConfig resolved = base;
      set_config(resolved, config_field("split.fold"), std::to_string(fold), "crossval");
      Job job;
      job.cell = cell.name;
      job.config = cell_config(resolved, cell, options.config).config;
      job.folder = options.output + "/" + cell.name + "/fold-" + std::to_string(fold);
      out.jobs.push_back(std::move(job));
    }
    const TrainConfig& c = out.jobs.back().config;
    out.grid.cells.push_back({cell.name, c.method, grows(c), c.embedding});
  }
  return out;
}

}  // namespace

Plan make_plan(const CrossvalOptions& given) {
  CrossvalOptions options = given;
  const std::vector<GridCell> cells = cells_of(options);
  ResolvedConfig base;
  if (!options.config.empty()) apply_config_file(base, options.config, "cells");
  apply_config_variables(base);
  apply_given_options(base, options);
  Plan out = options.protocol.empty() ? plan_of_folds(options, std::move(base), cells)
                                      : ProtocolPlanner(options, std::move(base)).plan(cells);
  for (const Job& job : out.jobs)
    if (is_pretraining(job.config))
      conflict("cell " + job.cell + " is a pretraining", "methods that are scored by labels",
               "`cyto pretrain` once, then --weights in the cells");
  return out;
}

}  // namespace cytograd::cli
