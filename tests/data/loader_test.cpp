#include "cytograd/data/loader.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "data/loader_support.h"

using namespace cytograd;

TEST_CASE("loader: each sample once, labels belong to images") {
  TempFolder folder;
  const Dataset d = make(folder);
  Loader loader(d, all_of(d), small_options());
  CHECK(loader.batches() == 6);
  std::multiset<int64_t> seen;
  Batch b;
  int64_t number = 0;
  while (loader.next(b)) {
    CHECK(b.number == number++);
    CHECK(b.images.shape() == Shape{b.size(), 16, 16, 3});
    const auto labels = b.labels.to_vector<int64_t>();
    for (size_t i = 0; i < b.indices.size(); ++i) {
      seen.insert(b.indices[i]);
      CHECK(labels[i] == d.samples[static_cast<size_t>(b.indices[i])].label);
    }
  }
  CHECK(number == 6);
  CHECK(b.size() == 3);
  CHECK(seen.size() == 23);
  CHECK(std::set<int64_t>(seen.begin(), seen.end()).size() == 23);
  CHECK(!loader.next(b));
}

TEST_CASE("loader: raw batches become the same images") {
  TempFolder folder;
  const Dataset d = make(folder);
  LoaderOptions o = small_options();
  Loader whole(d, all_of(d), o);
  o.raw = true;
  Loader raw(d, all_of(d), o);
  for (const int64_t number : {0, 1}) CHECK(epoch(whole, number) == epoch(raw, number));
  o.collect_faults = true;
  CHECK_THROWS_AS(Loader(d, all_of(d), o), ValueError);
}

TEST_CASE("loader: an unreadable image in a raw batch is thrown") {
  TempFolder folder;
  const Dataset d = make(folder);
  std::filesystem::remove(d.samples[3].path);
  LoaderOptions o = small_options();
  o.raw = true;
  Loader raw(d, all_of(d), o);
  CHECK_THROWS_AS(epoch(raw, 0), FileError);
}

TEST_CASE("loader: same bytes for any threads, prefetch and cache") {
  TempFolder folder;
  const Dataset d = make(folder);
  LoaderOptions o = small_options();
  Loader reference(d, all_of(d), o);
  const auto first = epoch(reference, 0), second = epoch(reference, 1);
  CHECK(first != second);
  CHECK(epoch(reference, 0) == first);
  for (const int threads : {1, 2, 7}) {
    o.threads = threads;
    o.prefetch = threads;
    o.cache_bytes = threads == 2 ? 1 << 20 : threads == 7 ? 3000 : 0;
    Loader loader(d, all_of(d), o);
    CHECK(epoch(loader, 0) == first);
    CHECK(epoch(loader, 1) == second);
    CHECK(loader.cached_bytes() <= o.cache_bytes);
    CHECK((loader.cached_bytes() > 0) == (o.cache_bytes > 0));
  }
}

TEST_CASE("loader: an epoch entered in its middle goes on exactly") {
  TempFolder folder;
  const Dataset d = make(folder);
  Loader loader(d, all_of(d), small_options());
  const auto whole = epoch(loader, 3);
  const auto rest = epoch(loader, 3, 4);
  REQUIRE(rest.size() < whole.size());
  CHECK(std::equal(rest.rbegin(), rest.rend(), whole.rbegin()));
  CHECK(epoch(loader, 3, 6).empty());
  CHECK_THROWS_AS(loader.start_at(0, 7), ValueError);
  Batch b;
  for (int64_t e = 0; e < 20; ++e) {  // thrown away while in work
    loader.start_at(e, e % 6);
    if (e % 3 == 0) loader.next(b);
  }
  CHECK(epoch(loader, 3) == whole);
}

TEST_CASE("loader: drop_last and sequential order") {
  TempFolder folder;
  const Dataset d = make(folder);
  LoaderOptions o = small_options();
  o.drop_last = true;
  o.order = Order::sequential;
  Loader loader(d, {5, 1, 7, 3, 2}, o);
  CHECK(loader.batches() == 1);
  CHECK(loader.samples() == 4);
  Batch b;
  REQUIRE(loader.next(b));
  CHECK(b.indices == std::vector<int64_t>{5, 1, 7, 3});
  CHECK(!loader.next(b));
}

