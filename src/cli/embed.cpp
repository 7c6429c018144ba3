#include "cli/session.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/h5ad.h"
#include "cytograd/io/text.h"

namespace cytograd::cli {
namespace {

struct Options : CommonOptions {
  std::string run, checkpoint = "best";
  DataChoice data;
};

Categorical categorical(const std::vector<std::string>& names) {
  Categorical out;
  for (const std::string& name : names) out.categories.push_back(escape_control(name));
  return out;
}

AnnData cells_of(const TrainedModel& trained, const Dataset& dataset, const Predictions& p) {
  AnnData out;
  const auto n = static_cast<int64_t>(p.indices.size());
  out.X = DenseMatrix{n, 0, {}};
  out.obsm["X_cyto_embedding"] = DenseMatrix{n, p.width, p.embeddings};
  DenseMatrix probabilities{n, p.classes, {}};
  for (const double v : p.probabilities) probabilities.values.push_back(static_cast<float>(v));
  out.obsm["X_cyto_probabilities"] = probabilities;
  Categorical truth = categorical(trained.classes), predicted = truth,
              domain = categorical(dataset.domains);
  std::vector<double> confidence;
  for (size_t i = 0; i < p.indices.size(); ++i) {
    const Sample& s = dataset.samples[static_cast<size_t>(p.indices[i])];
    out.obs.names.push_back(escape_control(s.id));
    truth.codes.push_back(static_cast<int32_t>(p.labels[i]));
    predicted.codes.push_back(static_cast<int32_t>(p.predicted[i]));
    domain.codes.push_back(static_cast<int32_t>(s.domain));
    confidence.push_back(p.confidence(i));
  }
  out.obs.columns = {{"class", truth},
                     {"cyto_class", predicted},
                     {"cyto_probability", confidence},
                     {"domain", domain}};
  if (!p.agreement.empty()) {
    out.obs.columns.emplace_back("cyto_agreement", p.agreement);
    out.obs.columns.emplace_back("cyto_anchor_distance", p.anchor_distance);
    out.obs.columns.emplace_back("cyto_anchor_confidence", p.anchor_confidence);
    out.obs.columns.emplace_back("cyto_maturity", p.maturity);
  }
  out.uns["cyto_model"] = trained.config.model;
  return out;
}

void write_csv(const std::string& path, const TrainedModel& trained, const Dataset& dataset,
               const Predictions& p) {
  std::vector<std::string> row = {"sample", "domain", "class", "predicted", "probability"};
  for (int64_t k = 0; k < p.width; ++k) row.push_back("e" + std::to_string(k));
  CsvWriter out(path, row);
  for (size_t i = 0; i < p.indices.size(); ++i) {
    const Sample& s = dataset.samples[static_cast<size_t>(p.indices[i])];
    row = {escape_control(s.id), escape_control(dataset.domains[static_cast<size_t>(s.domain)]),
           trained.classes[static_cast<size_t>(p.labels[i])],
           trained.classes[static_cast<size_t>(p.predicted[i])], format_double(p.confidence(i))};
    const float* e = p.embeddings.data() + i * static_cast<size_t>(p.width);
    for (int64_t k = 0; k < p.width; ++k) row.push_back(format_float(e[k]));
    out.row(row);
  }
  out.commit();
}

void run(Options& o) {
  if (o.output.empty()) o.output = o.run + "/embeddings.h5ad";
  const bool csv_only = o.output.ends_with(".csv");
  if (!csv_only && !o.output.ends_with(".h5ad"))
    throw ConfigError("--output expects a name ending in .h5ad or .csv, got " +
                      escape_control(o.output) + " [cli]");
  const std::string stem = o.output.substr(0, o.output.find_last_of('.'));
  for (const std::string& path : {stem + ".csv", o.output}) require_new_file(path, o.force);
  const TrainedModel trained = load_trained(o.run, o.checkpoint, device_of(o));
  if (o.data.split == "auto") o.data.split = "all";
  const ChosenData data = choose_data(o.run, trained, o.data);
  const Evaluation e = evaluate(trained, data.task.dataset, data.indices, data.role, true);
  std::vector<std::string> written = {stem + ".csv"};
  write_csv(written[0], trained, data.task.dataset, e.predictions);
  if (!csv_only) {
    write_h5ad(o.output, cells_of(trained, data.task.dataset, e.predictions));
    written.push_back(o.output);
  }
  if (o.json)
    console().out("{\"n\":" + std::to_string(e.predictions.indices.size()) + ",\"width\":" +
                  std::to_string(e.predictions.width) + ",\"file\":" + json_text(o.output) + "}\n");
  say_next(
      written,
      csv_only ? "" : "scanpy.read_h5ad(" + json_text(o.output) + ").obsm[\"X_cyto_embedding\"]");
}

void add_embed_command(CommandLine app) {
  auto options = std::make_shared<Options>();
  CommandLine command =
      add_command(app, "embed", "Write embeddings of labelled images as h5ad and CSV",
                  "cyto embed --run runs/a                        all images of the run\n"
                  "cyto embed --run runs/a --data b/ -o b.h5ad    also writes b.csv\n");
  command.add_option("--run", options->run, "Run folder").required();
  command.add_option("--checkpoint", options->checkpoint, "best or last")
      .one_of({"best", "last"})
      .show_default();
  add_data_choice(command, options->data);
  command.get_option("--split").description("test, val, train, unseen or all; auto: all");
  add_common_options(command, *options, with_output | with_force | with_device);
  run_command(command, options, run);
}

const Command registered{40, add_embed_command};

}  // namespace
}  // namespace cytograd::cli
