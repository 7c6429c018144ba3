#include "cytograd/io/torch_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <map>

#include "cytograd/core/error.h"
#include "cytograd/io/text.h"
#include "io/byte_source.h"
#include "io/pickle.h"
#include "io/torch_archive.h"

namespace cytograd {
namespace {

using io::ByteSource;
using io::PickleMachine;
using io::StorageRef;
using io::TensorRef;
using io::Value;

// A tensor may repeat a storage (tied weights), but not so often that a small file fills memory.
constexpr uint64_t max_expansion = 8;
// Names and notes together. Objects may be shared inside a pickle, their texts here are not.
constexpr size_t max_text_total = size_t{256} << 20;

class Collector {
 public:
  explicit Collector(PickleMachine& machine) : machine_(machine) {}

  // Sorts the root into named tensors, numbers and strings.
  void collect(const Value& root) {
    if (root.kind != Value::Kind::dict) machine_.fail("file holds no dictionary", "a state dict");
    const Value* chosen = nullptr;
    for (const char* key : {"state_dict", "model_state_dict", "model"})
      if (!chosen) chosen = child(root, key);
    if (chosen) walk(*chosen, "", true, 0);
    for (size_t i = 0; i + 1 < root.items.size(); i += 2)
      if (root.items[i + 1] != chosen)
        walk(*root.items[i + 1], key_text(*root.items[i]), !chosen, 1);
  }

  // Copies every tensor out of its storage; `read` gives the bytes of one storage.
  void load(const std::function<std::vector<char>(const StorageRef&)>& read, uint64_t file_bytes) {
    uint64_t total = 0;
    std::vector<std::vector<const std::pair<std::string, size_t>*>> users(
        machine_.storages().size());
    for (const auto& named : named_) {
      const TensorRef& ref = machine_.tensors()[named.second];
      total += static_cast<uint64_t>(ref.shape.numel()) * bytes_per_element(ref);
      if (total > max_expansion * file_bytes + (1 << 20))
        machine_.fail("tensors that take far more memory than the file holds");
      users[ref.storage].push_back(&named);
    }
    for (size_t s = 0; s < users.size(); ++s) {
      if (users[s].empty()) continue;
      const StorageRef& storage = machine_.storages()[s];
      const std::vector<char> raw = read(storage);
      for (const auto* named : users[s]) {
        if (io::is_converted(storage.type)) out_.converted.push_back(named->first);
        out_.tensors.insert_or_assign(named->first,
                                      copy(raw, storage, machine_.tensors()[named->second]));
      }
    }
    std::sort(out_.converted.begin(), out_.converted.end());
  }

  TorchFile take() { return std::move(out_); }

 private:
  static const Value* child(const Value& dict, std::string_view key) {
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2)
      if (dict.items[i]->kind == Value::Kind::text && dict.items[i]->text == key &&
          dict.items[i + 1]->kind == Value::Kind::dict)
        return dict.items[i + 1];
    return nullptr;
  }

  static std::string key_text(const Value& key) {
    switch (key.kind) {
      case Value::Kind::text:
        return key.text;
      case Value::Kind::integer:
        return std::to_string(key.integer);
      case Value::Kind::boolean:
        return key.integer ? "true" : "false";
      case Value::Kind::real:
        return format_double(key.real);
      default:
        return "?";
    }
  }

