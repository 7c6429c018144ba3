#include <algorithm>
#include <cmath>
#include <mutex>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/core/random.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/synth/cells.h"
#include "synth/output.h"

namespace fs = std::filesystem;

namespace cytograd::synth {
namespace {

constexpr const char* manifest_name = "manifest.csv";

// One picture to draw and where it goes.
struct Job {
  CellSpec spec;
  std::string path, mask, group, split;
  double maturity = 0, microns_per_pixel = 0;
};

// The imagined patients of one domain: a name and a role each.
struct Patients {
  std::vector<std::string> names, roles;

  Patients(const std::string& domain, int64_t cells, Rng rng) {
    const int64_t count = std::max<int64_t>(10, cells / 20);
    for (int64_t i = 0; i < count; ++i) {
      names.push_back(domain + "_p" + std::to_string(i + 1));
      const double rank = (static_cast<double>(i) + 0.5) / static_cast<double>(count);
      roles.push_back(rank < 0.7 ? "train" : rank < 0.85 ? "val" : "test");
    }
    rng.shuffle(roles);
  }

  // The order in which a class visits the patients; its first three cells go to train, test and
  // val, so that small classes are not missing from a role.
  std::vector<size_t> order(Rng rng) const {
    std::vector<size_t> visits(names.size());
    for (size_t i = 0; i < visits.size(); ++i) visits[i] = i;
    rng.shuffle(visits);
    size_t at = 0;
    for (const char* role : {"train", "test", "val"}) {
      const auto found = std::find_if(visits.begin() + static_cast<std::ptrdiff_t>(at),
                                      visits.end(), [&](size_t i) { return roles[i] == role; });
      if (found != visits.end()) std::swap(visits[at++], *found);
    }
    return visits;
  }
};

void validate(const CellSetOptions& o) {
  const auto require = [](bool good, const std::string& message) {
    if (!good) throw ConfigError(message);
  };
  const auto known = static_cast<int>(stains().size());
  require(o.size >= 16 && o.size <= 2048,
          "--size must be 16 to 2048, got " + std::to_string(o.size));
  require(o.count <= 10'000'000,
          "--count must be at most 10000000, got " + std::to_string(o.count));
  require(o.domains >= 1 && o.domains <= known,
          "--domains must be 1 to " + std::to_string(known) + ", got " + std::to_string(o.domains));
  require(!o.random_stains || o.domains == 1,
          "--random-stains is a stain for each picture; leave --domains out");
  require(o.format == "png" || o.format == "jpg",
          "--format must be png or jpg, got " + escape_control(o.format));
  require(!o.output.empty(), "--output is missing; expected a folder to write to");
}

std::vector<CellClass> chosen_classes(const CellSetOptions& o) {
  std::vector<CellClass> classes = o.classes;
  if (classes.empty())
    for (int i = 0; i < cell_class_count; ++i) classes.push_back(static_cast<CellClass>(i));
  std::vector<CellClass> sorted = classes;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end())
    throw ConfigError("class " + std::string(name(*twice)) + " is named twice in --classes");
  return classes;
}

std::vector<Job> plan(const CellSetOptions& o, const std::vector<CellClass>& classes) {
  const std::vector<int64_t> counts =
      class_counts(o.count, static_cast<int64_t>(classes.size()), o.imbalance);
  std::vector<Job> jobs;
  for (int d = 0; d < o.domains; ++d) {
    const std::string& domain = stains()[static_cast<size_t>(d)].name;
    const std::string prefix = o.domains > 1 ? domain + "/" : "";
    const auto id = static_cast<uint64_t>(d);
    const Patients patients(domain, o.count, Rng(o.seed, "synth patients", id));
    for (size_t c = 0; c < classes.size(); ++c) {
      const std::string label(name(classes[c]));
      const std::vector<size_t> order =
          patients.order(Rng(o.seed, "synth visits", id, static_cast<uint64_t>(classes[c])));
      for (int64_t i = 0; i < counts[c]; ++i) {
        Job job;
        // Every domain has cells of its own: none of a test domain is seen in training.
        job.spec = {classes[c], d, o.seed, id * 10'000'000 + static_cast<uint64_t>(i), o.size};
        job.path = prefix + label + "/" + numbered(label, i + 1, o.format);
        if (o.masks) job.mask = "masks/" + prefix + label + "/" + numbered(label, i + 1, "png");
        const size_t patient = order[static_cast<size_t>(i) % order.size()];
        job.group = patients.names[patient], job.split = patients.roles[patient];
        jobs.push_back(std::move(job));
      }
    }
  }
  return jobs;
}

void remove_earlier(const fs::path& output) {
  for (int d = -1; d < static_cast<int>(stains().size()); ++d)
    for (int c = 0; c < cell_class_count; ++c) {
      const std::string label(name(static_cast<CellClass>(c)));
      const fs::path folder =
          (d < 0 ? fs::path() : fs::path(stains()[static_cast<size_t>(d)].name)) / label;
      for (const fs::path& path : {output / folder, output / "masks" / folder}) {
        remove_numbered(path, label);
        std::error_code ignored;
        fs::remove(path, ignored);  // only if empty now
        if (d >= 0) fs::remove(path.parent_path(), ignored);
      }
    }
}

std::string domain_of(const CellSetOptions& o, const CellSpec& spec) {
  return o.random_stains ? "random" : stains()[static_cast<size_t>(spec.domain)].name;
}

fs::path write_manifest(const CellSetOptions& o, const std::vector<Job>& jobs) {
  const fs::path path = o.output / manifest_name;
  const std::vector<std::string> header = {
      "path", "label", "domain", "group", "split", "mask", "microns_per_pixel", "maturity"};
  CsvWriter csv(path.string(), header);
  for (const Job& job : jobs) {
    const std::vector<std::string> row = {job.path,
                                          std::string(name(job.spec.cell)),
                                          domain_of(o, job.spec),
                                          job.group,
                                          job.split,
                                          job.mask,
                                          format_fixed(job.microns_per_pixel, 6),
                                          format_fixed(job.maturity, 4)};
    csv.row(row);
  }
  csv.commit();
  return path;
}

}  // namespace

