#include <mutex>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/core/random.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/synth/smears.h"
#include "synth/draw.h"
#include "synth/output.h"

namespace fs = std::filesystem;

namespace cytograd::synth {
namespace {

constexpr const char* table_name = "cells.csv";
constexpr const char* prefix = "smear";
constexpr const char* folders[] = {"JPEGImages", "Annotations", "masks", "instances",
                                   "ImageSets/Main"};

struct Job {
  SmearSpec spec;
  fs::path root;  // of its domain, below the output folder
  int64_t number = 0;
  std::string role;
  std::vector<SmearObject> objects;
};

void validate(const SmearSetOptions& o) {
  const auto require = [](bool good, const std::string& message) {
    if (!good) throw ConfigError(message);
  };
  const auto known = static_cast<int>(stains().size());
  require(o.count >= 1 && o.count <= 1'000'000,
          "--count must be 1 to 1000000, got " + std::to_string(o.count));
  require(o.domains >= 1 && o.domains <= known,
          "--domains must be 1 to " + std::to_string(known) + ", got " + std::to_string(o.domains));
  require(o.format == "png" || o.format == "jpg",
          "--format must be png or jpg, got " + escape_control(o.format));
  require(!o.output.empty(), "--output is missing; expected a folder to write to");
}

void remove_earlier(const fs::path& output) {
  std::vector<fs::path> roots{output};
  for (const Stain& s : stains()) roots.push_back(output / s.name);
  for (const fs::path& root : roots)
    for (const char* folder : folders) remove_numbered(root / folder, prefix);
}

void write_one(const fs::path& output, const std::string& format, Job& job) {
  Smear smear = draw_smear(job.spec);
  const fs::path root = output / job.root;
  const std::string file = numbered(prefix, job.number, format),
                    png = numbered(prefix, job.number, "png");
  write_image(root / "JPEGImages" / file, smear.image, format);
  write_image(root / "masks" / png, smear.mask, "png");
  write_label_png((root / "instances" / png).string(), smear.instances);
  write_file_atomically((root / "Annotations" / numbered(prefix, job.number, "xml")).string(),
                        voc_xml(smear, file));
  job.objects = std::move(smear.objects);
}

// The role of each field of one domain.
std::vector<std::string> make_roles(int64_t count, Rng rng) {
  std::vector<std::string> roles;
  for (int64_t i = 0; i < count; ++i) {
    const double rank = (static_cast<double>(i) + 0.5) / static_cast<double>(count);
    roles.push_back(rank < 0.7 ? "train" : rank < 0.85 ? "val" : "test");
  }
  rng.shuffle(roles);
  return roles;
}

void write_lists(const fs::path& root, const std::vector<std::string>& roles) {
  for (const char* role : {"train", "val", "test"}) {
    std::string list;
    for (size_t i = 0; i < roles.size(); ++i)
      if (roles[i] == role)
        list += fs::path(numbered(prefix, static_cast<int64_t>(i + 1), "x")).stem().string() + "\n";
    const fs::path path = root / "ImageSets" / "Main" / (std::string(role) + ".txt");
    write_file_atomically(path.string(), list);
  }
}

fs::path write_table(const SmearSetOptions& o, const std::vector<Job>& jobs) {
  const fs::path path = o.output / table_name;
  const std::vector<std::string> header = {"path",
                                           "label",
                                           "domain",
                                           "group",
                                           "split",
                                           "mask",
                                           "x1",
                                           "y1",
                                           "x2",
                                           "y2",
                                           "microns_per_pixel",
                                           "maturity",
                                           "instance"};
  CsvWriter csv(path.string(), header);
  for (const Job& job : jobs)
    for (const SmearObject& cell : job.objects) {
      if (cell.name != "WBC") continue;
      const std::string& domain = stains()[static_cast<size_t>(job.spec.domain)].name;
      const std::vector<std::string> row = {
          (job.root / "JPEGImages" / numbered(prefix, job.number, o.format)).generic_string(),
          std::string(name(cell.cell)),
          domain,
          domain + "_f" + std::to_string(job.number),
          job.role,
          (job.root / "masks" / numbered(prefix, job.number, "png")).generic_string(),
          std::to_string(cell.x1),
          std::to_string(cell.y1),
          std::to_string(cell.x2 + 1),
          std::to_string(cell.y2 + 1),
          format_fixed(job.spec.microns_per_pixel, 6),
          format_fixed(cell.maturity, 4),
          std::to_string(cell.instance)};
      csv.row(row);
    }
  csv.commit();
  return path;
}

std::vector<Job> plan(const SmearSetOptions& o) {
  std::vector<Job> jobs;
  for (int d = 0; d < o.domains; ++d) {
    const auto roles =
        make_roles(o.count, Rng(o.field.seed, "synth smear roles", static_cast<uint64_t>(d)));
    for (int64_t i = 0; i < o.count; ++i) {
      Job job;
      job.spec = o.field;
      job.spec.domain = d, job.spec.index = static_cast<uint64_t>(i);
      if (o.domains > 1) job.root = stains()[static_cast<size_t>(d)].name;
      job.number = i + 1, job.role = roles[static_cast<size_t>(i)];
      jobs.push_back(std::move(job));
    }
  }
  return jobs;
}

}  // namespace

SmearSet write_smears(const SmearSetOptions& options) {
  validate(options);
  check_smear(options.field);
  std::vector<Job> jobs = plan(options);
  claim_folder(options.output, table_name, options.force);
  if (options.force) remove_earlier(options.output);
  const double pixels = static_cast<double>(options.field.width) * options.field.height;
  require_space(options.output,
                static_cast<double>(jobs.size()) * pixels * (options.format == "jpg" ? 1.0 : 2.2));
  for (auto job = jobs.begin(); job < jobs.end(); job += options.count) {
    for (const char* folder : folders) fs::create_directories(options.output / job->root / folder);
    std::vector<std::string> roles;
    for (auto j = job; j < job + options.count; ++j) roles.push_back(j->role);
    write_lists(options.output / job->root, roles);
  }

  std::mutex mutex;
  int64_t done = 0;
  const auto total = static_cast<int64_t>(jobs.size());
  parallel_for(total, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      write_one(options.output, options.format, jobs[static_cast<size_t>(i)]);
      const std::lock_guard lock(mutex);
      ++done;
      if (options.progress) options.progress(done, total);
    }
  });

  SmearSet set;
  set.images = total;
  set.table = write_table(options, jobs);
  for (const Job& job : jobs)
    for (const SmearObject& o : job.objects)
      ++(o.name == "WBC" ? set.white_cells : o.name == "RBC" ? set.red_cells : set.platelets);
  return set;
}

}  // namespace cytograd::synth