  void walk(const Value& value, const std::string& name, bool wanted, int depth) {
    if (++visited_ > io::max_pickle_values || depth > io::max_pickle_depth)
      machine_.fail("nesting deeper than 64, or objects used too often");
    text_bytes_ += name.size() + value.text.size();
    if (text_bytes_ > max_text_total) machine_.fail("names and strings of more than 256 MiB");
    switch (value.kind) {
      case Value::Kind::tensor:
        if (wanted)
          named_.emplace_back(name, static_cast<size_t>(value.integer));
        else
          out_.ignored.push_back(name);
        if (named_.size() > max_weight_tensors) machine_.fail("more than 1000000 tensors");
        break;
      case Value::Kind::text:
      case Value::Kind::integer:
      case Value::Kind::boolean:
      case Value::Kind::real:
        out_.metadata[name] = key_text(value);
        break;
      case Value::Kind::dict:
        for (size_t i = 0; i + 1 < value.items.size(); i += 2)
          walk(*value.items[i + 1], joined(name, key_text(*value.items[i])), wanted, depth + 1);
        break;
      case Value::Kind::list:
      case Value::Kind::tuple:
        for (size_t i = 0; i < value.items.size(); ++i)
          walk(*value.items[i], joined(name, std::to_string(i)), wanted, depth + 1);
        break;
      default:
        break;
    }
  }

  std::string joined(const std::string& a, const std::string& b) {
    constexpr size_t longest = 4096;
    if (a.size() + b.size() > longest) machine_.fail("name of more than 4096 bytes");
    return a.empty() ? b : a + "." + b;
  }

  size_t bytes_per_element(const TensorRef& ref) const {
    return io::size_of(machine_.storages()[ref.storage].type);
  }

  static Tensor copy(const std::vector<char>& raw, const StorageRef& storage,
                     const TensorRef& ref) {
    const size_t size = io::size_of(storage.type);
    Tensor out = Tensor::empty(ref.shape, io::dtype_for(storage.type));
    const int64_t numel = out.numel();
    if (numel == 0) return out;
    if (ref.strides == contiguous_strides(ref.shape)) {
      io::convert_elements(storage.type, raw.data() + static_cast<size_t>(ref.offset) * size,
                           out.raw_data(), static_cast<size_t>(numel));
      return out;
    }
    // Odometer over all axes; a one-element copy each, which only rare files need.
    std::vector<char> packed(static_cast<size_t>(numel) * size);
    std::array<int64_t, max_rank> index{};
    int64_t from = ref.offset;
    for (int64_t i = 0; i < numel; ++i) {
      std::memcpy(packed.data() + static_cast<size_t>(i) * size,
                  raw.data() + static_cast<size_t>(from) * size, size);
      for (int d = ref.shape.ndim() - 1; d >= 0; --d) {
        from += ref.strides[d];
        if (++index[d] < ref.shape[d]) break;
        from -= ref.strides[d] * ref.shape[d];
        index[d] = 0;
      }
    }
    io::convert_elements(storage.type, packed.data(), out.raw_data(), static_cast<size_t>(numel));
    return out;
  }

  PickleMachine& machine_;
  TorchFile out_;
  std::vector<std::pair<std::string, size_t>> named_;
  size_t visited_ = 0, text_bytes_ = 0;
};

[[noreturn]] void fail(const std::string& file, const std::string& place, const std::string& found,
                       const std::string& expected = "") {
  throw DataError({"pt.opcode", file, place, found, expected,
                   "save the state_dict of the model with torch.save"});
}

TorchFile load_zip(const ByteSource& source, const std::string& name) {
  io::TorchArchive archive(source, name);
  const std::string pickle = archive.read_record("data.pkl", max_weight_header_bytes);
  PickleMachine machine(name, "data.pkl");
  Collector collector(machine);
  collector.collect(machine.run(pickle));
  collector.load([&](const StorageRef& s) { return archive.read_storage(s); }, source.size());
  return collector.take();
}

// Where each storage of the old layout lies: three small pickles, the objects, a pickle with the
// list of keys, then for each key its length (8 bytes) and its elements.
class LegacyLayout {
 public:
  LegacyLayout(const ByteSource& source, const std::string& name) : source_(source), name_(name) {
    head_.resize(std::min<uint64_t>(source.size(), max_weight_header_bytes));
    source.read(0, head_.data(), head_.size());
  }

