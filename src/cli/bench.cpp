#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "bench/models/model_work.h"
#include "bench/support/case.h"
#include "bench/support/device.h"
#include "bench/support/peak.h"
#include "cli/common.h"
#include "cytograd/core/cpu.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/parallel.h"
#include "cytograd/io/text.h"
#include "cytograd/train/environment.h"

/// @file
/// `cyto bench`: speed and memory of models and kernels on this machine.

namespace cytograd::cli {
namespace {

using Json = nlohmann::ordered_json;

struct DeviceOptions : CommonOptions {
  std::string precision;  ///< empty: float32
};

struct ModelOptions : DeviceOptions {
  bench::ModelSetting setting;
  std::optional<int64_t> size, in_channels, classes;
  std::string mode = "infer";
  int64_t repeats = 5, warmup = 1;
  bool layers = false;
};

struct OpsOptions : DeviceOptions {
  std::string filter;
  int64_t repeats = 5;
  bool list = false;
};

// Four significant digits, so that JSON of two runs can be read side by side.
double rounded(double value) {
  if (value == 0 || !std::isfinite(value)) return 0;
  const double unit = std::pow(10, std::floor(std::log10(std::abs(value))) - 3);
  return std::stod(format_fixed(std::round(value / unit) * unit, 9));
}

std::string padded(std::string text, size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

std::string column(double value, int digits, size_t width) {
  const std::string text = format_fixed(value, digits);
  return std::string(width - std::min(width, text.size()), ' ') + text;
}

void choose_setting(const DeviceOptions& o) {
  const Device device = device_of(o);
  if (device.type == DeviceType::cpu && !o.precision.empty() && o.precision != "float32")
    throw ConfigError("--precision " + o.precision + ": the CPU computes in float32");
  bench::set_device(device, bench::parse_precision(o.precision.empty() ? "float32" : o.precision));
}

// What the figures belong to.
std::string machine_text() {
  if (bench::device().type != DeviceType::cpu) return describe(bench::device());
  return cpu_name() + ", " + std::to_string(num_threads()) + " threads, " + isa_name();
}

Json machine_json(const DeviceOptions& o) {
  Json json = {{"threads", num_threads()}, {"isa", isa_name()}, {"processor", cpu_name()}};
  if (bench::device().type != DeviceType::cpu)
    json.update({{"device", describe(bench::device())},
                 {"precision", o.precision.empty() ? "float32" : o.precision}});
  return json;
}

// Fills in what was given; autoencoders and detectors take none of it.
void apply_sizes(ModelOptions& o) {
  const bool takes = bench::takes_sizes(o.setting.model);
  const auto apply = [&](const char* name, const std::optional<int64_t>& given, int64_t& value) {
    if (given && !takes)
      throw ConfigError(std::string(name) + ": the inputs of " + o.setting.model + " are fixed");
    value = given.value_or(value);
  };
  apply("--size", o.size, o.setting.size);
  apply("--in-channels", o.in_channels, o.setting.in_channels);
  apply("--classes", o.classes, o.setting.classes);
}

Json layers_json(const std::vector<bench::StepTime>& layers) {
  Json rows = Json::array();
  for (const bench::StepTime& layer : layers)
    rows.push_back({{"name", layer.name},
                    {"median_ms", rounded(1e3 * layer.seconds)},
                    {"gflops", rounded(1e-9 * layer.flops / layer.seconds)}});
  return rows;
}

void print_layers(const std::vector<bench::StepTime>& layers) {
  double total = 0;
  for (const bench::StepTime& layer : layers) total += layer.seconds;
  std::string text = "\nmedian ms   share  GFLOP/s  step\n";
  for (const bench::StepTime& layer : layers)
    text +=
        column(1e3 * layer.seconds, 3, 9) + column(100 * layer.seconds / total, 1, 7) + "%" +
        (layer.flops > 0 ? column(1e-9 * layer.flops / layer.seconds, 1, 9) : std::string(9, ' ')) +
        "  " + layer.name + "\n";
  console().out(text);
}

void print_model_json(const ModelOptions& o, const bench::ModelResult& r, double rate,
                      const std::vector<bench::StepTime>& layers) {
  const bench::ModelSetting& s = o.setting;
  Json json = {{"model", s.model},
               {"mode", o.mode},
               {"compiled", bench::is_compiled(s)},
               {"batch", s.batch}};
  if (bench::takes_sizes(s.model))
    json.update({{"size", s.size}, {"in_channels", s.in_channels}, {"classes", s.classes}});
  json.update({{"images_per_second", rounded(rate)},
               {"median_ms", rounded(1e3 * r.median_seconds)},
               {"best_ms", rounded(1e3 * r.best_seconds)},
               {"processor_ms", rounded(1e3 * r.processor_seconds)},
               {"peak_memory_mb", rounded(1e-6 * r.peak_bytes)},
               {"tensor_peak_mb", rounded(1e-6 * r.tensor_peak_bytes)},
               {"repeats", o.repeats},
               {"warmup", o.warmup}});
  json.update(machine_json(o));
  if (o.layers) json["layers"] = layers_json(layers);
  console().out(json.dump() + "\n");
}

void run_model(ModelOptions& o) {
  choose_setting(o);
  o.setting.train = o.mode == "train";
  apply_sizes(o);
  const bench::ModelSetting& s = o.setting;
  if (o.layers && !bench::is_compiled(s))
    throw ConfigError("--layers: only compiled inference of a classifier has steps to time");
  const bench::ModelResult r = bench::run_model(s, o.repeats, o.warmup);
  std::vector<bench::StepTime> layers;
  if (o.layers) layers = bench::step_times(s, o.repeats, o.warmup);
  const double rate = static_cast<double>(s.batch) / r.median_seconds;
  if (o.json) return print_model_json(o, r, rate, layers);
  const std::string size = std::to_string(s.size);
  console().out("model       " + s.model + ", " + o.mode + ", batch " + std::to_string(s.batch) +
                (bench::takes_sizes(s.model) ? ", " + size + " x " + size : "") + "\nmachine     " +
                machine_text() + "\nimages/s    " + format_fixed(rate, 2) + "\nmedian      " +
                format_fixed(1e3 * r.median_seconds, 2) + " ms of " + std::to_string(o.repeats) +
                "\nbest        " + format_fixed(1e3 * r.best_seconds, 2) + " ms\nprocessor   " +
                format_fixed(1e3 * r.processor_seconds, 2) + " ms on all threads\nmemory      " +
                format_fixed(1e-6 * r.peak_bytes, 0) + " MB at most, tensors " +
                format_fixed(1e-6 * r.tensor_peak_bytes, 0) + " MB\n");
  if (o.layers) print_layers(layers);
}

Json case_json(const bench::Case& c) {
  Json sizes = Json::object();
  for (const auto& [name, value] : c.sizes) sizes[name] = value;
  return {{"name", c.name}, {"sizes", sizes}, {"flop", c.flops}, {"bytes", c.bytes}};
}

std::string sizes_text(const bench::Case& c) {
  std::string out;
  for (const auto& [name, value] : c.sizes)
    out += (out.empty() ? "" : " ") + std::string(name) + " " + std::to_string(value);
  return out;
}

void list_ops(const OpsOptions& o, const std::vector<bench::Case>& cases) {
  Json rows = Json::array();
  std::string text;
  for (const bench::Case& c : cases) {
    rows.push_back(case_json(c));
    text += padded(c.name, 40) + sizes_text(c) + "\n";
  }
  console().out(o.json ? Json{{"ops", rows}}.dump() + "\n" : text);
}

void run_ops(OpsOptions& o) {
  choose_setting(o);
  const std::vector<bench::Case> cases = bench::find_cases(o.filter);
  if (cases.empty())
    throw ConfigError("--filter " + escape_control(o.filter) +
                      ": no operation has such a name; `cyto bench ops --list` prints them");
  if (o.list) return list_ops(o, cases);
  const bool host = bench::device().type == DeviceType::cpu;
  double peak = host ? bench::peak_gflops() : 0;
  const double copy = host ? bench::copy_gigabytes() : 0;
  if (!o.json)
    console().out("# " + machine_text() +
                  (host ? ": " + format_fixed(peak, 0) + " GFLOP/s multiply-adds, " +
                              format_fixed(copy, 1) + " GB/s copying"
                        : "") +
                  "\n" + padded("operation", 40) +
                  "   best ms  median   GFLOP/s  of peak   GB/s\n");
  Json rows = Json::array();
  for (const bench::Case& c : cases) {
    const bench::CaseResult r = bench::run_case(c, o.repeats);
    peak = std::max(peak, r.peak);
    Json row = case_json(c);
    row["ms"] = rounded(1e3 * r.best_seconds);
    row["median_ms"] = rounded(1e3 * r.median_seconds);
    row["gflops"] = c.flops > 0 ? Json(rounded(r.gflops)) : Json();
    row["gigabytes_per_second"] = rounded(r.gigabytes);
    if (host) {
      row["share_of_peak"] = c.flops > 0 ? Json(rounded(r.share())) : Json();
      row["peak_gflops"] = rounded(r.peak);
    }
    rows.push_back(std::move(row));
    if (o.json) continue;
    const std::string rates =
        c.flops > 0 ? column(r.gflops, 1, 10) + column(r.share(), 2, 9) : std::string(19, ' ');
    console().out(padded(c.name, 40) + column(1e3 * r.best_seconds, 3, 10) +
                  column(1e3 * r.median_seconds, 3, 9) + rates + column(r.gigabytes, 1, 7) + "\n");
  }
  if (!o.json) return;
  Json json = machine_json(o);
  if (host)
    json.update({{"peak_gflops", rounded(peak)}, {"copy_gigabytes_per_second", rounded(copy)}});
  json["ops"] = rows;
  console().out(json.dump() + "\n");
}

// A subcommand; messages begin with `cyto bench NAME: `.
template <class Options, class Run>
void run_part(CommandLine part, std::shared_ptr<Options> options, Run run) {
  part.callback([name = "bench " + part.name(), options, run] {
    apply_common_options(name, *options);
    run(*options);
  });
}

void add_device_options(CommandLine part, DeviceOptions& o) {
  if (cuda_built())
    part.add_option("--precision", o.precision,
                    "Of products and convolutions on the device: float32, tf32 or bf16 (float32)")
        .one_of({"float32", "tf32", "bf16"});
  add_common_options(part, o, with_device);
}

void add_bench_model(CommandLine bench_command) {
  auto o = std::make_shared<ModelOptions>();
  CommandLine part = add_command(bench_command, "model", "Time inference or training of a model",
                                 "cyto bench model --model resnet50 --mode infer --batch 16\n"
                                 "cyto bench model --model densenet121 --mode train --threads 1\n");
  std::string names;
  for (const std::string& name : bench::bench_model_names())
    names += (names.empty() ? "" : ", ") + name;
  part.add_option("--model", o->setting.model, "One of " + names).required();
  part.add_option("--mode", o->mode, "train (forward, loss, backward, optimiser) or infer")
      .one_of({"train", "infer"})
      .show_default();
  const auto number = [&](const char* name, int64_t& value, int64_t least, int64_t most,
                          const char* help) {
    part.add_option(name, value, help).range(least, most).show_default();
  };
  number("--batch", o->setting.batch, 1, 1 << 20, "Images at a time");
  const auto size = [&](const char* name, std::optional<int64_t>& value, int64_t most,
                        const char* help) {
    part.add_option(name, value, help).range(int64_t{1}, most);
  };
  size("--size", o->size, 1 << 16, "Height and width of the images in pixels (224)");
  size("--in-channels", o->in_channels, 1 << 16, "Channels of the images (3)");
  size("--classes", o->classes, 1 << 24, "Classes of the classifier (1000)");
  number("--repeats", o->repeats, 1, 1 << 20, "Timed runs");
  number("--warmup", o->warmup, 0, 1 << 20, "Runs before them");
  part.add_flag("--layers", o->layers, "Also the time of every step of compiled inference");
  part.add_flag("--eager", o->setting.eager, "Inference layer by layer instead of compiled");
  add_device_options(part, *o);
  run_part(part, o, run_model);
}

void add_bench_ops(CommandLine bench_command) {
  auto o = std::make_shared<OpsOptions>();
  CommandLine part = add_command(
      bench_command, "ops", "Time kernels: GFLOP/s, GB/s, share of the multiply-add peak",
      "cyto bench ops --filter conv2d/res2\n"
      "cyto bench ops --filter 'conv2d/*/backward' --threads 1 --json\n");
  part.add_option("--filter", o->filter, "Only names that contain this; * stands for any text");
  part.add_option("--repeats", o->repeats, "Runs of each at least")
      .range(1, 1 << 20)
      .show_default();
  part.add_flag("--list", o->list, "Only name them");
  add_device_options(part, *o);
  run_part(part, o, run_ops);
}

void add_bench_command(CommandLine app) {
  CommandLine command =
      add_command(app, "bench", "Speed and memory of models and kernels on this machine",
                  "cyto bench model --model resnet50 --mode infer --batch 16 --threads 2\n"
                  "cyto bench ops --filter conv2d\n");
  command.require_subcommand(1);
  add_bench_model(command);
  add_bench_ops(command);
}

const Command registered{90, add_bench_command};

}  // namespace
}  // namespace cytograd::cli
