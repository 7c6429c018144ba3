// The part of the pickle machine that knows PyTorch: allowed globals, storages, tensors.
#include <algorithm>
#include <optional>

#include "cytograd/core/error.h"
#include "io/pickle.h"

namespace cytograd::io {
namespace {

constexpr std::string_view allowed[] = {
    "collections.OrderedDict",         "torch.Size",
    "torch._utils._rebuild_tensor",    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
};

// "torch.FloatStorage" and the like.
std::optional<ElementType> storage_type(const std::string& name) {
  static constexpr std::pair<std::string_view, ElementType> types[] = {
      {"torch.FloatStorage", ElementType::f32},     {"torch.DoubleStorage", ElementType::f64},
      {"torch.BFloat16Storage", ElementType::bf16}, {"torch.HalfStorage", ElementType::f16},
      {"torch.LongStorage", ElementType::i64},      {"torch.IntStorage", ElementType::i32},
      {"torch.ShortStorage", ElementType::i16},     {"torch.CharStorage", ElementType::i8},
      {"torch.ByteStorage", ElementType::u8},       {"torch.BoolStorage", ElementType::boolean},
  };
  for (const auto& [text, type] : types)
    if (name == text) return type;
  return std::nullopt;
}

}  // namespace

void PickleMachine::push_global(const std::string& module, const std::string& name) {
  const std::string full = module + "." + name;
  if (!storage_type(full) &&
      std::find(std::begin(allowed), std::end(allowed), full) == std::end(allowed))
    fail("global " + full.substr(0, 200), "tensors, containers, numbers and strings only");
  push(make(Value::Kind::global));
  stack_.back()->text = full;
}

void PickleMachine::reduce() {
  const Value* arguments = pop();
  const Value* function = pop();
  if (function->kind != Value::Kind::global || arguments->kind != Value::Kind::tuple)
    fail("call of what is no known function");
  const auto& items = arguments->items;
  if (function->text == "collections.OrderedDict") {
    // Python 2 wrote OrderedDict([[key, value], ...]).
    Value* dict = make(Value::Kind::dict);
    if (items.size() > 1 || (items.size() == 1 && items[0]->kind != Value::Kind::list))
      fail("OrderedDict of something other than a list of pairs");
    for (const Value* pair : items.empty() ? std::vector<Value*>{} : items[0]->items) {
      if (pair->items.size() != 2 || pair->kind == Value::Kind::dict)
        fail("OrderedDict of something other than a list of pairs");
      add_items(dict, pair->items);
    }
    push(dict);
  } else if (function->text == "torch.Size") {
    if (items.size() != 1 ||
        (items[0]->kind != Value::Kind::tuple && items[0]->kind != Value::Kind::list))
      fail("torch.Size of something other than a tuple");
    push(items[0]);
  } else if (function->text == "torch._utils._rebuild_parameter") {
    if (items.empty() || items[0]->kind != Value::Kind::tensor) fail("parameter without a tensor");
    push(items[0]);
  } else if (function->text.starts_with("torch._utils._rebuild_tensor")) {
    push(rebuild_tensor(items));
  } else {
    fail("call of " + function->text);
  }
}

// `_metadata` of a state dict: versions of modules, not needed. Nothing else carries attributes.
void PickleMachine::build() {
  const Value* state = pop();
  if (state->kind != Value::Kind::dict || stack_.empty() ||
      stack_.back()->kind != Value::Kind::dict)
    fail("attributes for what is no dictionary");
}

// ('storage', torch.FloatStorage, key, device, numel[, view])
void PickleMachine::push_persistent() {
  const Value* id = pop();
  const auto& items = id->items;
  if (id->kind != Value::Kind::tuple || items.size() < 5 || items.size() > 6 ||
      items[0]->text != "storage" || items[1]->kind != Value::Kind::global ||
      items[2]->kind != Value::Kind::text)
    fail("persistent object that is no storage");
  if (items.size() == 6 && items[5]->kind != Value::Kind::none)
    fail("storage that is a view of another, as PyTorch before 0.4 wrote", "a plain storage");
  const auto type = storage_type(items[1]->text);
  if (!type) fail("storage of type " + items[1]->text, "a storage of numbers");
  const StorageRef ref{items[2]->text, *type, integer_of(items[4], "storage length")};
  if (ref.numel < 0) fail("negative storage length");
  const auto [found, is_new] = storage_of_key_.try_emplace(ref.key, storages_.size());
  if (is_new) {
    storages_.push_back(ref);
  } else if (storages_[found->second].type != ref.type ||
             storages_[found->second].numel != ref.numel) {
    fail("storage " + ref.key.substr(0, 60) + " with two types or lengths");
  }
  push(make(Value::Kind::storage));
  stack_.back()->integer = static_cast<int64_t>(found->second);
}

// (storage, offset, size, stride[, requires_grad, hooks[, metadata]])
Value* PickleMachine::rebuild_tensor(const std::vector<Value*>& arguments) {
  if (arguments.size() < 4 || arguments[0]->kind != Value::Kind::storage)
    fail("tensor without a storage");
  TensorRef ref;
  ref.storage = static_cast<size_t>(arguments[0]->integer);
  ref.offset = integer_of(arguments[1], "tensor offset");
  if (ref.offset < 0) fail("negative tensor offset");
  ref.shape = shape_of(arguments[2], "tensor size");
  ref.strides = shape_of(arguments[3], "tensor stride");
  if (ref.shape.ndim() != ref.strides.ndim()) fail("tensor with strides for another rank");
  check_extent(ref);
  tensors_.push_back(ref);
  Value* value = make(Value::Kind::tensor);
  value->integer = static_cast<int64_t>(tensors_.size() - 1);
  return value;
}

// Every element must lie in the storage, and there may be no more of them than it holds (a stride
// of 0 could make any number out of one). Each step is checked, so nothing can overflow.
void PickleMachine::check_extent(const TensorRef& ref) const {
  const int64_t numel = storages_[ref.storage].numel;
  const bool empty = std::find(ref.shape.begin(), ref.shape.end(), 0) != ref.shape.end();
  int64_t last = ref.offset, count = 1;
  for (int d = 0; d < ref.shape.ndim(); ++d) {
    const int64_t n = std::max<int64_t>(ref.shape[d], 1), stride = ref.strides[d];
    if (count > (empty ? INT64_MAX : std::max<int64_t>(numel, 1)) / n)
      fail("tensor larger than its storage");
    count *= n;
    if (empty || n == 1) continue;
    if (stride > (numel - last) / (n - 1)) fail("tensor that reaches past its storage");
    last += (n - 1) * stride;
  }
  if (!empty && last >= numel) fail("tensor that reaches past its storage");
}

Shape PickleMachine::shape_of(const Value* value, const char* what) {
  if ((value->kind != Value::Kind::tuple && value->kind != Value::Kind::list) ||
      value->items.size() > static_cast<size_t>(max_rank))
    fail(std::string(what) + " that is no tuple of up to 8 numbers");
  Shape out;
  for (const Value* item : value->items) {
    const int64_t n = integer_of(item, what);
    if (n < 0) fail("negative " + std::string(what));
    out.push_back(n);
  }
  return out;
}

int64_t PickleMachine::integer_of(const Value* value, const char* what) {
  if (value->kind != Value::Kind::integer) fail(std::string(what) + " that is no whole number");
  return value->integer;
}

}  // namespace cytograd::io
