#include <array>
#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/io/safetensors.h"
#include "cytograd/io/text.h"
#include "cytograd/umap/umap.h"

namespace cytograd {
namespace {

const char* const kind = "cytograd umap 1";

struct Field {
  const char* name;
  double UmapOptions::*real;
  int64_t UmapOptions::*whole;
};

constexpr std::array fields = {
    Field{"neighbors", nullptr, &UmapOptions::neighbors},
    Field{"components", nullptr, &UmapOptions::components},
    Field{"min_dist", &UmapOptions::min_dist, nullptr},
    Field{"spread", &UmapOptions::spread, nullptr},
    Field{"local_connectivity", &UmapOptions::local_connectivity, nullptr},
    Field{"set_op_mix", &UmapOptions::set_op_mix, nullptr},
    Field{"target_weight", &UmapOptions::target_weight, nullptr},
    Field{"learning_rate", &UmapOptions::learning_rate, nullptr},
    Field{"repulsion", &UmapOptions::repulsion, nullptr},
    Field{"negative_rate", nullptr, &UmapOptions::negative_rate},
    Field{"epochs", nullptr, &UmapOptions::epochs},
    Field{"exact_limit", nullptr, &UmapOptions::exact_limit},
    Field{"inverse_neighbors", nullptr, &UmapOptions::inverse_neighbors},
    Field{"inverse_epochs", nullptr, &UmapOptions::inverse_epochs},
};

[[noreturn]] void wrong(const std::string& path, const std::string& place, const std::string& found,
                        const std::string& expected) {
  throw DataError(Fault{"umap.model", path, place, found, expected,
                        "pass a file that `cyto umap --model` or Umap::save wrote"});
}

int64_t whole_number(const SafeTensors& file, const std::string& path, const std::string& name) {
  const auto at = file.metadata.find(name);
  if (at == file.metadata.end()) wrong(path, name, "no such entry", "a number");
  const auto value = parse_int(at->second);
  if (!value) wrong(path, name, "\"" + at->second + "\"", "a whole number");
  return *value;
}

Tensor tensor(const SafeTensors& file, const std::string& path, const std::string& name,
              const Shape& shape) {
  const auto at = file.tensors.find(name);
  if (at == file.tensors.end()) wrong(path, name, "no such tensor", "a tensor");
  const Tensor& t = at->second;
  std::ostringstream found, expected;
  found << t.dtype() << " " << t.shape();
  expected << Dtype::float32 << " " << shape;
  if (t.dtype() != Dtype::float32 || t.shape() != shape)
    wrong(path, name, found.str(), expected.str());
  return t;
}

}  // namespace

void Umap::save(const std::string& path) const {
  check<StateError>(fitted(), "umap", "save expects a fitted map; call fit first");
  std::map<std::string, std::string> metadata = {
      {"kind", kind},
      {"used_neighbors", std::to_string(neighbors_)},
      {"seed", std::to_string(static_cast<int64_t>(options_.seed))},
      {"transform_seed", std::to_string(static_cast<int64_t>(options_.transform_seed))}};
  for (const Field& f : fields)
    metadata[f.name] = f.real ? format_double(options_.*f.real) : std::to_string(options_.*f.whole);
  write_safetensors(path,
                    {{"data", data_},
                     {"embedding", embedding_},
                     {"rho", Tensor::from(scales_.rho)},
                     {"sigma", Tensor::from(scales_.sigma)}},
                    metadata);
}

Umap Umap::load(const std::string& path) {
  const SafeTensors file = read_safetensors(path);
  const auto found = file.metadata.find("kind");
  if (found == file.metadata.end() || found->second != kind)
    wrong(path, "metadata", "another kind of file", std::string("\"kind\": \"") + kind + "\"");
  UmapOptions options;
  for (const Field& f : fields) {
    if (f.whole) {
      options.*f.whole = whole_number(file, path, f.name);
      continue;
    }
    const auto at = file.metadata.find(f.name);
    const auto value =
        at == file.metadata.end() ? std::optional<double>() : parse_double(at->second);
    if (!value) wrong(path, f.name, "no number", "a number");
    options.*f.real = *value;
  }
  options.seed = static_cast<uint64_t>(whole_number(file, path, "seed"));
  options.transform_seed = static_cast<uint64_t>(whole_number(file, path, "transform_seed"));
  Umap out(options);
  out.neighbors_ = whole_number(file, path, "used_neighbors");
  const auto data = file.tensors.find("data");
  if (data == file.tensors.end() || data->second.ndim() != 2 || data->second.size(0) < 1 ||
      data->second.size(1) < 1)
    wrong(path, "data", "no such tensor", "[rows, columns]");
  const int64_t n = data->second.size(0);
  out.data_ = tensor(file, path, "data", data->second.shape());
  out.scales_.rho = tensor(file, path, "rho", {n}).to_vector<float>();
  out.scales_.sigma = tensor(file, path, "sigma", {n}).to_vector<float>();
  out.embedding_ = tensor(file, path, "embedding", {n, options.components});
  if (out.neighbors_ < 1 || out.neighbors_ > n)
    wrong(path, "used_neighbors", std::to_string(out.neighbors_), "1 to " + std::to_string(n));
  const float* values = out.data_.data<float>();
  for (int64_t i = 0; i < out.data_.numel(); ++i)
    if (!std::isfinite(values[i])) wrong(path, "data", "NaN or infinity", "finite numbers");
  return out;
}

}  // namespace cytograd
