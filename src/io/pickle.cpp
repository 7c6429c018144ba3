#include "io/pickle.h"

#include <algorithm>
#include <cstring>

#include "cytograd/core/error.h"
#include "cytograd/io/text.h"

namespace cytograd::io {

// clang-format off
// Opcodes by the names of Python's pickletools.
enum Opcode : unsigned char {
  MARK = '(', STOP = '.', POP = '0', POP_MARK = '1', DUP = '2',
  BINFLOAT = 'G', BININT = 'J', BININT1 = 'K', BININT2 = 'M', NONE = 'N', BINPERSID = 'Q',
  REDUCE = 'R', BINSTRING = 'T', SHORT_BINSTRING = 'U', BINUNICODE = 'X', EMPTY_LIST = ']',
  APPEND = 'a', BUILD = 'b', GLOBAL = 'c', DICT = 'd', EMPTY_DICT = '}', APPENDS = 'e',
  BINGET = 'h', LONG_BINGET = 'j', LIST = 'l', BINPUT = 'q', LONG_BINPUT = 'r', SETITEM = 's',
  TUPLE = 't', EMPTY_TUPLE = ')', SETITEMS = 'u', BINBYTES = 'B', SHORT_BINBYTES = 'C',
  PROTO = 0x80, TUPLE1 = 0x85, TUPLE2 = 0x86, TUPLE3 = 0x87, NEWTRUE = 0x88, NEWFALSE = 0x89,
  LONG1 = 0x8a, LONG4 = 0x8b, SHORT_BINUNICODE = 0x8c, BINUNICODE8 = 0x8d, STACK_GLOBAL = 0x93,
  MEMOIZE = 0x94, FRAME = 0x95,
};
// clang-format on

void PickleMachine::fail(const std::string& found, const std::string& expected) const {
  throw DataError({"pt.opcode", file_, place_ + ", byte " + std::to_string(opcode_at_), found,
                   expected, "save the state_dict of the model with torch.save"});
}

const Value& PickleMachine::run(std::string_view bytes, size_t begin) {
  bytes_ = bytes;
  at_ = begin;
  stack_.clear();
  marks_.clear();
  memo_.clear();
  while (true) {
    opcode_at_ = at_;
    const auto opcode = static_cast<unsigned char>(take(1)[0]);
    if (opcode == STOP) break;
    step(opcode);
  }
  if (stack_.size() != 1 || !marks_.empty())
    fail("pickle ends with " + std::to_string(stack_.size()) + " objects on its stack", "one");
  return *stack_.back();
}

void PickleMachine::step(unsigned char opcode) {
  if (step_number(opcode) || step_text(opcode) || step_container(opcode) || step_memo(opcode) ||
      step_object(opcode))
    return;
  static const char* digits = "0123456789abcdef";
  fail(std::string("opcode 0x") + digits[opcode >> 4] + digits[opcode & 15],
       "the opcodes of tensors, containers, numbers and strings");
}

bool PickleMachine::step_number(unsigned char opcode) {
  switch (opcode) {
    case NONE:
      push(make(Value::Kind::none));
      return true;
    case NEWTRUE:
    case NEWFALSE:
      push(make(Value::Kind::boolean));
      stack_.back()->integer = opcode == NEWTRUE;
      return true;
    case BININT:
      push_integer(take(4));
      return true;
    case BININT1:
    case BININT2:
      push(make(Value::Kind::integer));
      stack_.back()->integer = static_cast<int64_t>(take_number(opcode == BININT1 ? 1 : 2));
      return true;
    case LONG1:
      push_integer(take(take_number(1)));
      return true;
    case LONG4:
      push_integer(take(take_number(4)));
      return true;
    case BINFLOAT: {
      const std::string_view big_endian = take(8);
      uint64_t bits = 0;
      for (const char c : big_endian) bits = bits << 8 | static_cast<unsigned char>(c);
      push(make(Value::Kind::real));
      std::memcpy(&stack_.back()->real, &bits, sizeof bits);
      return true;
    }
    default:
      return false;
  }
}

bool PickleMachine::step_text(unsigned char opcode) {
  switch (opcode) {
    case SHORT_BINSTRING:
    case SHORT_BINUNICODE:
    case SHORT_BINBYTES:
      push_text(take(take_number(1)));
      return true;
    case BINSTRING:
    case BINUNICODE:
    case BINBYTES:
      push_text(take(take_number(4)));
      return true;
    case BINUNICODE8:
      push_text(take(take_number(8)));
      return true;
    default:
      return false;
  }
}

bool PickleMachine::step_container(unsigned char opcode) {
  using Kind = Value::Kind;
  switch (opcode) {
    case MARK:
      if (marks_.size() >= max_pickle_depth) fail("nesting deeper than 64");
      marks_.push_back({stack_.size()});
      return true;
    case EMPTY_LIST:
    case EMPTY_TUPLE:
    case EMPTY_DICT:
      push(make(opcode == EMPTY_LIST   ? Kind::list
                : opcode == EMPTY_DICT ? Kind::dict
                                       : Kind::tuple));
      return true;
    case LIST:
    case TUPLE:
    case DICT:
      push_sequence(opcode == LIST   ? Kind::list
                    : opcode == DICT ? Kind::dict
                                     : Kind::tuple,
                    pop_to_mark());
      return true;
    case TUPLE1:
    case TUPLE2:
    case TUPLE3: {
      std::vector<Value*> items(static_cast<size_t>(opcode - TUPLE1 + 1));
      for (size_t i = items.size(); i-- > 0;) items[i] = pop();
      push_sequence(Kind::tuple, std::move(items));
      return true;
    }
    case APPEND:
    case APPENDS: {
      const std::vector<Value*> items =
          opcode == APPENDS ? pop_to_mark() : std::vector<Value*>{pop()};
      if (stack_.empty() || stack_.back()->kind != Kind::list) fail("append to what is no list");
      add_items(stack_.back(), items);
      return true;
    }
    case SETITEM:
    case SETITEMS: {
      std::vector<Value*> items;
      if (opcode == SETITEMS) {
        items = pop_to_mark();
      } else {
        Value* value = pop();
        items = {pop(), value};
      }
      if (stack_.empty() || stack_.back()->kind != Kind::dict)
        fail("items for what is no dictionary");
      add_items(stack_.back(), items);
      return true;
    }
    default:
      return false;
  }
}

bool PickleMachine::step_memo(unsigned char opcode) {
  switch (opcode) {
    case BINPUT:
      memoize(take_number(1));
      return true;
    case LONG_BINPUT:
      memoize(take_number(4));
      return true;
    case MEMOIZE:
      memoize(memo_.size());
      return true;
    case BINGET:
    case LONG_BINGET: {
      const auto found = memo_.find(take_number(opcode == BINGET ? 1 : 4));
      if (found == memo_.end()) fail("memo entry that was never stored");
      push(found->second);
      return true;
    }
    case POP:
      pop();
      return true;
    case POP_MARK:
      pop_to_mark();
      return true;
    case DUP:
      push(pop());
      push(stack_.back());
      return true;
    default:
      return false;
  }
}

bool PickleMachine::step_object(unsigned char opcode) {
  switch (opcode) {
    case PROTO:
      if (take_number(1) > 5) fail("unknown pickle protocol", "at most 5");
      return true;
    case FRAME:
      take_number(8);
      return true;
    case GLOBAL: {
      const std::string module(take_line());
      push_global(module, std::string(take_line()));
      return true;
    }
    case STACK_GLOBAL: {
      const Value *name = pop(), *module = pop();
      if (name->kind != Value::Kind::text || module->kind != Value::Kind::text)
        fail("global whose name is no string");
      push_global(module->text, name->text);
      return true;
    }
    case REDUCE:
      reduce();
      return true;
    case BUILD:
      build();
      return true;
    case BINPERSID:
      push_persistent();
      return true;
    default:
      return false;
  }
}

std::string_view PickleMachine::take(uint64_t bytes) {
  if (bytes > bytes_.size() - at_) fail("pickle ends early");
  const std::string_view out = bytes_.substr(at_, bytes);
  at_ += bytes;
  return out;
}

uint64_t PickleMachine::take_number(int bytes) {
  const std::string_view text = take(static_cast<uint64_t>(bytes));
  uint64_t value = 0;
  for (size_t i = text.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(text[i]);
  return value;
}

std::string_view PickleMachine::take_line() {
  const size_t end = bytes_.find('\n', at_);
  if (end == std::string_view::npos) fail("pickle ends early");
  const std::string_view line = take(end - at_);
  ++at_;
  return line;
}

Value* PickleMachine::make(Value::Kind kind) {
  if (values_.size() >= max_pickle_values)
    fail("more than " + std::to_string(max_pickle_values) + " objects");
  values_.emplace_back();
  values_.back().kind = kind;
  return &values_.back();
}

void PickleMachine::push(Value* value) {
  if (stack_.size() >= max_pickle_values)
    fail("more than " + std::to_string(max_pickle_values) + " objects");
  stack_.push_back(value);
}

Value* PickleMachine::pop() {
  if (stack_.empty() || (!marks_.empty() && stack_.size() <= marks_.back().height))
    fail("object taken from an empty stack");
  Value* value = stack_.back();
  stack_.pop_back();
  return value;
}

std::vector<Value*> PickleMachine::pop_to_mark() {
  if (marks_.empty()) fail("mark that was never set");
  const size_t height = marks_.back().height;
  marks_.pop_back();
  std::vector<Value*> items(stack_.begin() + static_cast<std::ptrdiff_t>(height), stack_.end());
  stack_.resize(height);
  return items;
}

void PickleMachine::push_text(std::string_view text) {
  push(make(Value::Kind::text));
  stack_.back()->text = text;
}

void PickleMachine::push_integer(std::string_view little_endian) {
  const bool fits = little_endian.size() <= 8;
  push(make(fits ? Value::Kind::integer : Value::Kind::big_integer));
  if (!fits) {
    stack_.back()->text = little_endian;
    return;
  }
  const bool negative =
      !little_endian.empty() && static_cast<unsigned char>(little_endian.back()) >= 0x80;
  uint64_t value = negative ? ~uint64_t{0} : 0;
  for (size_t i = little_endian.size(); i-- > 0;)
    value = value << 8 | static_cast<unsigned char>(little_endian[i]);
  stack_.back()->integer = static_cast<int64_t>(value);
}

void PickleMachine::push_sequence(Value::Kind kind, std::vector<Value*> items) {
  Value* container = make(kind);
  add_items(container, items);
  push(container);
}

void PickleMachine::add_items(Value* container, const std::vector<Value*>& items) {
  if (container->kind == Value::Kind::dict && items.size() % 2 != 0) fail("key without a value");
  for (const Value* item : items) container->depth = std::max(container->depth, item->depth + 1);
  if (container->depth > max_pickle_depth) fail("nesting deeper than 64");
  container->items.insert(container->items.end(), items.begin(), items.end());
}

void PickleMachine::memoize(uint64_t index) {
  if (stack_.empty()) fail("object taken from an empty stack");
  memo_[index] = stack_.back();
}

}  // namespace cytograd::io
