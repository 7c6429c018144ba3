#include "cytograd/train/run_folder.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/train/config.h"

namespace cytograd {
namespace fs = std::filesystem;
namespace {

FileError run_error(const char* id, const std::string& path, const std::string& found,
                    const std::string& hint) {
  return FileError(Fault{id, path, "", found, "", hint});
}

[[noreturn]] void rethrow(const std::string& path, const std::error_code& error) {
  const char* id =
      error == std::errc::permission_denied || error == std::errc::read_only_file_system
          ? "file.permission"
      : error == std::errc::too_many_symbolic_link_levels || error == std::errc::filename_too_long
          ? "paths"
      : error == std::errc::no_space_on_device ? "disk.full"
                                               : "file.io";
  throw run_error(id, path, error.message(), "");
}

bool is_ours(const std::string& path) {
  std::error_code error;
  if (!fs::is_regular_file(path + "/config.toml", error)) return false;
  return read_file(path + "/config.toml").starts_with(config_marker);
}

bool is_run_file(const std::string& name) {
  static const std::vector<std::string> names = {"config.toml",
                                                 "splits.csv",
                                                 "samples.csv",
                                                 "environment.json",
                                                 "metrics.csv",
                                                 "metrics.jsonl",
                                                 "run.lock",
                                                 "DONE",
                                                 "checkpoints",
                                                 "report",
                                                 "embeddings.csv",
                                                 "embeddings.h5ad",
                                                 "times.csv",
                                                 "guide.csv",
                                                 "results.json",
                                                 "classifier.safetensors",
                                                 "reference.safetensors",
                                                 "weights.safetensors",
                                                 "stage1",
                                                 "drawn",
                                                 "domains.json",
                                                 "domains.csv",
                                                 "drift.safetensors",
                                                 "map.toml",
                                                 "rna.csv",
                                                 "image.csv",
                                                 "rna.safetensors",
                                                 "image.safetensors",
                                                 "latents.safetensors",
                                                 "cells.json"};
  return std::find(names.begin(), names.end(), name) != names.end() ||
         name.starts_with("events.out.tfevents.") || name.starts_with("diverged");
}

// `run.lock` is ours and held; everything else of an earlier run goes.
void remove_results(const std::string& path, const std::vector<std::string>& keep) {
  std::vector<fs::path> doomed;
  for (const auto& entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    if (std::find(keep.begin(), keep.end(), name) != keep.end()) continue;
    if (is_run_file(name) && name != "run.lock" && name != "config.toml")
      doomed.push_back(entry.path());
  }
  for (const fs::path& p : doomed) fs::remove_all(p);
  // Last, so that an interrupted removal can be repeated.
  fs::remove(fs::path(path) / "config.toml");
}

// A start that was killed at its first moments leaves a lock and empty folders.
bool is_empty_of_results(const std::string& path) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    const bool ours = name == "checkpoints" || name == "report";
    if (name != "run.lock" && !(ours && fs::is_empty(entry.path(), error) && !error)) return false;
  }
  return true;
}

}  // namespace

void require_run(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (error && error != std::errc::no_such_file_or_directory && error != std::errc::not_a_directory)
    rethrow(path, error);
  if (!fs::exists(status)) throw run_error("run.missing", path, "no such run folder", "");
  if (!is_ours(path))
    throw run_error("run.missing", path, "not a run folder: it has no config.toml of cyto train",
                    "a run folder is what `cyto train --output` writes");
}

RunFolder::RunFolder(std::string path) : path_(std::move(path)) {
  while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
}

RunFolder RunFolder::create(const std::string& path, bool force) {
  if (path.empty()) throw ConfigError("expected a folder to write to; pass --output FOLDER [cli]");
  RunFolder out(path);
  std::error_code error;
  if (fs::exists(out.path_, error) && !fs::is_directory(out.path_, error))
    throw run_error("run.foreign", out.path_, "is a file", "choose another --output");
  if (error && error != std::errc::no_such_file_or_directory) rethrow(out.path_, error);
  fs::create_directories(out.path_, error);
  if (error) rethrow(out.path_, error);
  out.lock_ = std::make_unique<RunLock>(out.file("run.lock"));
  remove_stale_temporaries(out.path_);
  if (!is_empty_of_results(out.path_)) {
    if (!is_ours(out.path_))
      throw run_error("run.foreign", out.path_, "holds files, and no config.toml of cyto train",
                      "choose another --output; --force does not touch such a folder");
    if (!force)
      throw run_error("run.exists", out.path_, "holds a run already",
                      "go on with --resume, replace it with --force, or choose another --output");
  }
  return out;
}

