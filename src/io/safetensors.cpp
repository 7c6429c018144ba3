#include "cytograd/io/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>

#include "cytograd/io/file.h"
#include "cytograd/io/hash.h"
#include "cytograd/io/text.h"
#include "io/byte_source.h"
#include "io/element_type.h"
#include "io/json.h"

namespace cytograd {
namespace {

using io::ByteSource;
using io::ElementType;
using nlohmann::json;

const char* const metadata_key = "__metadata__";
const char* const hash_key = "cytograd.xxh3_128";  // over the header without it, then the data
constexpr size_t length_bytes = 8;

struct Entry {
  std::string name;
  ElementType type;
  Shape shape;
  uint64_t begin, end;  // in the data section
};

struct Header {
  std::vector<Entry> entries;  // by begin
  std::map<std::string, std::string> metadata;
  uint64_t data_start = 0;
  std::string expected_hash;  // "" in files by others
  std::string hashed_text;
};

class HeaderReader {
 public:
  HeaderReader(const ByteSource& source, const std::string& name) : source_(source), name_(name) {}

  Header read() {
    json root = read_json_header();
    if (root.size() > max_weight_tensors + 1)
      fail("", std::to_string(root.size()) + " tensors",
           "at most " + std::to_string(max_weight_tensors));
    for (const auto& [key, value] : root.items()) {
      if (key == metadata_key)
        read_metadata(value);
      else
        out_.entries.push_back(read_entry(key, value));
    }
    check_coverage();
    if (const auto found = out_.metadata.find(hash_key); found != out_.metadata.end()) {
      out_.expected_hash = found->second;
      out_.metadata.erase(found);
      root[metadata_key].erase(hash_key);
      out_.hashed_text = root.dump();
    }
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(const std::string& tensor, const std::string& found,
                         const std::string& expected, const char* id = "st.header") const {
    throw DataError({id, name_, tensor.empty() ? "header" : "tensor " + tensor, found, expected,
                     "download or save the file again"});
  }

  json read_json_header() {
    const uint64_t size = source_.size();
    if (size < length_bytes) fail("", "file of " + std::to_string(size) + " bytes", "at least 8");
    std::array<unsigned char, length_bytes> head{};
    source_.read(0, head.data(), head.size());
    uint64_t length = 0;
    for (size_t i = length_bytes; i-- > 0;) length = length << 8 | head[i];
    if (length == 0) fail("", "header of length 0", "a JSON object");
    if (length > max_weight_header_bytes)
      fail("", "header of " + std::to_string(length) + " bytes",
           "at most " + std::to_string(max_weight_header_bytes));
    if (length > size - length_bytes)
      fail("",
           "header of " + std::to_string(length) + " bytes in a file of " + std::to_string(size),
           "a header inside the file");
    std::string text(length, '\0');
    source_.read(length_bytes, text.data(), text.size());
    if (text[0] != '{') fail("", "header does not begin with {", "a JSON object");
    out_.data_start = length_bytes + length;
    return parse_json(text, {"st.header", name_, "header", "", "", ""});
  }

  void read_metadata(const json& value) {
    if (!value.is_object()) fail("", "__metadata__ is not an object", "an object of strings");
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) fail("", "metadata \"" + key + "\" is not a string", "strings only");
      out_.metadata[key] = text.get<std::string>();
    }
  }

  Entry read_entry(const std::string& name, const json& value) const {
    if (!value.is_object() || value.size() != 3 || !value.contains("dtype") ||
        !value.contains("shape") || !value.contains("data_offsets") || !value["dtype"].is_string())
      fail(name, "entry has another form", "dtype, shape and data_offsets");
    const auto dtype = value["dtype"].get<std::string>();
    const auto type = io::element_type_named(dtype);
    if (!type)
      fail(name, "element type " + dtype, "F32, F64, BF16, F16, I64, I32, I16, I8, U8 or BOOL");
    Entry entry{name, *type, {}, 0, 0};
    uint64_t bytes = io::size_of(*type), span = bytes;  // span: strides must not overflow either
    for (const uint64_t n : numbers(name, "shape", value["shape"], max_rank)) {
      if (n > INT64_MAX) fail(name, "size " + std::to_string(n), "at most 2^63 - 1", "st.offsets");
      if (span > INT64_MAX / std::max<uint64_t>(n, 1))
        fail(name, "shape that overflows 64 bits", "a size within the file", "st.offsets");
      span *= std::max<uint64_t>(n, 1);
      bytes *= n;
      entry.shape.push_back(static_cast<int64_t>(n));
    }
    const std::vector<uint64_t> offsets = numbers(name, "data_offsets", value["data_offsets"], 2);
    if (offsets.size() != 2) fail(name, "data_offsets of another length", "begin and end");
    entry.begin = offsets[0];
    entry.end = offsets[1];
    const uint64_t data = source_.size() - out_.data_start;
    if (entry.begin > entry.end) fail(name, "data ends before it begins", "", "st.offsets");
    if (entry.end > data)
      fail(name, "data ends at byte " + std::to_string(entry.end) + " of the data section",
           "at most " + std::to_string(data), "st.offsets");
    if (entry.end - entry.begin != bytes)
      fail(name, std::to_string(entry.end - entry.begin) + " bytes of data",
           std::to_string(bytes) + " by shape and element type", "st.offsets");
    return entry;
  }