std::vector<int64_t> class_counts(int64_t count, int64_t classes, double imbalance) {
  if (count < classes || classes < 1)
    throw ConfigError("--count must be at least the number of classes, " + std::to_string(classes) +
                      ", got " + std::to_string(count));
  if (!(imbalance >= 1 && imbalance <= 1e6))
    throw ConfigError("--imbalance must be 1 to 1000000, got " + format_double(imbalance));
  std::vector<double> share;
  double sum = 0;
  for (int64_t c = 0; c < classes; ++c) {
    const double rank = classes > 1 ? static_cast<double>(c) / static_cast<double>(classes - 1) : 0;
    share.push_back(std::pow(imbalance, -rank));
    sum += share.back();
  }
  std::vector<int64_t> counts;
  int64_t given = 0;
  for (const double s : share) {
    counts.push_back(
        std::max<int64_t>(1, static_cast<int64_t>(s / sum * static_cast<double>(count))));
    given += counts.back();
  }
  // What rounding left over goes to the first classes; what "at least one" took comes from the
  // largest.
  for (size_t c = 0; given < count; c = (c + 1) % counts.size()) ++counts[c], ++given;
  for (; given > count; --given) --*std::max_element(counts.begin(), counts.end());
  return counts;
}

CellSet write_cells(const CellSetOptions& options) {
  validate(options);
  const std::vector<CellClass> classes = chosen_classes(options);
  std::vector<Job> jobs = plan(options, classes);
  claim_folder(options.output, manifest_name, options.force);
  if (options.force) remove_earlier(options.output);
  const double pixels = static_cast<double>(options.size) * options.size;
  require_space(options.output,
                static_cast<double>(jobs.size()) * pixels * (options.format == "jpg" ? 1.2 : 2.4));
  for (const Job& job : jobs)
    for (const std::string& path : {job.path, job.mask})
      if (!path.empty()) fs::create_directories((options.output / path).parent_path());

  std::mutex mutex;
  int64_t done = 0;
  const auto total = static_cast<int64_t>(jobs.size());
  parallel_for(total, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Job& job = jobs[static_cast<size_t>(i)];
      const CellSpec& spec = job.spec;
      const CellPicture picture =
          options.random_stains
              ? draw_cell(spec,
                          random_stain(spec.seed, static_cast<uint64_t>(spec.cell), spec.index))
              : draw_cell(spec);
      job.maturity = picture.maturity, job.microns_per_pixel = picture.microns_per_pixel;
      write_image(options.output / job.path, picture.image, options.format);
      if (!job.mask.empty()) write_image(options.output / job.mask, picture.mask, "png");
      const std::lock_guard lock(mutex);
      ++done;
      if (options.progress) options.progress(done, total);
    }
  });

  CellSet result;
  result.images = total;
  result.manifest = write_manifest(options, jobs);
  for (const CellClass cell : classes) {
    const auto of_class = std::count_if(jobs.begin(), jobs.end(),
                                        [&](const Job& job) { return job.spec.cell == cell; });
    result.per_class.emplace_back(name(cell), of_class);
  }
  return result;
}

}  // namespace cytograd::synth
