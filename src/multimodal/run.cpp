#include "cytograd/multimodal/run.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/io/safetensors.h"
#include "cytograd/io/text.h"
#include "cytograd/multimodal/options.h"
#include "cytograd/nn/state_dict.h"
#include "cytograd/train/run_folder.h"

namespace cytograd::multimodal {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

[[noreturn]] void bad(const std::string& file, const std::string& found) {
  throw DataError(Fault{"run.checkpoint", file, "", found,
                        "a finished run of `cyto multimodal train`",
                        "go on with `cyto multimodal train --resume`, or train anew"});
}

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

Json read_json(const std::string& path) {
  if (!exists(path)) bad(path, "no such file");
  try {
    return Json::parse(read_file(path));
  } catch (const Json::exception&) {
    bad(path, "text that is not JSON");
  }
}

nn::NamedTensors named(const SafeTensors& file) {
  return nn::from_torch_layout({file.tensors.begin(), file.tensors.end()});
}

const std::string& meta(const SafeTensors& file, const std::string& key, const std::string& path) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end()) bad(path, "no " + key);
  return found->second;
}

double meta_number(const SafeTensors& file, const std::string& key, const std::string& path) {
  const auto value = parse_double(meta(file, key, path));
  if (!value) bad(path, key + " that is no number");
  return *value;
}

void load_rna(Run& run, const std::string& path, Device device) {
  const SafeTensors file = read_safetensors(path);
  try {
    run.genes = Json::parse(meta(file, "cytograd.genes", path)).get<std::vector<std::string>>();
    run.scale.deviation =
        Json::parse(meta(file, "cytograd.deviation", path)).get<std::vector<double>>();
  } catch (const Json::exception&) {
    bad(path, "genes that cannot be read");
  }
  run.scale.clip = meta_number(file, "cytograd.clip", path);
  run.scale.low = meta_number(file, "cytograd.low", path);
  run.scale.high = meta_number(file, "cytograd.high", path);
  if (run.genes.empty() || run.scale.deviation.size() != run.genes.size())
    bad(path, "a scale of " + std::to_string(run.scale.deviation.size()) + " genes for " +
                  std::to_string(run.genes.size()));
  run.rna = std::make_shared<models::RnaVae>(static_cast<int64_t>(run.genes.size()));
  nn::LoadOptions options;
  options.file = path;
  nn::load_state_dict(*run.rna, named(file), options);
  run.rna->to(device);
  run.rna->eval();
}

void load_images(Run& run, const std::string& path, Device device) {
  const SafeTensors file = read_safetensors(path);
  const nn::NamedTensors weights = named(file);
  models::ImageVaeOptions sizes;  // a filter is [out, rows, columns, in] here
  for (const auto& [name, tensor] : weights)
    if (name == "encoder.conv1.weight" && tensor.ndim() == 4) sizes.channels = tensor.size(3);
  if (sizes.channels < 1 || sizes.channels > 4096) bad(path, "a network of another kind");
  run.image = std::make_shared<models::ImageVae>(0, sizes);
  nn::LoadOptions options;
  options.file = path;
  nn::load_state_dict(*run.image, weights, options);
  run.image->to(device);
  run.image->eval();
  const auto detector = file.metadata.find("cytograd.detector");
  if (detector != file.metadata.end()) run.detector = detector->second;
}

double number_of(const Json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

ModelQuality quality_of(const Json& side) {
  const Json& q = side.at("quality");
  ModelQuality out;
  out.active_units = q.at("active_units").get<int64_t>();
  out.r2_mu = number_of(q.at("r2_mu"));
  out.r2_z = number_of(q.at("r2_z"));
  out.psnr = number_of(q.at("psnr"));
  out.cosine = number_of(q.at("cosine"));
  out.collapsed = q.at("collapsed").get<bool>();
  return out;
}

LatentCells cells_of(const SafeTensors& file, const Json& cells, const std::string& side,
                     const std::string& path) {
  LatentCells out;
  const Json& entry = cells.at(side);
  entry.at("names").get_to(out.names);
  entry.at("classes").get_to(out.classes);
  const auto tensor = [&](const char* name, const Shape& shape, Dtype dtype) {
    const auto found = file.tensors.find(side + "." + name);
    if (found == file.tensors.end() || found->second.shape() != shape ||
        found->second.dtype() != dtype)
      bad(path, side + "." + name + " is missing or of another shape");
    return found->second;
  };
  const auto n = static_cast<int64_t>(out.names.size());
  out.mu = tensor("mu", {n, TrainingOptions::latent}, Dtype::float32);
  out.labels = tensor("labels", {n}, Dtype::int64).to_vector<int64_t>();
  for (const int64_t label : out.labels)
    if (label < -1 || label >= static_cast<int64_t>(out.classes.size()))
      bad(path, side + ".labels has label " + std::to_string(label));
  for (const int64_t role : tensor("split", {n}, Dtype::int64).to_vector<int64_t>()) {
    if (role < 0 || role > 2) bad(path, side + ".split has " + std::to_string(role));
    out.split.push_back(std::array{"train", "val", "test"}[static_cast<size_t>(role)]);
  }
  return out;
}

void load_cells(Run& run) {
  const std::string results = run.path + "/results.json",
                    latents = run.path + "/latents.safetensors";
  const Json in = read_json(results), cells = read_json(run.path + "/cells.json");
  if (!exists(latents)) bad(latents, "no such file");
  const SafeTensors file = read_safetensors(latents);
  try {
    in.at("warnings").get_to(run.warnings);
    if (run.rna) {
      run.rna_quality = quality_of(in.at("rna"));
      run.rna_cells = cells_of(file, cells, "rna", latents);
    }
    if (run.image) {
      run.image_quality = quality_of(in.at("image"));
      run.image_cells = cells_of(file, cells, "image", latents);
    }
  } catch (const Json::exception& e) {
    bad(results, std::string("entries that cannot be read: ") + e.what());
  }
}

// f(piece of z) per `batch` rows, [n, ...] on the host.
template <class F>
Tensor in_batches(const char* op, const Tensor& z, int64_t batch, const Shape& shape, F f) {
  check<ShapeError>(z.ndim() == 2 && z.size(1) == TrainingOptions::latent, op,
                    "latents expect [n, 50], got ", z.shape());
  const NoGrad no_grad;
  Shape whole = shape;
  whole[0] = z.size(0);
  const Tensor out = Tensor::empty(whole), all = z.detach().to(Dtype::float32).contiguous();
  const int64_t width = whole.numel() / std::max<int64_t>(1, whole[0]);
  for (int64_t at = 0; at < z.size(0); at += batch) {
    const int64_t n = std::min(batch, z.size(0) - at);
    const Tensor part = f(all.as_strided({n, 50}, {50, 1}, all.offset() + at * 50).clone());
    out.as_strided({n, width}, {width, 1}, at * width).copy_(reshape(part, {n, width}));
  }
  return out;
}

}  // namespace

