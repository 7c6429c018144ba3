#include "cytograd/io/weights.h"

#include <filesystem>
#include <fstream>

#include "cytograd/io/file.h"
#include "cytograd/io/torch_file.h"

namespace cytograd {
namespace {

constexpr size_t kMagicBytes = 9;

// The safetensors header length is below 2^32 and its JSON begins at once; PyTorch files have other
// bytes there even where they begin alike.
std::string format_of(std::string_view head) {
  if (head.size() >= kMagicBytes && head[8] == '{' &&
      head.substr(4, 4) == std::string_view("\0\0\0\0", 4))
    return "safetensors";
  if (head.starts_with("PK")) return "pytorch zip";
  if (head.starts_with("\x80")) return "pytorch stream";
  return "";
}

std::string first_bytes(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return "";
  std::string head(kMagicBytes, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return head;
}

}  // namespace

Weights load_weights(const std::string& path) {
  const std::string head = first_bytes(path);
  Weights out;
  out.format = format_of(head);
  if (out.format.starts_with("pytorch")) {
    TorchFile file = read_torch_file(path);
    out.tensors = std::move(file.tensors);
    out.metadata = std::move(file.metadata);
    out.converted = std::move(file.converted);
    out.ignored = std::move(file.ignored);
    return out;
  }
  if (out.format.empty() && !head.empty())
    throw DataError({.id = "st.header",
                     .file = path,
                     .place = "first bytes",
                     .found = "neither a safetensors nor a PyTorch file",
                     .expected = "weights (.safetensors, .pth, .pt, .th)",
                     .hint = "check that this is the weight file"});
  // Also what is missing, empty or no file at all: the reader says so.
  SafeTensors file = read_safetensors(path);
  out.format = "safetensors";
  out.tensors = std::move(file.tensors);
  out.metadata = std::move(file.metadata);
  out.converted = std::move(file.converted);
  return out;
}

void save_weights(const std::string& path, const TensorMap& tensors,
                  const std::map<std::string, std::string>& metadata) {
  write_safetensors(path, tensors, metadata);
}

nn::LoadReport load_weights_into(const nn::Module& model, const std::string& path,
                                 nn::LoadOptions options) {
  Weights weights = load_weights(path);
  if (options.file.empty()) options.file = path;
  nn::LoadReport report = nn::load_state_dict(
      model, nn::from_torch_layout({weights.tensors.begin(), weights.tensors.end()}), options);
  report.converted.insert(report.converted.end(), weights.converted.begin(),
                          weights.converted.end());
  return report;
}

void save_weights_of(const nn::Module& model, const std::string& path,
                     const std::map<std::string, std::string>& metadata) {
  const nn::NamedTensors state = nn::to_torch_layout(model.state_dict());
  save_weights(path, TensorMap(state.begin(), state.end()), metadata);
}

}  // namespace cytograd
