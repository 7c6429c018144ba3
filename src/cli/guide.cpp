#include "cytograd/guided/guide.h"
#include "cli/common.h"
#include "cytograd/data/dataset.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"

namespace cytograd::cli {
namespace {

struct Options : CommonOptions {
  std::string guide = "hematopoiesis-15";
  int64_t size = 900;
  std::vector<std::string> classes;
  DatasetOptions data;
};

void run_draw(Options& o) {
  const Guide guide = find_guide(o.guide);
  if (o.output.empty()) {
    console().out(guide_svg(guide));
    return;
  }
  require_new_file(o.output, o.force);
  if (o.output.ends_with(".png"))
    write_png(o.output, guide_image(guide, o.size));
  else if (o.output.ends_with(".svg"))
    write_file_atomically(o.output, guide_svg(guide));
  else if (o.output.ends_with(".csv"))
    write_file_atomically(o.output, guide_csv(guide));
  else if (o.output.ends_with(".json"))
    write_file_atomically(o.output, guide_json(guide));
  else
    throw ConfigError("--output expects a name ending in .svg, .png, .csv or .json, got " +
                      escape_control(o.output) + " [cli]");
  if (o.json) console().out("{\"file\":" + json_text(o.output) + "}\n");
  say_next({o.output}, "cyto guide check " + shell_word(o.guide) + " --data FOLDER");
}

void run_check(Options& o) {
  const Guide guide = find_guide(o.guide);
  std::vector<std::string> classes = o.classes;
  if (!o.data.path.empty()) classes = load_dataset(o.data).classes;
  if (classes.empty())
    for (const GuideClass& c : guide.classes) classes.push_back(c.name);
  const MatchedGuide matched = match_guide(guide, classes);
  unit_box(matched.points());
  if (!matched.unused.empty())
    console().warn(count_text(static_cast<int64_t>(matched.unused.size()), "class") +
                   " of the guide without data, such as " + matched.unused.front());
  if (o.json) {
    Guide used = guide;
    used.classes = matched.classes;
    console().out(guide_json(used));
    return;
  }
  for (const GuideClass& c : matched.classes)
    console().out(escape_control(c.name) + "  (" + format_double(c.x) + ", " + format_double(c.y) +
                  ")  " + escape_control(c.lineage) +
                  (c.stage ? " " + std::to_string(*c.stage) : "") + "\n");
}

void add_guide_argument(CommandLine command, Options& o) {
  command.add_option("guide", o.guide,
                     "CSV or JSON file, or hematopoiesis-15, blood-11, blood-10, blood-5");
}

void add_guide_command(CommandLine app) {
  CommandLine guide = add_command(
      app, "guide", "Draw and check guides of the embedding",
      "cyto guide draw hematopoiesis-15 -o guide.svg        a picture (.svg, .png)\n"
      "cyto guide draw hematopoiesis-15 -o guide.csv        a table to edit (.csv, .json)\n"
      "cyto guide check guide.csv --data photos/            does it name every class?\n");
  guide.require_subcommand(1);
  auto drawing = std::make_shared<Options>();
  CommandLine draw = add_command(guide, "draw", "Write a guide as picture or table",
                                 "cyto guide draw guide.csv -o guide.png --size 1200\n");
  add_guide_argument(draw, *drawing);
  draw.add_option("--size", drawing->size, "Longer edge of a PNG in pixels")
      .range(64, 16384)
      .show_default();
  add_common_options(draw, *drawing, with_output | with_force);
  run_command(draw, drawing, run_draw);

  auto checking = std::make_shared<Options>();
  CommandLine check = add_command(guide, "check", "Check a guide, alone or against a data set",
                                  "cyto guide check blood-10 --data PBC --labels fine\n"
                                  "cyto guide check guide.csv --classes blast band segmented\n");
  add_guide_argument(check, *checking);
  check.add_option("--classes", checking->classes, "Names of the classes it must have");
  check.add_option("--data", checking->data.path, "A data set that it must fit");
  check.add_option("--preset", checking->data.preset, "Layout of the data set");
  check.add_option("--labels", checking->data.labels, "Classes of the pbc layout: coarse fine");
  check.add_option("--harmonise", checking->data.harmonise, "Common classes: 5, 11, 13 or a map");
  add_common_options(check, *checking, with_nothing);
  run_command(check, checking, run_check);
}

const Command registered{75, add_guide_command};

}  // namespace
}  // namespace cytograd::cli
