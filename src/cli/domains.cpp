#include "cytograd/data/domains.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/common.h"
#include "cli/domain_looks.h"
#include "cli/notes.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/report/domain_page.h"

/// @file
/// `cyto domains`: which classes each domain has, what its labels become, how it looks.

namespace cytograd::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options : CommonOptions {
  std::vector<std::string> paths, named, presets;
  DatasetOptions set;
  std::string export_map;
  LookOptions look;
};

struct Found {
  Dataset data;
  ClassTable table;
  std::vector<DomainFacts> facts;
  std::vector<Note> notes;
  std::vector<DomainLook> looks;  // with --stain or pictures
};

int64_t pair_count(const ClassTable& t, size_t c, size_t d) {
  int64_t n = 0;
  for (size_t s = 0; s < t.splits.size(); ++s) n += t.at(c, d, s);
  return n;
}

std::string scale_text(const DomainFacts& f) {
  if (!f.scale_min) return "unknown";
  std::string out = format_double(*f.scale_min);
  if (*f.scale_max != *f.scale_min) out += " .. " + format_double(*f.scale_max);
  if (f.without_scale > 0) out += " (" + std::to_string(f.without_scale) + " unknown)";
  return out;
}

// Columns with numbers to the right, others to the left.
std::string aligned(const ReportTable& rows) {
  std::vector<size_t> width;
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) {
      if (i == width.size()) width.push_back(0);
      width[i] = std::max(width[i], row[i].size());
    }
  const auto is_number = [](const std::string& cell) {
    return !cell.empty() && (cell == "-" || (cell[0] >= '0' && cell[0] <= '9'));
  };
  std::vector<bool> to_right(width.size());
  for (size_t r = 1; r < rows.size(); ++r)
    for (size_t i = 1; i < rows[r].size(); ++i)
      if (is_number(rows[r][i])) to_right[i] = true;
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string pad(width[i] - row[i].size(), ' ');
      line += (i ? "  " : "") + (to_right[i] ? pad + row[i] : row[i] + pad);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

ReportTable count_rows(const ClassTable& t) {
  ReportTable out(1, {"class"});
  for (const std::string& d : t.domains) out[0].push_back(escape_control(d));
  out[0].insert(out[0].end(), {"all", "domains"});
  std::vector<int64_t> sums(t.domains.size() + 1);
  for (size_t c = 0; c < t.classes.size(); ++c) {
    out.push_back({escape_control(t.classes[c])});
    int64_t all = 0, domains = 0;
    for (size_t d = 0; d < t.domains.size(); ++d) {
      const int64_t n = pair_count(t, c, d);
      out.back().push_back(n > 0 ? std::to_string(n) : "-");
      sums[d] += n;
      all += n;
      domains += n > 0;
    }
    sums.back() += all;
    out.back().push_back(std::to_string(all));
    out.back().push_back(std::to_string(domains) + "/" + std::to_string(t.domains.size()));
  }
  out.push_back({"all"});
  for (const int64_t n : sums) out.back().push_back(std::to_string(n));
  return out;
}

std::string share_text(int64_t part, int64_t all) {
  return std::to_string(part) + "/" + std::to_string(all);
}

ReportTable domain_rows(const Found& f) {
  ReportTable out(1, {"domain", "images", "classes", "um per pixel", "stain"});
  if (!f.looks.empty()) out[0].insert(out[0].end(), {"background", "dyes found"});
  for (size_t d = 0; d < f.facts.size(); ++d) {
    const DomainFacts& facts = f.facts[d];
    out.push_back({escape_control(facts.name), std::to_string(facts.samples),
                   share_text(facts.classes, static_cast<int64_t>(f.data.classes.size())),
                   scale_text(facts),
                   facts.stain.empty() ? "unknown" : escape_control(facts.stain)});
    if (f.looks.empty()) continue;
    const DomainLook& look = f.looks[d];
    std::string light = "n/a";
    if (look.typical)
      light = format_fixed(look.typical->light[0], 0) + " " +
              format_fixed(look.typical->light[1], 0) + " " +
              format_fixed(look.typical->light[2], 0);
    out.back().push_back(light);
    out.back().push_back(share_text(look.measured, look.images));
  }
  return out;
}

