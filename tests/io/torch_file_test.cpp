#include "cytograd/io/torch_file.h"

#include <doctest/doctest.h>

#include <string>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "expect_fault.h"
#include "raw_images.h"
#include "support/data.h"

using namespace cytograd;
using namespace std::string_literals;

namespace {

std::string fixture(const std::string& name) {
  return read_file(CYTOGRAD_SOURCE_DIR "/tests/io/fixtures/" + name);
}

std::string zip_entry(const std::string& name, const std::string& data, int method, bool central,
                      uint32_t offset) {
  const auto crc = static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(data.data()), static_cast<uInt>(data.size())));
  const auto size = static_cast<uint32_t>(data.size()), length = static_cast<uint32_t>(name.size());
  using raw::little;
  const std::string common =
      little(20, 2) + little(0, 2) + little(static_cast<uint32_t>(method), 2) + little(0, 4) +
      little(crc, 4) + little(size, 4) + little(size, 4) + little(length, 2) + little(0, 2);
  if (central)
    return "PK\1\2" + little(20, 2) + common + little(0, 2) + little(0, 2) + little(0, 2) +
           little(0, 4) + little(offset, 4) + name;
  return "PK\3\4" + common + name + data;
}

// A ZIP archive of stored entries.
std::string zip_of(const std::vector<std::pair<std::string, std::string>>& entries,
                   int method = 0) {
  std::string body, directory;
  for (const auto& [name, data] : entries) {
    directory += zip_entry(name, data, method, true, static_cast<uint32_t>(body.size()));
    body += zip_entry(name, data, method, false, 0);
  }
  const auto n = static_cast<uint32_t>(entries.size());
  return body + directory + "PK\5\6" + raw::little(0, 4) + raw::little(n, 2) + raw::little(n, 2) +
         raw::little(static_cast<uint32_t>(directory.size()), 4) +
         raw::little(static_cast<uint32_t>(body.size()), 4) + raw::little(0, 2);
}

std::string archive(const std::string& pickle) {
  return zip_of({{"m/data.pkl", "\x80\x02" + pickle}, {"m/data/0", std::string(16, 'x')}});
}

void expect(const std::string& bytes, const std::string& part) {
  const std::string message =
      expect_fault<DataError>("pt.opcode", [&] { decode_torch_file(bytes, "m.pth"); });
  CHECK_MESSAGE(message.find(part) != std::string::npos, message);
}

std::string text(const std::string& s) {
  return "X" + raw::little(static_cast<uint32_t>(s.size()), 4) + s;
}

const std::string storage4 =
    "(" + text("storage") + "ctorch\nFloatStorage\n" + text("0") + text("cpu") + "K\x04tQ";

// {"w": _rebuild_tensor_v2(storage, offset, size, stride, False, OrderedDict())}
std::string tensor(const std::string& storage, const std::string& offset, const std::string& size,
                   const std::string& stride) {
  return "}" + text("w") + "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + offset + size +
         stride +
         "\x89"
         "ccollections\nOrderedDict\n)RtRs.";
}

}  // namespace