  std::vector<uint64_t> numbers(const std::string& tensor, const char* what, const json& value,
                                size_t most) const {
    if (!value.is_array() || value.size() > most)
      fail(tensor, std::string(what) + " is not a list of up to " + std::to_string(most), "");
    std::vector<uint64_t> out;
    for (const json& n : value) {
      if (!n.is_number_unsigned())
        fail(tensor, std::string(what) + " holds " + n.dump(-1, ' ', true).substr(0, 60),
             "whole numbers from 0");
      out.push_back(n.get<uint64_t>());
    }
    return out;
  }

  // Every byte of the data section belongs to exactly one tensor.
  void check_coverage() {
    std::sort(out_.entries.begin(), out_.entries.end(), [](const Entry& a, const Entry& b) {
      return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
    });
    uint64_t end = 0;
    for (const Entry& e : out_.entries) {
      if (e.begin != end)
        fail(e.name, std::string(e.begin < end ? "overlap" : "gap") + " before its data",
             "data from byte " + std::to_string(end), "st.offsets");
      end = e.end;
    }
    const uint64_t data = source_.size() - out_.data_start;
    if (end != data)
      fail("", std::to_string(data - end) + " bytes after the last tensor", "none", "st.offsets");
  }

  const ByteSource& source_;
  const std::string& name_;
  Header out_;
};

SafeTensors load(const ByteSource& source, const std::string& name) {
  Header header = HeaderReader(source, name).read();
  SafeTensors out;
  Xxh3Stream hash;
  hash.update(header.hashed_text.data(), header.hashed_text.size());
  std::vector<char> raw;
  for (const Entry& e : header.entries) {
    const auto bytes = static_cast<size_t>(e.end - e.begin);
    Tensor tensor = Tensor::empty(e.shape, io::dtype_for(e.type));
    if (io::is_converted(e.type)) {
      raw.resize(bytes);
      source.read(header.data_start + e.begin, raw.data(), bytes);
      hash.update(raw.data(), bytes);
      io::convert_elements(e.type, raw.data(), tensor.raw_data(), bytes / io::size_of(e.type));
      out.converted.push_back(e.name);
    } else if (bytes > 0) {
      source.read(header.data_start + e.begin, tensor.raw_data(), bytes);
      hash.update(tensor.raw_data(), bytes);
    }
    out.tensors.emplace(e.name, std::move(tensor));
  }
  if (!header.expected_hash.empty() && hash.digest() != header.expected_hash)
    throw DataError({"st.hash", name, "", "content has hash " + hash.digest(), header.expected_hash,
                     "the file was damaged after writing; use an earlier one"});
  out.metadata = std::move(header.metadata);
  return out;
}

void check_text(const std::string& text, const char* what) {
  check<ValueError>(is_valid_utf8(text), "write_safetensors", what, " expects UTF-8, got \"",
                    escape_control(text), "\"");
}

}  // namespace

SafeTensors read_safetensors(const std::string& path) { return load(io::FileSource(path), path); }

SafeTensors decode_safetensors(std::string_view bytes, const std::string& name) {
  return load(io::MemorySource(bytes), name);
}

std::vector<TensorEntry> list_safetensors(const std::string& path,
                                          std::map<std::string, std::string>* metadata) {
  const io::FileSource source(path);
  Header header = HeaderReader(source, path).read();
  std::vector<TensorEntry> out;
  for (const Entry& e : header.entries)
    out.push_back({e.name, io::name_of(e.type), e.shape, e.end - e.begin});
  if (metadata) *metadata = std::move(header.metadata);
  return out;
}

void write_safetensors(const std::string& path, const TensorMap& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<std::pair<std::string, Tensor>> ordered;
  for (const auto& [name, tensor] : tensors) {
    check_text(name, "tensor name");
    check<ValueError>(name != metadata_key, "write_safetensors", "name expects another than ",
                      metadata_key);
    check<ValueError>(tensor.defined() && tensor.device() == Device::cpu(), "write_safetensors",
                      "tensor ", name, " expects data on the CPU, got none");
    ordered.emplace_back(name, tensor.detach().contiguous());
  }
  // The largest elements first, so that all data is aligned to its element size.
  std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) {
    return size_of(a.second.dtype()) > size_of(b.second.dtype());
  });
  json root = json::object();
  uint64_t end = 0;
  for (const auto& [name, tensor] : ordered) {
    const Shape& shape = tensor.shape();
    root[name] = {{"dtype", io::name_of(io::element_type_of(tensor.dtype()))},
                  {"shape", std::vector<int64_t>(shape.begin(), shape.end())},
                  {"data_offsets", {end, end + tensor.bytes()}}};
    end += tensor.bytes();
  }
  root[metadata_key] = json::object();
  for (const auto& [key, value] : metadata) {
    check_text(key, "metadata");
    check_text(value, "metadata");
    root[metadata_key][key] = value;
  }
  root[metadata_key].erase(hash_key);
  Xxh3Stream hash;
  const std::string hashed_text = root.dump();
  hash.update(hashed_text.data(), hashed_text.size());
  for (const auto& [name, tensor] : ordered)
    if (tensor.bytes() > 0) hash.update(tensor.raw_data(), tensor.bytes());
  root[metadata_key][hash_key] = hash.digest();
  std::string header = root.dump();
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string length(length_bytes, '\0');
  const uint64_t n = header.size();
  std::memcpy(length.data(), &n, length_bytes);

  AtomicFile file(path, length_bytes + n + end);
  file.write(length);
  file.write(header);
  for (const auto& [name, tensor] : ordered)
    if (tensor.bytes() > 0) file.write(tensor.raw_data(), tensor.bytes());
  file.commit();
}

}  // namespace cytograd
