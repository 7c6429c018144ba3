#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "cytograd/io/file.h"
#include "support/program.h"
#include "support/temp_folder.h"

namespace cytograd::test {

using Words = std::vector<std::string>;

/// A folder for runs, and what is in them.
class RunsFolder {
 public:
  std::string last(const std::string& run) const { return file(run, "checkpoints/last"); }
  std::string file(const std::string& run, const std::string& name) const {
    return read_file(folder / (run + "/" + name));
  }
  bool has(const std::string& run, const std::string& name) const {
    return std::filesystem::exists(folder / (run + "/" + name));
  }
  TempFolder folder;
};

/// Images, and the command line of a run of half a second on them.
class Lab : public RunsFolder {
 public:
  Lab() : data(folder / "data") { write_discs(data, {"large", "small", "tiny"}, 12); }
  Words train(const std::string& run, const Words& more = {}) const {
    Words out = {"train", "--data",    data,   "--output", folder / run, "--image-size",
                 "16",    "--epochs",  "4",    "--batch",  "8",          "--ema",
                 "0.9",   "--augment", "full", "--model",  "resnet20"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  Words resume(const std::string& run) const { return {"train", "--resume", folder / run}; }
  std::string data;
};

/// Small drawn smears, and the command line of a detector that is trained on them in seconds.
class Smears : public RunsFolder {
 public:
  Smears() {
    const auto made =
        cyto({"synth", "smears", "-o", folder / "data", "--count", "12", "--width", "128",
              "--height", "96", "--microns-per-pixel", "0.5", "--format", "png"});
    REQUIRE_MESSAGE(made.exit == 0, made.err);
  }
  Words train(const std::string& run, const Words& more = {}) const {
    Words out = {"segment",
                 "train",
                 "--data",
                 folder / "data",
                 "--output",
                 folder / run,
                 "--min-size",
                 "64",
                 "--max-size",
                 "96",
                 "--epochs",
                 "2",
                 "--smallest-anchor",
                 "8",
                 "--detector-channels",
                 "16",
                 "--detector-hidden",
                 "32",
                 "--regions",
                 "32",
                 "--proposals",
                 "64",
                 "--ema",
                 "0.9",
                 "--nucleus"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  Words resume(const std::string& run) const {
    return {"segment", "train", "--resume", folder / run};
  }
};

inline void pause(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

/// Until the run has at least one finished epoch, or has ended.
inline void wait_for_epoch(const std::string& run) {
  std::error_code error;
  for (int i = 0; i < 4000; ++i) {
    if (std::filesystem::file_size(run + "/metrics.jsonl", error) > 0 && !error) return;
    pause(0.002);
  }
}

}  // namespace cytograd::test