TEST_CASE("loader: a file that breaks later is an error at its batch") {
  TempFolder folder;
  const Dataset d = make(folder);
  LoaderOptions o = small_options();
  o.order = Order::sequential;
  Loader loader(d, all_of(d), o);
  put_text(folder, d.samples[6].id, "no image");
  std::filesystem::remove(d.samples[9].path);
  Batch b;
  CHECK(loader.next(b));
  CHECK_THROWS_AS(loader.next(b), DataError);
  CHECK_THROWS_AS(loader.next(b), FileError);
  CHECK(loader.next(b));
  CHECK(b.number == 3);
}

TEST_CASE("loader: shut down with work in flight, move, bad arguments") {
  TempFolder folder;
  const Dataset d = make(folder);
  for (int i = 0; i < 20; ++i) {
    Loader loader(d, all_of(d), small_options());
    Batch b;
    if (i % 2) loader.next(b);
    Loader moved = std::move(loader);
    if (i % 3 == 0) CHECK(moved.next(b));
  }
  CHECK_THROWS_AS(Loader(d, {}, small_options()), ValueError);
  CHECK_THROWS_AS(Loader(d, {23}, small_options()), ValueError);
  LoaderOptions o = small_options();
  o.batch_size = 0;
  CHECK_THROWS_AS(Loader(d, {0}, o), ValueError);
}

// Domain generalization section 4 and oracle R2: 6 x 0, 3 x 1, 1 x 2.
TEST_CASE("balanced order draws classes equally often") {
  Dataset d;
  d.classes = {"a", "b", "c"};
  d.domains = {"x"};
  for (const int64_t label : {0, 0, 0, 0, 0, 0, 1, 1, 1, 2}) {
    Sample s;
    s.label = label;
    d.samples.push_back(s);
  }
  std::vector<int64_t> drawn(3);
  LoaderOptions o;
  o.order = Order::balanced;
  o.seed = 1;
  for (int64_t e = 0; e < 2400; ++e)
    for (const int64_t i : epoch_order(d, all_of(d), o, e))
      ++drawn[static_cast<size_t>(d.samples[static_cast<size_t>(i)].label)];
  for (const int64_t n : drawn) CHECK(std::abs(n - 8000) <= 330);
  o.order = Order::shuffle;
  const auto order = epoch_order(d, all_of(d), o, 0);
  CHECK(std::set<int64_t>(order.begin(), order.end()).size() == 10);
  CHECK(epoch_order(d, all_of(d), o, 1) != order);
}

namespace {

// Domain 0 has six samples of class 0, three of 1, one of 2; domain 1 none; domain 2 twenty of
// class 1 and one of class 2.
Dataset uneven_domains() {
  Dataset d;
  d.classes = {"a", "b", "c"};
  d.domains = {"x", "empty", "y"};
  const auto add = [&d](int64_t domain, int64_t label, int n) {
    for (int i = 0; i < n; ++i) {
      Sample s;
      s.domain = domain;
      s.label = label;
      d.samples.push_back(s);
    }
  };
  add(2, 1, 20);
  add(0, 0, 6);
  add(0, 1, 3);
  add(0, 2, 1);
  add(2, 2, 1);
  return d;
}

}  // namespace

