#include "cytograd/data/scan.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <set>

#include "cytograd/core/parallel.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/io/hash.h"
#include "cytograd/io/image.h"
#include "cytograd/io/text.h"

using namespace std::string_literals;  // "\0um"s holds its zero byte

namespace cytograd {

namespace {

// What one image file turned out to be; several samples may share a file.
struct FileReport {
  int64_t width = 0, height = 0;
  std::string form, hash;
  std::vector<Fault> faults;
};

struct MaskReport {
  std::vector<Fault> faults;
  int64_t stray = 0;   // pixels outside the declared values, where that is tolerated
  bool empty = false;  // no foreground at all
};

std::string describe(const ImageInfo& info) {
  std::string form = name_of(info.format);
  form += info.palette         ? " palette"
          : info.channels == 1 ? " grey"
          : info.channels == 2 ? " grey+alpha"
          : info.channels == 4 ? " rgba"
                               : " rgb";
  form += " " + std::to_string(info.bits) + " bit";
  if (info.orientation > 1) form += " rotated";
  return form;
}

FileReport scan_image(const std::string& path, const ImageOptions& options) {
  FileReport report;
  try {
    const std::string bytes = read_file(path, max_image_file_bytes);
    report.hash = xxh3_128(bytes);
    const ImageInfo info = probe_image(bytes, path, options);
    report.width = info.width;
    report.height = info.height;
    report.form = describe(info);
    decode_image(bytes, path, options);
  } catch (const IoError& e) {
    report.faults.push_back(e.fault());
  }
  return report;
}

std::string size_text(int64_t width, int64_t height) {
  return std::to_string(width) + "x" + std::to_string(height);
}

// "7 (12 pixels), 31 (2 pixels)" for the first five.
std::string list_values(const std::vector<int64_t>& histogram, const std::vector<int>& declared) {
  std::string text;
  int listed = 0;
  for (size_t v = 0; v < histogram.size(); ++v) {
    if (histogram[v] == 0 ||
        std::find(declared.begin(), declared.end(), static_cast<int>(v)) != declared.end())
      continue;
    if (++listed > 5) return text + ", ...";
    text += (text.empty() ? "" : ", ") + std::to_string(v) + " (" + std::to_string(histogram[v]) +
            " pixels)";
  }
  return text;
}

std::string list_declared(const std::vector<int>& values) {
  std::string text;
  for (const int v : values) text += (text.empty() ? "" : ", ") + std::to_string(v);
  return text;
}

MaskReport scan_mask(const Sample& sample, const MaskRule& rule, const FileReport& image,
                     const ImageOptions& options) {
  MaskReport report;
  try {
    ImageOptions keep = options;
    keep.form = PixelForm::keep;
    const Image mask = read_image(sample.mask, keep);
    if (image.width > 0 && (mask.width != image.width || mask.height != image.height)) {
      report.faults.push_back({"mask.size", sample.mask, "", size_text(mask.width, mask.height),
                               size_text(image.width, image.height) + " as " + sample.path,
                               "masks are never resized"});
      return report;
    }
    std::vector<int64_t> histogram(256);
    int64_t coloured = 0;
    for (int64_t i = 0; i < mask.height * mask.width; ++i) {
      const uint8_t* p = mask.pixels.data() + i * mask.channels;
      int grey = p[0];
      if (mask.channels == 3) {
        grey = (p[0] + p[1] + p[2] + 1) / 3;
        coloured += p[0] != p[1] || p[1] != p[2];
      }
      ++histogram[static_cast<size_t>(grey)];
    }
    int64_t foreground = 0, declared = 0, total = mask.height * mask.width;
    for (int v = 0; v < 256; ++v)
      if (mask_part(rule, v) != MaskPart::background)
        foreground += histogram[static_cast<size_t>(v)];
    for (const int v : rule.values) declared += histogram[static_cast<size_t>(v)];
    report.empty = foreground == 0;
    if (rule.values.empty() || (declared == total && coloured == 0)) return report;
    if (rule.tolerate_stray) {
      report.stray = total - declared;
      return report;
    }
    std::string found = list_values(histogram, rule.values);
    if (coloured > 0)
      found += (found.empty() ? "" : "; ") + std::to_string(coloured) + " coloured pixels";
    report.faults.push_back({"mask.values", sample.mask, "", found,
                             "only the values " + list_declared(rule.values),
                             "pass --mask-threshold CELL[,NUCLEUS] or --mask-map VALUE=PART,..."});
  } catch (const IoError& e) {
    report.faults.push_back(e.fault());
  }
  return report;
}

}  // namespace

namespace {

class Scanner {
 public:
  Scanner(const Dataset& dataset, const ScanOptions& options)
      : dataset_(dataset), options_(options) {
    image_options_.max_pixels = options.max_pixels;
  }