std::vector<int64_t> LatentCells::rows_of(const std::vector<std::string>& wanted) const {
  std::vector<bool> in(classes.size(), false);
  for (const std::string& name : wanted) {
    const auto at = std::find(classes.begin(), classes.end(), name);
    if (at == classes.end()) {
      std::string known;
      for (const std::string& c : classes) known += (known.empty() ? "" : ", ") + c;
      throw DataError(Fault{"class.unknown", "", "", "no class " + escape_control(name),
                            "one of " + known, ""});
    }
    in[static_cast<size_t>(at - classes.begin())] = true;
  }
  std::vector<int64_t> out;
  for (size_t i = 0; i < labels.size(); ++i)
    if (labels[i] >= 0 && in[static_cast<size_t>(labels[i])])
      out.push_back(static_cast<int64_t>(i));
  return out;
}

void Run::require_detector(const std::string& of_cells, const std::string& path) const {
  if (detector.empty() || of_cells.empty() || of_cells == detector) return;
  throw DataError(
      Fault{"features.detector", path, "", "features of " + of_cells,
            "those of " + detector + ", which " + escape_control(this->path) + " was trained on",
            "write them with that detector (cyto segment features)"});
}

Tensor Run::decode_images(const Tensor& z) const {
  check<StateError>(image != nullptr, "decode_images", "the run has no image VAE");
  const Device device = image->state_dict().front().second.device();
  return in_batches("decode_images", z, 64, {0, 128, 128, 3}, [&](const Tensor& part) {
    return image->decode_image(image->decode_features(part.to(device))).to(Device::cpu());
  });
}

Tensor Run::decode_genes(const Tensor& z) const {
  check<StateError>(rna != nullptr, "decode_genes", "the run has no RNA VAE");
  const Device device = rna->state_dict().front().second.device();
  const auto width = static_cast<int64_t>(genes.size());
  const Tensor units = in_batches("decode_genes", z, 256, {0, width}, [&](const Tensor& part) {
    return rna->decode(part.to(device)).to(Device::cpu());
  });
  Tensor out = units.to(Dtype::float64);
  double* values = out.data<double>();
  for (int64_t i = 0; i < out.size(0); ++i)
    for (int64_t g = 0; g < width; ++g)
      values[i * width + g] = scale.logarithm(values[i * width + g], g);
  return out;
}

Run load_run(const std::string& path, Device device) {
  require_run(path);
  Run out;
  out.path = path;
  while (out.path.size() > 1 && out.path.back() == '/') out.path.pop_back();
  RunConfig config;
  try {
    config = read_config(out.path + "/config.toml");
  } catch (const ConfigError& e) {
    bad(out.path, e.what());
  }
  if (!exists(out.path + "/DONE")) bad(out.path, "the training has not finished");
  out.seed = config.training.seed;
  out.images_file = config.files.images;
  out.rna_file = config.files.rna;
  const std::string rna = out.path + "/rna.safetensors", image = out.path + "/image.safetensors";
  if (!exists(rna) && !exists(image)) bad(out.path, "no rna.safetensors, no image.safetensors");
  if (exists(rna)) load_rna(out, rna, device);
  if (exists(image)) load_images(out, image, device);
  if (out.rna && out.image) out.map = read_class_map(out.path + "/map.toml");
  load_cells(out);
  return out;
}

}  // namespace cytograd::multimodal