RunFolder RunFolder::resume(const std::string& path) {
  require_run(path);
  RunFolder out(path);
  out.lock_ = std::make_unique<RunLock>(out.file("run.lock"));
  remove_stale_temporaries(out.path_);
  remove_stale_temporaries(out.file("checkpoints"));
  return out;
}

void RunFolder::prepare(const std::vector<std::string>& keep) const {
  remove_results(path_, keep);
  std::error_code error;
  for (const char* name : {"checkpoints", "report"}) {
    fs::create_directory(file(name), error);
    if (error) rethrow(file(name), error);
  }
}

void RunFolder::release() {
  lock_.reset();
  std::error_code error;
  fs::remove(path_, error);
}

void RunFolder::mark_done(const std::string& text) const {
  write_file_atomically(file("DONE"), text);
}
bool RunFolder::is_done() const {
  std::error_code error;
  return fs::exists(file("DONE"), error);
}

CheckpointStore::CheckpointStore(std::string run_path)
    : folder_(std::move(run_path) + "/checkpoints") {}

CheckpointStore CheckpointStore::in(const std::string& folder) {
  CheckpointStore out("");
  out.folder_ = folder;
  return out;
}

std::string CheckpointStore::path_of(int64_t step) const {
  std::string digits = std::to_string(step);
  if (digits.size() < 8) digits.insert(0, 8 - digits.size(), '0');
  return folder_ + "/step-" + digits + ".safetensors";
}

std::vector<int64_t> CheckpointStore::steps() const {
  std::vector<int64_t> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    const std::string name = entry.path().filename().string();
    constexpr std::string_view prefix = "step-", suffix = ".safetensors";
    if (!name.starts_with(prefix) || !name.ends_with(suffix)) continue;
    const auto step = parse_int(
        std::string_view(name).substr(prefix.size(), name.size() - prefix.size() - suffix.size()));
    if (step) out.push_back(*step);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::optional<int64_t> CheckpointStore::target(const std::string& name) const {
  std::error_code error;
  const fs::path link = fs::read_symlink(folder_ + "/" + name, error);
  if (error) return {};
  for (const int64_t step : steps())
    if (fs::path(path_of(step)).filename() == link) return step;
  return {};
}

bool CheckpointStore::has(const std::string& name) const { return target(name).has_value(); }

std::string CheckpointStore::resolve(const std::string& name) const {
  if (const auto step = target(name)) return path_of(*step);
  throw FileError(Fault{"run.checkpoint", folder_ + "/" + name, "", "no such checkpoint", "",
                        "the run stopped before its first checkpoint; start it again"});
}

void CheckpointStore::publish(int64_t step, bool best) const {
  const std::string name = fs::path(path_of(step)).filename().string();
  // `best` first: a kill between the two is followed by the same epoch again, with the same file.
  if (best) swap_symlink(folder_ + "/best", name);
  swap_symlink(folder_ + "/last", name);
  std::vector<int64_t> all = steps();
  const auto best_step = target("best");
  // A file above `step` is of a run that was since resumed from an earlier checkpoint.
  int kept = 0;
  for (auto s = all.rbegin(); s != all.rend(); ++s) {
    if (*s <= step && kept < 2) {
      ++kept;
      continue;
    }
    if (best_step && *s == *best_step) continue;
    fs::remove(path_of(*s));
  }
}

void CheckpointStore::keep_best() const {
  const auto best = target("best");
  if (!best) return;
  swap_symlink(folder_ + "/last", fs::path(path_of(*best)).filename().string());
  for (const int64_t step : steps())
    if (step != *best) fs::remove(path_of(step));
}

}  // namespace cytograd
