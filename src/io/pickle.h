#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/element_type.h"

/// @file
/// A pickle machine without code: it builds containers, numbers, strings and descriptions of
/// tensors. Globals outside a short list, and opcodes that could import or call, are faults.

namespace cytograd::io {

inline constexpr int max_pickle_depth = 64;
inline constexpr size_t max_pickle_values = 16'000'000;

/// One object. Lives as long as the machine that made it.
struct Value {
  enum class Kind : uint8_t {
    none,
    boolean,
    integer,
    big_integer,
    real,
    text,
    list,
    tuple,
    dict,
    global,
    storage,
    tensor
  };
  Kind kind = Kind::none;
  int depth = 1;        ///< of nesting, when it was put together
  int64_t integer = 0;  ///< boolean, integer, or an index into storages or tensors
  double real = 0;
  std::string text;           ///< text, bytes, or the full name of a global
  std::vector<Value*> items;  ///< list, tuple; dict: key, value, key, value
};

/// What `persistent_id` of torch.save describes.
struct StorageRef {
  std::string key;
  ElementType type = ElementType::f32;
  int64_t numel = 0;
};

/// What `_rebuild_tensor` describes: a strided view of a storage, in elements.
struct TensorRef {
  size_t storage = 0;  ///< index into storages()
  int64_t offset = 0;
  Shape shape, strides;
};

class PickleMachine {
 public:
  /// @param place names the pickle in messages, e.g. "data.pkl"; both outlive the machine
  PickleMachine(const std::string& file, std::string place)
      : file_(file), place_(std::move(place)) {}

  /// Runs one pickle that starts at `begin` of `bytes`; `end()` then is where it stopped.
  const Value& run(std::string_view bytes, size_t begin = 0);
  size_t end() const { return at_; }
  const std::deque<StorageRef>& storages() const { return storages_; }
  const std::deque<TensorRef>& tensors() const { return tensors_; }
  [[noreturn]] void fail(const std::string& found, const std::string& expected = "") const;

 private:
  struct Mark {
    size_t height;
  };
  void step(unsigned char opcode);
  bool step_number(unsigned char opcode);
  bool step_text(unsigned char opcode);
  bool step_container(unsigned char opcode);
  bool step_memo(unsigned char opcode);
  bool step_object(unsigned char opcode);

  std::string_view take(uint64_t bytes);
  uint64_t take_number(int bytes);
  std::string_view take_line();
  Value* make(Value::Kind kind);
  void push(Value* value);
  Value* pop();
  std::vector<Value*> pop_to_mark();
  void push_text(std::string_view text);
  void push_integer(std::string_view little_endian);
  void push_sequence(Value::Kind kind, std::vector<Value*> items);
  void add_items(Value* container, const std::vector<Value*>& items);
  void push_global(const std::string& module, const std::string& name);
  void reduce();
  void build();
  void push_persistent();
  Value* rebuild_tensor(const std::vector<Value*>& arguments);
  void check_extent(const TensorRef& ref) const;
  Shape shape_of(const Value* value, const char* what);
  int64_t integer_of(const Value* value, const char* what);
  void memoize(uint64_t index);

  const std::string& file_;
  std::string place_;
  std::string_view bytes_;
  size_t at_ = 0, opcode_at_ = 0;
  std::deque<Value> values_;
  std::vector<Value*> stack_;
  std::vector<Mark> marks_;
  std::unordered_map<uint64_t, Value*> memo_;
  std::deque<StorageRef> storages_;
  std::unordered_map<std::string, size_t> storage_of_key_;
  std::deque<TensorRef> tensors_;
};

}  // namespace cytograd::io
