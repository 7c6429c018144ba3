#include "cytograd/multimodal/options.h"

#include <doctest/doctest.h>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "support/temp_folder.h"

using namespace cytograd;
using namespace cytograd::multimodal;

namespace {

template <class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("presets have the coefficients of their table") {
  const TrainingOptions joint = preset_options("joint");
  CHECK(joint.alpha == 0.20);
  CHECK(joint.gamma == 0.45);
  CHECK(joint.image_beta == 0.25);
  CHECK(joint.delta_of({"anything", {}, {}, {}}) == 0.20);
  CHECK(joint.balanced);
  CHECK(joint.image.epochs == 160);
  CHECK(joint.image.warmup == 0.1);
  CHECK(joint.image.weight_decay == 1e-6);
  CHECK(joint.rna.epochs == 300);
  CHECK(joint.rna.weight_decay == 0);
  CHECK(joint.rna_beta == 5e-4);
  CHECK(joint.cosine_on == "z");

  const TrainingOptions granulo = preset_options("granulopoiesis");
  CHECK(granulo.delta_of({"neutrophil", {}, {}, {}}) == 0.15);
  CHECK(granulo.delta_of({"Myeloblast", {}, {}, {}}) == 0.25);
  CHECK(granulo.delta_of({"neutrophil", {}, {}, 0.7}) == 0.7);
  CHECK(granulo.image.warmup == 0);
  CHECK_FALSE(granulo.balanced);

  const TrainingOptions mono = preset_options("monocytopoiesis");
  CHECK(mono.alpha == 0.05);
  CHECK(mono.gamma == 0.90);
  CHECK(mono.image_beta == 1.0);
  CHECK(mono.image.batch == 700);
  CHECK(mono.image.epochs == 250);
  CHECK(mono.delta_of({"monocyte", {}, {}, {}}) == 10);

  const TrainingOptions mature = preset_options("maturation");
  CHECK(mature.lambda == 2);
  CHECK(mature.image.epochs == 290);
  CHECK(mature.delta_of({"neutrophil_blood", {}, {}, {}}) == 10);
  CHECK(mature.delta_of({"neutrophil_lung", {}, {}, {}}) == 0.30);

  const TrainingOptions published = preset_options("rna_published");
  CHECK(published.rna_beta == 0.064);
  CHECK(published.cosine_on == "mu");
  CHECK(published.rna.warmup == 0);

  TrainingOptions alone = preset_options("joint");
  fit_without_reference(alone);
  CHECK(alone.rna_reduction == "sum");
  CHECK(alone.rna_beta == 1e-3);
  CHECK(alone.image_beta == preset_options("joint").image_beta);
  CHECK(contains(message_of([] { preset_options("joynt"); }), "[cfg]"));
}

TEST_CASE("every setting survives config.toml") {
  const TempFolder folder;
  for (const std::string& name : preset_names()) {
    RunConfig config;
    config.training = preset_options(name);
    config.training.seed = 12345678901;
    config.training.clip = 0.1 + 0.2;
    config.training.rna_reduction = "sum";
    config.files.rna = "a \"quoted\" path\\with\nall.h5ad";
    config.files.keep_empty = true;
    const std::string text = config_text(config);
    CHECK(text.starts_with("# cytograd run configuration"));
    write_file_atomically(folder / "config.toml", text);
    RunConfig back = read_config(folder / "config.toml");
    CHECK(config_text(back) == text);
    CHECK(back.files.rna == config.files.rna);
    CHECK(back.training.deltas == config.training.deltas);
    const auto settings = settings_of(config), read = settings_of(back);
    for (size_t i = 0; i < settings.size(); ++i) {
      CAPTURE(settings[i].key);
      CHECK(setting_text(settings[i]) == setting_text(read[i]));
    }
  }
}

TEST_CASE("a config.toml that is none is an error with its place") {
  const TempFolder folder;
  const std::string path = folder / "config.toml";
  const auto error_of = [&](const std::string& text) {
    write_file_atomically(path, text);
    return message_of([&] { read_config(path); });
  };
  CHECK(contains(error_of("[data]\npaths = []\n"), "no section [multimodal]"));
  CHECK(contains(error_of("[multimodal]\nclipp = 1.0\n"), ":2:1: unknown key multimodal.clipp"));
  CHECK(contains(error_of("[multimodal]\n[rna]\nepochs = 1.5\n"), "expected a whole number"));
  CHECK(contains(error_of("[multimodal]\n[rna]\nepochs = \"3\"\n"), "without quotes"));
  CHECK(contains(error_of("[multimodal]\n[rna]\nepochs = 0\n"), "rna.epochs: 0"));
  CHECK(contains(error_of("[multimodal]\n[align]\nkind = \"mean\"\n"),
                 "expected moments, moments_unbiased, mmd or mmd_unbiased"));
  CHECK(contains(error_of("[multimodal]\n[align]\nmin_per_class = 1\n"), "at least 2"));
  CHECK(contains(error_of("[multimodal]\n[image]\nbeta = -1.0\n"), "image.beta: -1"));
  CHECK(contains(error_of("[multimodal]\n[image]\nbeta = nan\n"), "image.beta"));
  CHECK(contains(error_of("[multimodal]\nval = 0.7\n"), "multimodal.val"));
  CHECK(contains(error_of("[multimodal\n"), "[cfg]"));
}