  const Value& read_objects(PickleMachine& machine) {
    static constexpr std::string_view magic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    size_t at = 0;
    {
      PickleMachine preface(name_, "preface");
      if (preface.run(head_, at).text != magic)
        fail(name_, "byte 0", "another magic number", "a file by torch.save");
      const int64_t version = preface.run(head_, at = preface.end()).integer;
      if (version != 1001)
        fail(name_, "preface", "protocol version " + std::to_string(version), "1001");
      check_system(preface, preface.run(head_, at = preface.end()));
      at = preface.end();
    }
    const Value& root = machine.run(head_, at);
    PickleMachine keys(name_, "storage keys");
    const Value& list = keys.run(head_, machine.end());
    if (list.kind != Value::Kind::list) fail(name_, "storage keys", "no list of keys");
    place_storages(machine, list, keys.end());
    return root;
  }

  std::vector<char> read_storage(const StorageRef& storage) const {
    const auto found = offsets_.find(storage.key);
    if (found == offsets_.end()) fail(name_, "storage " + storage.key, "no data");
    std::vector<char> out(static_cast<size_t>(storage.numel) * io::size_of(storage.type));
    source_.read(found->second, out.data(), out.size());
    return out;
  }

 private:
  void check_system(const PickleMachine& machine, const Value& info) const {
    for (size_t i = 0; i + 1 < info.items.size(); i += 2)
      if (info.items[i]->text == "little_endian" && info.items[i + 1]->integer != 1)
        machine.fail("big-endian data", "little-endian data");
  }

  void place_storages(const PickleMachine& machine, const Value& list, uint64_t at) {
    std::map<std::string_view, const StorageRef*> known;
    for (const StorageRef& s : machine.storages()) known[s.key] = &s;
    for (const Value* key : list.items) {
      const auto found = known.find(key->text);
      if (found == known.end()) fail(name_, "storage keys", "key that no tensor uses");
      const StorageRef& storage = *found->second;
      const std::string place = "storage " + storage.key;
      if (source_.size() - at < 8) fail(name_, place, "file ends early");
      int64_t numel = 0;
      source_.read(at, &numel, 8);
      at += 8;
      if (numel != storage.numel)
        fail(name_, place, "length " + std::to_string(numel), std::to_string(storage.numel));
      const size_t size = io::size_of(storage.type);
      if (static_cast<uint64_t>(numel) > (source_.size() - at) / size)
        fail(name_, place, "file ends early", std::to_string(numel) + " elements");
      if (!offsets_.emplace(storage.key, at).second) fail(name_, place, "key twice");
      at += static_cast<uint64_t>(numel) * size;
    }
    if (at != source_.size())
      fail(name_, "byte " + std::to_string(at), "data after the last storage");
  }

  const ByteSource& source_;
  const std::string& name_;
  std::string head_;
  std::map<std::string, uint64_t> offsets_;
};

TorchFile load_legacy(const ByteSource& source, const std::string& name) {
  LegacyLayout layout(source, name);
  PickleMachine machine(name, "objects");
  Collector collector(machine);
  collector.collect(layout.read_objects(machine));
  collector.load([&](const StorageRef& s) { return layout.read_storage(s); }, source.size());
  return collector.take();
}

TorchFile load(const ByteSource& source, const std::string& name) {
  std::array<char, 4> magic{};
  source.read(0, magic.data(), std::min<uint64_t>(magic.size(), source.size()));
  if (std::memcmp(magic.data(), "PK\3\4", 4) == 0) return load_zip(source, name);
  if (static_cast<unsigned char>(magic[0]) == 0x80) return load_legacy(source, name);
  fail(name, "byte 0", "no PyTorch file", "a ZIP archive or pickle by torch.save");
}

}  // namespace

TorchFile read_torch_file(const std::string& path) { return load(io::FileSource(path), path); }

TorchFile decode_torch_file(std::string_view bytes, const std::string& name) {
  return load(io::MemorySource(bytes), name);
}

}  // namespace cytograd