  ScanReport run() {
    index_files();
    read_files();
    report_.faults = dataset_.faults;
    for (size_t i = 0; i < dataset_.samples.size(); ++i) judge(i);
    note_forms();
    find_equal_content();
    report_.notes.insert(report_.notes.begin(), dataset_.notes.begin(), dataset_.notes.end());
    hash_all();
    return std::move(report_);
  }

 private:
  void index_files() {
    for (const Sample& s : dataset_.samples) {
      const auto [it, is_new] = image_of_.try_emplace(s.path, paths_.size());
      if (is_new) paths_.push_back(s.path);
      file_.push_back(it->second);
      if (s.mask.empty()) continue;
      const auto [m, new_mask] = mask_of_.try_emplace(s.mask, masks_.size());
      if (new_mask) masks_.push_back(file_.size() - 1);
    }
    files_.resize(paths_.size());
    mask_reports_.resize(masks_.size());
  }

  void read_files() {
    const int64_t images = static_cast<int64_t>(paths_.size());
    const int64_t total = images + static_cast<int64_t>(masks_.size());
    std::atomic<int64_t> done{0};
    const auto step = [&] {
      const int64_t n = done.fetch_add(1) + 1;
      if (options_.progress) options_.progress(n, total);
    };
    parallel_for(images, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const size_t at = static_cast<size_t>(i);
        files_[at] = scan_image(paths_[at], image_options_);
        step();
      }
    });
    parallel_for(static_cast<int64_t>(masks_.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const size_t at = static_cast<size_t>(i), sample = masks_[at];
        const Sample& s = dataset_.samples[sample];
        mask_reports_[at] = scan_mask(s, dataset_.mask_rules[static_cast<size_t>(s.domain)],
                                      files_[file_[sample]], image_options_);
        step();
      }
    });
  }

  // One sample: its place in the report, its faults once per file, its notes.
  void judge(size_t i) {
    const Sample& s = dataset_.samples[i];
    const FileReport& file = files_[file_[i]];
    SampleReport r{file.width, file.height, file.form, file.hash, true, ""};
    const bool first = seen_files_.insert(file_[i]).second;
    if (!file.faults.empty()) {
      r.used = false;
      r.reason = file.faults[0].id;
      if (first)
        report_.faults.insert(report_.faults.end(), file.faults.begin(), file.faults.end());
    } else if (s.box && (s.box->x1 >= static_cast<double>(file.width) ||
                         s.box->y1 >= static_cast<double>(file.height) || s.box->x2 <= 0 ||
                         s.box->y2 <= 0)) {
      r.used = false;
      r.reason = "box.degenerate";
      report_.faults.push_back({"box.degenerate", s.path, s.id, "a box outside the image",
                                "a box within " + size_text(file.width, file.height), ""});
    }
    if (!s.mask.empty()) judge_mask(s, r);
    report_.bad += !r.used;
    report_.samples.push_back(std::move(r));
  }

  void judge_mask(const Sample& s, SampleReport& r) {
    const size_t m = mask_of_[s.mask];
    const MaskReport& mask = mask_reports_[m];
    const bool first = seen_masks_.insert(m).second;
    if (!mask.faults.empty()) {
      r.used = false;
      if (r.reason.empty()) r.reason = mask.faults[0].id;
    }
    if (!first) return;
    report_.faults.insert(report_.faults.end(), mask.faults.begin(), mask.faults.end());
    if (mask.empty) note("mask.empty", "masks without foreground", s.mask);
    if (mask.stray > 0) note("mask.values", "masks with stray values, read by threshold", s.mask);
  }

  void note(const std::string& id, const std::string& text, const std::string& example) {
    Dataset holder;
    holder.notes = std::move(report_.notes);
    holder.add_note(id, text, example);
    report_.notes = std::move(holder.notes);
  }

  void note_forms() {
    std::map<std::pair<int64_t, int64_t>, std::set<std::string>> forms;
    for (size_t i = 0; i < dataset_.samples.size(); ++i)
      if (report_.samples[i].used)
        forms[{dataset_.samples[i].domain, dataset_.samples[i].label}].insert(
            report_.samples[i].form);
    for (const auto& [key, names] : forms) {
      if (names.size() < 2) continue;
      std::string list;
      for (const auto& n : names) list += (list.empty() ? "" : ", ") + n;
      note("img.form", "classes of mixed image forms",
           dataset_.domains[static_cast<size_t>(key.first)] + "/" +
               dataset_.classes[static_cast<size_t>(key.second)] + ": " + list);
    }
  }

  // The same bytes under two names: a note; under two labels or splits: a fault.
  void find_equal_content() {
    std::map<std::string, size_t> first;
    std::set<std::string> leaking;
    for (size_t i = 0; i < dataset_.samples.size(); ++i) {
      const SampleReport& r = report_.samples[i];
      // Empty files and the like are equal without being the same cell.
      if (r.hash.empty() || !r.used) continue;
      const auto [it, is_new] = first.try_emplace(r.hash, i);
      const Sample &a = dataset_.samples[it->second], &b = dataset_.samples[i];
      if (is_new) continue;
      if (a.path == b.path) {  // cells of one image
        if (a.split != b.split && leaking.insert(a.path).second)
          report_.faults.push_back({"csv.leak", b.path, "",
                                    "cells of this image in splits " + a.split + " and " + b.split,
                                    "one split for all of them", ""});
      } else if (a.label != b.label)
        report_.faults.push_back({"csv.conflict", b.path, "",
                                  "same bytes as " + a.path + " but class " + class_name(b),
                                  "class " + class_name(a), "remove one of them"});
      else if (a.split != b.split)
        report_.faults.push_back({"csv.leak", b.path, "",
                                  "same bytes as " + a.path + " but in split " + b.split,
                                  "one split, " + a.split, "remove one of them"});
      else
        note("img.duplicate", "files with the same bytes and class", a.path + " = " + b.path);
    }
  }

  const std::string& class_name(const Sample& s) const {
    return dataset_.classes[static_cast<size_t>(s.label)];
  }

  void hash_all() {
    std::string text;
    for (size_t i = 0; i < dataset_.samples.size(); ++i) {
      const Sample& s = dataset_.samples[i];
      text += s.id + '\0' + class_name(s) + '\0' + report_.samples[i].hash;
      if (s.box)
        for (const double v : {s.box->x1, s.box->y1, s.box->x2, s.box->y2})
          text += '\0' + format_double(v);
      if (s.microns_per_pixel) text += "\0um "s + format_double(*s.microns_per_pixel);
      text += '\n';
    }
    report_.hash = xxh3_128(text);
  }

  const Dataset& dataset_;
  const ScanOptions& options_;
  ImageOptions image_options_;
  std::map<std::string, size_t> image_of_, mask_of_;
  std::vector<std::string> paths_;
  std::vector<size_t> file_;   // per sample: index into paths_
  std::vector<size_t> masks_;  // per mask: the first sample with it
  std::vector<FileReport> files_;
  std::vector<MaskReport> mask_reports_;
  std::set<size_t> seen_files_, seen_masks_;
  ScanReport report_;
};

}  // namespace