ReportTable label_rows(const Dataset& data) {
  ReportTable out(1, {"domain", "label", "images", "becomes"});
  for (const LabelRow& row : data.labels)
    out.push_back({escape_control(data.domains[static_cast<size_t>(row.domain)]),
                   escape_control(row.raw), std::to_string(row.count),
                   row.name.empty() ? "(left out)" : escape_control(row.name)});
  return out;
}

void print_text(const Found& f) {
  std::string out = aligned(count_rows(f.table)) + "(- no image)\n\n" + aligned(domain_rows(f));
  out += "\n" + aligned(label_rows(f.data));
  out += notes_text(f.notes);
  console().out(out);
}

Json number_or_null(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json look_json(const DomainLook& look) {
  Json out = {{"images", look.images},
              {"with_dyes", look.measured},
              {"background_only", look.background_only},
              {"unchanged", look.images - look.measured - look.background_only}};
  if (!look.typical) return out;
  const StainStats& s = *look.typical;
  out["light"] = s.light;
  out["dyes"] = s.dyes;
  out["amounts"] = s.amounts;
  out["mean"] = s.mean;
  out["spread"] = s.spread;
  out["text"] = stain_text(s);
  return out;
}

void print_json(const Found& f, const Options& o) {
  Json json = {{"n", f.data.size()}, {"harmonise", escape_control(o.set.harmonise)}};
  json["classes"] = Json::array();
  for (const std::string& c : f.data.classes) json["classes"].push_back(escape_control(c));
  json["domains"] = Json::array();
  json["missing"] = Json::array();
  for (size_t d = 0; d < f.facts.size(); ++d) {
    const DomainFacts& facts = f.facts[d];
    Json domain = {
        {"name", escape_control(facts.name)},
        {"stain", facts.stain.empty() ? Json(nullptr) : Json(escape_control(facts.stain))},
        {"images", facts.samples},
        {"classes", facts.classes},
        {"microns_per_pixel",
         {{"min", number_or_null(facts.scale_min)},
          {"max", number_or_null(facts.scale_max)},
          {"unknown", facts.without_scale}}},
        {"labels", Json::array()}};
    for (const LabelRow& row : f.data.labels)
      if (static_cast<size_t>(row.domain) == d)
        domain["labels"].push_back(
            {{"label", escape_control(row.raw)},
             {"class", row.name.empty() ? Json(nullptr) : Json(escape_control(row.name))},
             {"images", row.count}});
    if (!f.looks.empty()) domain["look"] = look_json(f.looks[d]);
    json["domains"].push_back(std::move(domain));
  }
  json["counts"] = Json::object();
  for (size_t c = 0; c < f.table.classes.size(); ++c)
    for (size_t d = 0; d < f.table.domains.size(); ++d) {
      const std::string name = escape_control(f.table.classes[c]),
                        domain = escape_control(f.table.domains[d]);
      json["counts"][name][domain] = pair_count(f.table, c, d);
      if (pair_count(f.table, c, d) == 0)
        json["missing"].push_back({{"class", name}, {"domain", domain}});
    }
  json["notes"] = notes_json(f.notes);
  console().out(json.dump(2) + "\n");
}

Found find(const Options& o) {
  check<ConfigError>(o.presets.size() <= 1 || o.presets.size() == o.paths.size(), "--preset",
                     "expected one, or one per data set (", o.paths.size(), "), got ",
                     o.presets.size());
  std::vector<DatasetOptions> parts;
  for (size_t i = 0; i < o.paths.size(); ++i) {
    DatasetOptions part = o.set;
    part.path = o.paths[i];
    if (!o.presets.empty()) part.preset = o.presets[o.presets.size() > 1 ? i : 0];
    parts.push_back(std::move(part));
  }
  Found f;
  f.data = load_datasets(parts);
  f.table = class_table(f.data, std::vector<std::string>(f.data.samples.size()));
  f.facts = domain_facts(f.data);
  f.notes = f.data.notes;
  for (Note& n : f.table.missing()) f.notes.push_back(std::move(n));
  for (Note& n : domain_notes(f.table)) f.notes.push_back(std::move(n));
  return f;
}

void write_output(const Found& f, const Options& o, const StainStats& target) {
  require_new_file(o.output, o.force);
  const auto strips = picture_strips(f.data, f.table, o.look, target);
  if (o.output.ends_with(".png")) {
    write_png(o.output, joined_strips(strips));
  } else {
    DomainPage page;
    page.title = "Domains";
    page.subtitle = "classes: " + (o.set.harmonise.empty() ? "as the data sets name them"
                                                           : "table " + o.set.harmonise);
    if (o.look.stain != "none") page.subtitle += "; images after --stain " + o.look.stain;
    page.counts = f.table;
    page.domains = domain_rows(f);
    page.labels = label_rows(f.data);
    page.notes = f.notes;
    page.pictures = strips;
    write_file_atomically(o.output, domain_page_html(page));
  }
  say_next({o.output}, "");
}

void export_map(const Options& o) {
  const std::string text = harmonisation_csv(o.export_map);
  if (o.output.empty()) return console().out(text);
  require_new_file(o.output, o.force);
  write_file_atomically(o.output, text);
  say_next({o.output}, "cyto domains --data FOLDER --harmonise " + shell_word(o.output));
}

void run(Options& o) {
  if (!o.export_map.empty()) return export_map(o);
  o.paths.insert(o.paths.end(), o.named.begin(), o.named.end());
  if (o.paths.empty()) throw ConfigError("no data set given; pass --data FOLDER [cli]");
  if (!o.output.empty() && !o.output.ends_with(".png") && !o.output.ends_with(".html"))
    throw ConfigError("--output expects a name ending in .html or .png, got " +
                      escape_control(o.output) + " [cli]");
  (void)stain_method(o.look.stain);
  Found f = find(o);
  require_scale(f.data, o.look.field_um);
  StainStats target = builtin_stain();
  if (o.look.stain != "none") {
    f.looks = domain_looks(f.data, o.look);
    target = look_target(o.look, f.data, f.looks);
  }
  if (o.json)
    print_json(f, o);
  else
    print_text(f);
  if (!f.data.faults.empty())
    console().warn(count_text(static_cast<int64_t>(f.data.faults.size()), "fault") +
                   "; cyto check lists them");
  if (!o.output.empty()) write_output(f, o, target);
}

void add_domains_command(CommandLine app) {
  auto options = std::make_shared<Options>();
  Options& o = *options;
  CommandLine command = add_command(
      app, "domains", "Compare data sets as domains: classes, labels, scale, stain",
      "cyto domains segmentation_WBC BCCD_Dataset PBC --harmonise 5   classes by domains\n"
      "cyto domains --data domains.toml -o domains.html       names, scales and stains in a file\n"
      "cyto domains --data domains.toml --stain macenko -o sheet.png   how images would look\n"
      "cyto domains --export-harmonise 13 -o map.csv          a table of classes to edit\n");
  command.add_option("data", o.paths, "Folders, CSV manifests, TOML lists of domains");
  command.add_option("--data", o.named, "The same, as cyto train takes them").type_name("PATH");
  command.add_option("--preset", o.presets, "Layout; one, or one per data set")
      .allow_extra_args(false);
  command.add_option("--labels", o.set.labels, "coarse, or fine (pbc: file-name prefix)");
  command.add_option("--multi-label", o.set.multi_label,
                     "Two labels for one cell: drop, first, error");
  command.add_option("--objects", o.set.objects, "bccd: wbc, or all (RBC and platelets too)");
  command.add_option("--ace-subset", o.set.ace_subset,
                     "acevedo20 and pbc: full, or main (without the smaller cluster of colours)");
  command.add_option("--harmonise", o.set.harmonise,
                     "Common classes: 5, 11, 13, or a CSV dataset,raw,harmonised");
  command.add_option("--export-harmonise", o.export_map, "Write the table 5, 11 or 13 and stop");
  command.add_option("--stain", o.look.stain,
                     "Measure stains; pictures are normalised: none, reinhard, macenko");
  command.add_option("--stain-target", o.look.target,
                     "built-in (default), domain:NAME, or an image file");
  command.add_option("--field-um", o.look.field_um, "Field of view of pictures, micrometres");
  command.add_option("--pictures", o.look.pictures, "Images per class and domain in --output")
      .range(1, 64)
      .show_default();
  command.add_option("--image-size", o.look.size, "Side of each, pixels")
      .range(8, 1024)
      .show_default();
  add_common_options(command, o, with_output | with_force);
  run_command(command, options, run);
}

const Command registered{42, add_domains_command};

}  // namespace
}  // namespace cytograd::cli
