#include "cytograd/train/checkpoint.h"

#include <nlohmann/json.hpp>

#include "cytograd/core/error.h"
#include "cytograd/io/hash.h"
#include "cytograd/io/text.h"
#include "cytograd/train/environment.h"

namespace cytograd {
namespace {

using Json = nlohmann::ordered_json;

DataError bad(const std::string& file, const std::string& found) {
  return DataError(Fault{"run.checkpoint", file, "metadata", found, "a checkpoint of cyto train",
                         "weights alone are loaded with --weights"});
}

const std::string& meta(const Checkpoint& c, const std::string& key, const std::string& file) {
  const auto found = c.metadata.find(key);
  if (found == c.metadata.end()) throw bad(file, "no " + key);
  return found->second;
}

// Class names are bytes; JSON holds text.
std::vector<std::string> strings_of(const std::string& text, const std::string& file) {
  try {
    return Json::parse(text).get<std::vector<std::string>>();
  } catch (const Json::exception&) {
    throw bad(file, "a list of names that is not JSON");
  }
}

}  // namespace

std::string Progress::json() const {
  Json out = {{"epoch", epoch},       {"batch", batch},  {"step", step},
              {"finished", finished}, {"seen", seen},    {"hits", hits},
              {"sums", sums},         {"best", nullptr}, {"best_epoch", best_epoch}};
  if (best) out["best"] = *best;
  return out.dump();
}

Progress Progress::from_json(const std::string& text, const std::string& file) {
  try {
    const Json in = Json::parse(text);
    Progress out;
    in.at("epoch").get_to(out.epoch);
    in.at("batch").get_to(out.batch);
    in.at("step").get_to(out.step);
    in.at("finished").get_to(out.finished);
    in.at("seen").get_to(out.seen);
    in.at("hits").get_to(out.hits);
    in.at("sums").get_to(out.sums);
    in.at("best_epoch").get_to(out.best_epoch);
    if (!in.at("best").is_null()) out.best = in.at("best").get<double>();
    if (out.epoch < 0 || out.batch < 0 || out.step < 0) throw bad(file, "negative progress");
    return out;
  } catch (const Json::exception&) {
    throw bad(file, "progress that cannot be read");
  }
}

void Checkpoint::add(const std::string& prefix, const nn::NamedTensors& named) {
  for (const auto& [name, tensor] : named)
    tensors[prefix + name] = tensor.detach().to(Device::cpu());
}

nn::NamedTensors Checkpoint::part(const std::string& prefix) const {
  nn::NamedTensors out;
  for (const auto& [name, tensor] : tensors) {
    const bool mine =
        prefix.empty() ? name.find('/') == std::string::npos : name.starts_with(prefix);
    if (mine) out.emplace_back(name.substr(prefix.size()), tensor);
  }
  return out;
}

nn::NamedTensors Checkpoint::weights() const {
  nn::NamedTensors out = part("");
  for (auto& [name, tensor] : out)
    if (const auto averaged = tensors.find("ema/" + name); averaged != tensors.end())
      tensor = averaged->second;
  return out;
}

std::string checkpoint_file(const std::string& run, const std::string& which) {
  const CheckpointStore store(run);
  return store.resolve(which == "best" && !store.has("best") ? "last" : which);
}

void write_checkpoint(const std::string& path, const Checkpoint& checkpoint,
                      const TrainConfig& config) {
  std::map<std::string, std::string> metadata = checkpoint.metadata;
  Json classes = Json::array(), domains = Json::array();
  for (const std::string& name : checkpoint.classes) classes.push_back(escape_control(name));
  for (const std::string& name : checkpoint.domains) domains.push_back(escape_control(name));
  metadata["cytograd.domains"] = domains.dump();
  metadata["cytograd.format"] = std::to_string(checkpoint_format);
  metadata["cytograd.classes"] = classes.dump();
  metadata["cytograd.arch"] = config.model;
  metadata["cytograd.embedding"] = std::to_string(config.embedding);
  metadata["cytograd.image_size"] = std::to_string(config.image_size);
  metadata["cytograd.config_hash"] = xxh3_128(config_toml(config));
  metadata["cytograd.data_hash"] = checkpoint.data_hash;
  metadata["cytograd.build"] = build_info().version;
  metadata["cytograd.progress"] = checkpoint.progress.json();
  write_safetensors(path, checkpoint.tensors, metadata);
}

Checkpoint read_checkpoint(const std::string& path) {
  SafeTensors file = read_safetensors(path);
  Checkpoint out;
  out.tensors = std::move(file.tensors);
  out.metadata = std::move(file.metadata);
  const auto format = parse_int(meta(out, "cytograd.format", path));
  if (!format || *format > checkpoint_format)
    throw bad(path, "format " + meta(out, "cytograd.format", path) + ", newer than " +
                        std::to_string(checkpoint_format));
  out.classes = strings_of(meta(out, "cytograd.classes", path), path);
  if (const auto domains = out.metadata.find("cytograd.domains"); domains != out.metadata.end())
    out.domains = strings_of(domains->second, path);
  out.data_hash = meta(out, "cytograd.data_hash", path);
  out.progress = Progress::from_json(meta(out, "cytograd.progress", path), path);
  return out;
}

Checkpoint read_last_checkpoint(const CheckpointStore& store, bool fall_back, std::string& note) {
  const std::string last = store.resolve("last");
  std::string failure;
  Fault fault;
  try {
    return read_checkpoint(last);
  } catch (const DataError& e) {
    failure = e.what();
    fault = e.fault();
  }
  const std::vector<int64_t> steps = store.steps();
  for (auto s = steps.rbegin(); s != steps.rend(); ++s) {
    const std::string path = store.path_of(*s);
    if (path == last) continue;
    try {
      Checkpoint good = read_checkpoint(path);
      if (fall_back) {
        note = "the last checkpoint is damaged (" + failure + "); going on from " + path;
        return good;
      }
      fault.hint = "the newest good checkpoint is " + path +
                   "; pass --resume auto --output RUN to go on from it";
      throw DataError(fault);
    } catch (const DataError&) {
      if (!fall_back && !fault.hint.empty() && fault.hint.find(path) != std::string::npos) throw;
    }
  }
  fault.hint = "there is no other checkpoint; start again with --force";
  throw DataError(fault);
}

}  // namespace cytograd
