#include "cli/narrator.h"

#include <algorithm>
#include <cmath>

#include "cli/common.h"
#include "cytograd/io/text.h"
#include "cytograd/train/environment.h"

namespace cytograd::cli {
namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

TrainHooks Narrator::hooks() {
  return {[this](const StepInfo& s) { on_step(s); }, [this](const EpochInfo& e) { on_epoch(e); },
          [](const std::string& text) { console().note(text); }};
}

void Narrator::on_step(const StepInfo& s) {
  if (first_step_ < 0) first_step_ = s.step - 1;
  steps_ = s.steps;
  step_ = s.step;
  if (!console().progress() || seconds_since(shown_) < 0.1) return;
  shown_ = Clock::now();
  constexpr int64_t width = 20;
  const int64_t full = s.batch * width / s.batches;
  console().status(
      "epoch " + std::to_string(s.epoch + 1) + " [" + std::string(static_cast<size_t>(full), '=') +
      std::string(static_cast<size_t>(width - full), ' ') + "] " + std::to_string(s.batch) + "/" +
      std::to_string(s.batches) + "  loss " + format_fixed(s.loss, 4) + "  " + remaining());
}

void Narrator::on_epoch(const EpochInfo& e) {
  const auto value = [&](const std::string& name) {
    for (const auto& [key, v] : e.values)
      if (key == name) return std::isfinite(v) ? format_fixed(v, 4) : std::string("n/a");
    return std::string("n/a");
  };
  std::string text = "epoch " + std::to_string(e.epoch) + "/" + std::to_string(e.epochs) + ":";
  for (size_t i = 0; i < shown_values_.size(); ++i)
    text += (i > 0 ? ", " : " ") + shown_values_[i].first + " " + value(shown_values_[i].second);
  console().note(text + (e.best ? " (best)" : "") + "; " + human_time(seconds_since(epoch_begin_)) +
                 ", " + remaining());
  epoch_begin_ = Clock::now();
}

std::string Narrator::remaining() const {
  const auto done = static_cast<double>(step_ - first_step_);
  const auto left = static_cast<double>(steps_ - step_);
  return human_time(seconds_since(begin_) / std::max(done, 1.0) * std::max(left, 0.0)) + " left";
}

void require_disk(const std::string& path, double checkpoint_bytes) {
  const double needed = 4 * checkpoint_bytes, free = free_disk(path);
  if (free > 0 && needed > free)
    throw FileError(Fault{"disk.full", path, "", human_bytes(free) + " are free",
                          human_bytes(needed) + " for four checkpoints",
                          "choose another --output"});
}

}  // namespace cytograd::cli