TEST_CASE("orders over domains: blocks of equal size in the order of the data set") {
  const Dataset d = uneven_domains();
  LoaderOptions o;
  o.seed = 7;
  o.batch_size = 4;
  o.order = Order::domains;
  // 21 samples of the largest domain fill six batches.
  CHECK(epoch_size(d, all_of(d), o).samples == 6 * 8);
  CHECK(epoch_size(d, all_of(d), o).batch == 8);
  o.steps = 3;
  const auto order = epoch_order(d, all_of(d), o, 0);
  REQUIRE(order.size() == 24);
  for (size_t i = 0; i < order.size(); ++i)
    CHECK(d.samples[static_cast<size_t>(order[i])].domain == (i % 8 < 4 ? 0 : 2));
  CHECK(epoch_order(d, all_of(d), o, 0) == order);
  CHECK(epoch_order(d, all_of(d), o, 1) != order);
  // A domain draws the same whatever the others hold.
  std::vector<int64_t> first;
  for (int64_t i = 20; i < 30; ++i) first.push_back(i);
  const auto alone = epoch_order(d, first, o, 0);
  REQUIRE(alone.size() == 12);
  for (size_t i = 0; i < alone.size(); ++i) CHECK(alone[i] == order[i / 4 * 8 + i % 4]);
  for (const Order plain : {Order::shuffle, Order::sequential}) {
    o.order = plain;
    CHECK_THROWS_AS(epoch_size(d, all_of(d), o), ValueError);
  }
  o.order = Order::replacement;
  CHECK(epoch_order(d, all_of(d), o, 0).size() == 12);
}

// Domain generalization oracle R2, the sampler.
TEST_CASE("orders over domains: classes that a domain has are drawn equally often") {
  const Dataset d = uneven_domains();
  LoaderOptions o;
  o.seed = 1;
  o.batch_size = 10;
  o.steps = 2400;
  o.order = Order::domains_balanced;
  std::map<std::pair<int64_t, int64_t>, int64_t> drawn;
  for (const int64_t i : epoch_order(d, all_of(d), o, 0)) {
    const Sample& s = d.samples[static_cast<size_t>(i)];
    ++drawn[{s.domain, s.label}];
  }
  for (int64_t label = 0; label < 3; ++label) CHECK(std::abs(drawn[{0, label}] - 8000) <= 330);
  for (int64_t label = 1; label < 3; ++label) CHECK(std::abs(drawn[{2, label}] - 12000) <= 350);
  CHECK(!drawn.contains({2, 0}));  // a class is not invented where it is missing
}

TEST_CASE("orders over domains: an epoch entered in its middle goes on exactly") {
  TempFolder folder;
  Dataset d = make(folder);
  d.domains = {"x", "y"};
  for (size_t i = 0; i < d.samples.size(); ++i) d.samples[i].domain = i % 4 == 0;
  LoaderOptions o = small_options();
  o.order = Order::domains;
  o.steps = 5;
  Loader loader(d, all_of(d), o);
  CHECK(loader.batches() == 5);
  CHECK(loader.full_batch() == 8);
  CHECK(loader.samples() == 40);
  const auto whole = epoch(loader, 1);
  const auto rest = epoch(loader, 1, 3);
  CHECK(rest.size() * 5 == whole.size() * 2);
  CHECK(std::equal(rest.rbegin(), rest.rend(), whole.rbegin()));
  o.threads = 1;
  o.prefetch = 1;
  Loader other(d, all_of(d), o);
  CHECK(epoch(other, 1) == whole);
}

// Domain generalization oracle P4.
TEST_CASE("transparent borders of a scan do not reach the crop") {
  TempFolder folder;
  Image scan(20, 30, 4, 0);
  for (int64_t y = 3; y < 20; ++y)
    for (int64_t x = 0; x < 22; ++x) std::fill_n(scan.at(y, x), 4, uint8_t{255});
  std::filesystem::create_directory(folder / "a");
  write_png(folder / "a/1.png", scan);
  DatasetOptions set;
  set.path = folder.path().string();
  Dataset d = load_dataset(set);
  d.samples[0].crop_to_opaque = true;
  LoaderOptions o = small_options();
  o.augmentation = {};
  o.preprocess.mean = {0, 0, 0};
  o.preprocess.std = {1, 1, 1};
  Batch b;
  REQUIRE(Loader(d, {0}, o).next(b));
  for (const float v : b.images.to_vector<float>()) REQUIRE(v == doctest::Approx(1));
  write_png(folder / "a/1.png", Image(4, 4, 4, 0));
  CHECK_THROWS_WITH_AS(Loader(d, {0}, o).next(b), doctest::Contains("img.transparent"), DataError);
}
