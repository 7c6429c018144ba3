#include "cytograd/train/run_log.h"

#include <cmath>

#include "cytograd/io/csv.h"
#include "cytograd/io/text.h"

namespace cytograd {
namespace {

int64_t lines_with_header(const Progress& progress) {
  return progress.epoch > 0 ? progress.epoch + 1 : 0;
}

std::string line_of(const std::vector<std::string>& fields) {
  std::string text = csv_row(fields);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

}  // namespace

RunLog::RunLog(const RunFolder& folder, const Progress& progress)
    : csv_(folder.file("metrics.csv"), lines_with_header(progress)),
      jsonl_(folder.file("metrics.jsonl"), progress.epoch),
      times_(folder.file("times.csv"), lines_with_header(progress)) {
  // The last epoch that was logged ended where the current one began.
  drop_events_after(folder.path(), progress.step - progress.batch);
  events_ = std::make_unique<EventWriter>(folder.path());
}

void RunLog::begin_epoch() { epoch_start_ = std::chrono::steady_clock::now(); }

void RunLog::write(const EpochInfo& info, int64_t step) {
  std::vector<std::string> names = {"epoch"}, values = {std::to_string(info.epoch)};
  std::string json = "{\"epoch\":" + values[0];
  std::vector<std::pair<std::string, double>> scalars;
  for (const auto& [name, value] : info.values) {
    const bool here = std::isfinite(value);
    names.push_back(name);
    values.push_back(here ? format_double(value) : "n/a");
    json += ",\"" + name + "\":" + (here ? format_double(value) : "null");
    if (here && name != "step") scalars.emplace_back(name, value);
  }
  if (csv_.lines() == 0) csv_.append(line_of(names));
  csv_.append(line_of(values));
  // Times differ between equal runs, so they are kept apart.
  if (times_.lines() == 0) times_.append("epoch,seconds");
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - epoch_start_;
  times_.append(values[0] + "," + format_fixed(taken.count(), 3));
  jsonl_.append(json + "}");
  csv_.sync();
  times_.sync();
  jsonl_.sync();
  events_->scalars(step, scalars);
}

}  // namespace cytograd
