#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/common.h"
#include "cuda/emulation/memory.h"
#include "cuda/emulation/trace.h"
#include "cuda/teaching/teaching.h"

/// @file
/// `cyto kernel trace`: what each warp of a small launch does. Only in builds with the emulated
/// device.

namespace cytograd::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options : CommonOptions {
  std::string name, order = "ascending";
};

struct DeviceMatrix {
  explicit DeviceMatrix(size_t n) : data(static_cast<float*>(simt::device_allocate(4 * n))) {}
  ~DeviceMatrix() { simt::device_free(data); }
  DeviceMatrix(const DeviceMatrix&) = delete;
  DeviceMatrix& operator=(const DeviceMatrix&) = delete;
  float* data;
};

std::string padded(std::string text, size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

std::string lanes_text(uint32_t lanes) {
  if (lanes == ~0u) return "all";
  char text[16];
  std::snprintf(text, sizeof text, "%08x", lanes);
  return text;
}

std::string cost_text(const simt::TraceEvent& e) {
  if (e.bytes == 0) return "";
  std::string text = std::to_string(e.cost.moved) + (e.shared ? " wavefronts" : " sectors");
  if (e.cost.moved > e.cost.ideal) text += " (ideal " + std::to_string(e.cost.ideal) + ")";
  return text;
}

void print_text(const cuda::TeachingKernel& kernel, const std::vector<simt::TraceEvent>& events) {
  console().out(
      kernel.name + ": " + kernel.about + "; [" + std::to_string(kernel.rows) + ", " +
      std::to_string(kernel.cols) + "]; " + simt::config_text() + "\n\n" +
      " step  block warp lanes     what                  bytes  cost                       line\n");
  size_t step = 0;
  for (const simt::TraceEvent& e : events) {
    char row[64];
    std::snprintf(row, sizeof row, "%5zu  %5u %4u ", ++step, e.block, e.warp);
    console().out(row + padded(lanes_text(e.lanes), 10) + padded(e.what, 22) +
                  padded(e.bytes ? std::to_string(e.bytes) : "", 7) + padded(cost_text(e), 27) +
                  (e.line.line ? e.line.text() : "") + "\n");
  }
  console().out("\nPer line:\n" + simt::profile_text());
}

void print_json(const cuda::TeachingKernel& kernel, const std::vector<simt::TraceEvent>& events) {
  Json out = {{"kernel", kernel.name},      {"rows", kernel.rows},     {"cols", kernel.cols},
              {"run", simt::config_text()}, {"events", Json::array()}, {"lines", Json::array()}};
  for (const simt::TraceEvent& e : events) {
    Json event = {
        {"block", e.block}, {"warp", e.warp}, {"lanes", lanes_text(e.lanes)}, {"what", e.what}};
    if (e.bytes)
      event.update({{"bytes", e.bytes},
                    {e.shared ? "wavefronts" : "sectors", e.cost.moved},
                    {"ideal", e.cost.ideal}});
    if (e.line.line) event["line"] = e.line.text();
    out["events"].push_back(event);
  }
  for (const simt::LineProfile& p : simt::profile())
    out["lines"].push_back({{"line", p.line.text()},
                            {"memory", p.shared ? "shared" : "global"},
                            {"access", p.write ? "write" : "read"},
                            {"bytes", p.bytes},
                            {"requests", p.requests},
                            {p.shared ? "wavefronts" : "sectors", p.moved},
                            {"ideal", p.ideal}});
  console().out(out.dump() + "\n");
}

void run(Options& o) {
  if (o.name.empty()) {
    for (const cuda::TeachingKernel& kernel : cuda::teaching_kernels())
      console().out(padded(kernel.name, 14) + kernel.about + "\n");
    return;
  }
  const cuda::TeachingKernel& kernel = cuda::teaching_kernel(o.name);
  const simt::ConfigScope scope;
  simt::Config& config = simt::config();
  config.order = o.order == "ascending"    ? simt::Order::ascending
                 : o.order == "descending" ? simt::Order::descending
                                           : simt::Order::random;
  config.seed = o.seed;
  config.profile = config.race = true;
  const auto n = static_cast<size_t>(kernel.rows) * static_cast<size_t>(kernel.cols);
  const DeviceMatrix x(n), y(n);
  for (size_t i = 0; i < n; ++i) x.data[i] = static_cast<float>(i % 13);
  const simt::Tracer tracer;
  kernel.run(x.data, y.data, kernel.rows, kernel.cols);
  if (o.json)
    print_json(kernel, tracer.events());
  else
    print_text(kernel, tracer.events());
}

void add_kernel_command(CommandLine app) {
  auto options = std::make_shared<Options>();
  CommandLine command = add_command(
      app, "kernel", "Look inside CUDA kernels on the emulated device",
      "cyto kernel trace transpose_2      what each warp does, bank conflicts, sectors\n"
      "cyto kernel trace                  the kernels there are\n");
  CommandLine trace = add_command(command, "trace", "Show what each warp of a small launch does",
                                  "cyto kernel trace softmax_3 --order random --seed 7\n");
  trace.add_option("name", options->name, "Kernel; without it they are listed");
  trace.add_option("--order", options->order, "Order in which threads run")
      .one_of({"ascending", "descending", "random"});
  add_common_options(trace, *options, with_seed);
  run_command(trace, options, run);
}

const Command registered{95, add_kernel_command};

}  // namespace
}  // namespace cytograd::cli