TEST_CASE("torch files of both layouts") {
  for (const char* name : {"zip.pth", "legacy.pth"}) {
    CAPTURE(name);
    const TorchFile t = decode_torch_file(fixture(name), name);
    REQUIRE(t.tensors.size() == 10);
    const auto values = [&](const char* key) {
      return t.tensors.at(key).to(Dtype::float64).to_vector<double>();
    };
    using V = std::vector<double>;
    CHECK(t.tensors.at("a.weight").shape() == Shape{3, 4});
    CHECK(values("a.weight") == V{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    CHECK(t.tensors.at("a.turned").shape() == Shape{4, 3});
    CHECK(values("a.turned") == V{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11});
    CHECK(values("a.tail") == V{8, 9, 10, 11});
    CHECK(values("b.half") == V{1.5, -2});
    CHECK(t.tensors.at("b.half").dtype() == Dtype::float32);
    CHECK(values("b.int") == V{-7, 70000});
    CHECK(t.tensors.at("b.long").shape() == Shape{});
    CHECK(values("b.flag") == V{1, 0});
    CHECK(t.tensors.at("b.brain").dtype() == Dtype::bfloat16);
    CHECK(t.tensors.at("b.empty").shape() == Shape{0, 3});
    CHECK(values("b.param") == V{9});
    CHECK(t.converted == std::vector<std::string>{"b.flag", "b.half", "b.int"});
    CHECK(t.metadata.at("epoch") == "3");
    CHECK(t.metadata.at("arch") == "tiny");
    CHECK(t.metadata.at("best") == "0.5");
    CHECK(t.metadata.at("optimizer.param_groups.0.lr") == "0.1");
    CHECK(t.ignored == std::vector<std::string>{"optimizer.state.0.momentum_buffer"});
  }
  CHECK(decode_torch_file(fixture("linear.pth"), "l").tensors.size() == 2);
}

TEST_CASE("the published ResNet-20 checkpoint") {
  const auto data = shared_data();
  if (!data) {
    MESSAGE("skipped: no shared data");
    return;
  }
  const TorchFile t = read_torch_file((*data / "pretrained_cifar10/resnet20-12fca82f.th").string());
  CHECK(t.tensors.size() == 97);
  CHECK(t.metadata.count("best_prec1") == 1);
  int64_t parameters = 0;
  for (const auto& [name, tensor] : t.tensors)
    if (name.find("running_") == std::string::npos) parameters += tensor.numel();
  CHECK(parameters == 269'722);
}

TEST_CASE("pt.opcode") {
  const std::string good = tensor(storage4, "K\0"s, "K\x04\x85", "K\x01\x85");
  CHECK(decode_torch_file(archive(good), "m").tensors.at("w").numel() == 4);

  expect(fixture("module.pth"), "global torch.nn.modules.linear.Linear");
  expect(archive("cos\nsystem\n" + text("touch /tmp/x") + "\x85R."),
         "data.pkl, byte 2: global os.system");
  expect(archive("cbuiltins\neval\n."), "global builtins.eval");
  expect(archive(text("os") + text("system") + "\x93."), "global os.system");
  expect(archive("ios\nsystem\n."), "opcode 0x69");
  expect(archive("}\x81."), "opcode 0x81");
  expect(archive("\xff."), "opcode 0xff");
  expect(archive("P0\n."), "opcode 0x50");
  expect(archive(std::string(100, '(') + "."), "deeper than 64");
  expect(archive("]" +
                 [] {
                   std::string s;
                   for (int i = 0; i < 100; ++i) s += "\x85";
                   return s;
                 }() +
                 "."),
         "deeper than 64");
  expect(archive("h\x05."), "never stored");
  expect(archive("0."), "empty stack");
  expect(archive("K\x01(0t."), "empty stack");
  expect(archive("t."), "mark that was never set");
  expect(archive("K\x01K\x02."), "2 objects");
  expect(archive("(K\x01."), "on its stack");
  expect(archive(""), "ends early");
  expect(archive("X\xff\xff\xff\xff."), "ends early");
  expect(archive("\x8d\xff\xff\xff\xff\xff\xff\xff\xff."), "ends early");
  expect(archive("K\x01."), "no dictionary");
  expect(archive("]K\x01K\x01s."), "no dictionary");
  expect(archive("}(K\x01u."), "key without a value");
  expect(archive("}K\x01"
                 "b."),
         "attributes");
  expect(archive("K\x01)R."), "no known function");
  expect(archive("ctorch\nFloatStorage\n)R."), "call of torch.FloatStorage");
  expect(archive("K\x05Q."), "no storage");
  // A list inside itself must end, in time and in memory.
  expect(archive("}" + text("a") +
                 "]q\x01h\x01"
                 "as."),
         "nesting deeper");

  // Lists of two references each to the one before: 2^40 leaves in a few hundred bytes.
  std::string shared = "]q\x01";
  for (int i = 0; i < 40; ++i)
    shared +=
        "](h\x01h\x01"
        "eq\x01";
  expect(archive("}" + text("a") + shared + "s."), "");
  // One long string under many names.
  std::string long_text = "}(" + text("a") + text(std::string(300'000, 'x')) + "q\x01";
  for (int i = 0; i < 1000; ++i) long_text += text(std::to_string(i)) + "h\x01";
  expect(archive(long_text + "u."), "256 MiB");

  expect(archive(tensor(storage4, "K\0"s, "K\x05\x85", "K\x01\x85")), "larger than its storage");
  expect(archive(tensor(storage4, "K\x02", "K\x04\x85", "K\x01\x85")), "past its storage");
  expect(archive(tensor(storage4, "K\0"s, "K\x02\x85", "K\x04\x85")), "past its storage");
  expect(archive(tensor(storage4, "K\0"s, "J\xff\xff\xff\xff\x85", "K\x01\x85")), "negative");
  expect(archive(tensor(storage4, "K\0"s, "K\x01K\x01\x86", "K\x01\x85")), "another rank");
  expect(archive(tensor(storage4, "J\xff\xff\xff\xff", "K\x01\x85", "K\x01\x85")), "offset");
  std::string wrong_size = storage4;
  wrong_size[wrong_size.size() - 3] = '\x05';
  expect(archive(tensor(wrong_size, "K\0"s, "K\x04\x85", "K\x01\x85")), "storage of 16 bytes");

  const std::string pickle = "\x80\x02" + good, data(16, 'x');
  expect(zip_of({{"m/data.pkl", pickle}, {"m/data/0", data}}, 8), "compressed entry");
  expect(zip_of({{"m/data.pkl", pickle}, {"m/data/0", data}, {"m/../../x", ""}}),
         "leaves the archive");
  expect(zip_of({{"m/data.pkl", pickle}, {"/etc/passwd", ""}}), "leaves the archive");
  expect(zip_of({{"m/data.pkl", pickle}}), "no such entry");
  expect(zip_of({{"m/other", pickle}}), "no data.pkl");
  expect(zip_of({{"m/data.pkl", pickle}, {"n/data.pkl", pickle}}), "second data.pkl");
  expect(zip_of({{"m/data.pkl", pickle}, {"m/data/0", data}, {"m/byteorder", "big"}}), "little");
  std::string damaged = archive(good);
  damaged[damaged.find("xxxx")] = 'y';
  expect(damaged, "damaged entry");
  expect("PK\3\4 and then nothing", "damaged archive");
  expect("hello", "no PyTorch file");
  expect("", "no PyTorch file");
}

TEST_CASE("pt.opcode: cut and changed files") {
  for (const char* name : {"zip.pth", "legacy.pth"}) {
    const std::string bytes = fixture(name);
    for (size_t cut = 0; cut < bytes.size(); cut += 1 + cut / 40)
      CHECK_THROWS_AS(decode_torch_file(bytes.substr(0, cut), name), DataError);
    for (size_t i = 0; i < bytes.size(); ++i) {
      std::string bad = bytes;
      bad[i] = static_cast<char>(bad[i] ^ (1 << i % 8));
      try {
        decode_torch_file(bad, name);
      } catch (const DataError&) {
      }
    }
  }
}