ScanReport scan(const Dataset& dataset, const ScanOptions& options) {
  return Scanner(dataset, options).run();
}

namespace {

// Files with the same bytes become one group, so that no split can separate them.
void group_equal_content(Dataset& dataset, const ScanReport& report) {
  std::map<std::string, std::vector<size_t>> same;
  for (size_t i = 0; i < dataset.samples.size(); ++i)
    if (dataset.samples[i].group.empty() && !report.samples[i].hash.empty())
      same[report.samples[i].hash].push_back(i);
  for (const auto& [hash, members] : same)
    if (members.size() > 1)
      for (const size_t i : members)
        dataset.samples[i].group = "same bytes as " + dataset.samples[members[0]].id;
}

}  // namespace

void apply_scan(Dataset& dataset, ScanReport& report, const ScanOptions& options) {
  check<ValueError>(report.samples.size() == dataset.samples.size(), "apply_scan", "expected ",
                    dataset.samples.size(), " samples in the report, got ", report.samples.size());
  std::vector<Fault> fatal;
  for (const Fault& f : report.faults) {
    const bool of_image = f.id.starts_with("img.") || f.id.starts_with("file.") ||
                          f.id == "paths" || f.id.starts_with("mask.") || f.id.starts_with("box.");
    if (options.on_bad_image == BadImagePolicy::error || !of_image) fatal.push_back(f);
  }
  if (!fatal.empty()) {
    Fault first = fatal.front();
    const size_t more = fatal.size() - 1;
    if (first.id.starts_with("img."))
      first.hint += std::string(first.hint.empty() ? "" : ", or ") + "pass --on-bad-image skip";
    if (more > 0)
      first.hint += (first.hint.empty() ? "" : "; ") + std::to_string(more) + " more fault" +
                    (more > 1 ? "s" : "") + ": cyto data lists them";
    throw DataError(std::move(first));
  }
  const double share = dataset.samples.empty() ? 0
                                               : static_cast<double>(report.bad) /
                                                     static_cast<double>(dataset.samples.size());
  if (share > options.max_bad)
    throw DataError({"img.max_bad", report.faults.empty() ? "" : report.faults[0].file, "",
                     std::to_string(report.bad) + " of " + std::to_string(dataset.samples.size()) +
                         " images cannot be used",
                     "at most " + std::to_string(options.max_bad * 100).substr(0, 4) + " %",
                     "raise --max-bad or repair the data set"});
  group_equal_content(dataset, report);
  std::vector<bool> keep;
  for (const SampleReport& r : report.samples) keep.push_back(r.used);
  if (report.bad > 0)
    dataset.add_note("img.skipped", "images that cannot be used left out", "", report.bad);
  keep_samples(dataset, keep);
}

void write_samples(const std::string& path, const Dataset& scanned, const ScanReport& report) {
  const std::vector<std::string> header = {"sample", "path", "class", "domain", "width",
                                           "height", "form", "hash",  "used",   "reason"};
  CsvWriter out(path, header);
  for (size_t i = 0; i < scanned.samples.size(); ++i) {
    const Sample& s = scanned.samples[i];
    const SampleReport& r = report.samples[i];
    const std::vector<std::string> row = {
        escape_control(s.id),
        escape_control(s.path),
        escape_control(scanned.classes[static_cast<size_t>(s.label)]),
        escape_control(scanned.domains[static_cast<size_t>(s.domain)]),
        std::to_string(r.width),
        std::to_string(r.height),
        r.form,
        r.hash,
        r.used ? "yes" : "no",
        r.reason};
    out.row(row);
  }
  out.commit();
}

}  // namespace cytograd
