#include <algorithm>
#include <filesystem>
#include <set>
#include <vector>

#include "cytograd/core/error.h"
#include "data/loader_support.h"

using namespace cytograd;

/// @file
/// Several views of each image in a batch.

TEST_CASE("views: a batch holds each sample several times, with changes of its own") {
  TempFolder folder;
  const Dataset d = make(folder);
  LoaderOptions o = small_options();
  Loader single(d, all_of(d), o);
  o.views = 3;
  Loader views(d, all_of(d), o);
  CHECK(views.batches() == single.batches());
  CHECK(views.full_batch() == 12);
  CHECK(views.samples() == 23);
  Batch one, all;
  while (single.next(one)) {
    REQUIRE(views.next(all));
    const int64_t n = one.size(), values = n * 16 * 16 * 3;
    REQUIRE(all.size() == 3 * n);
    CHECK(all.images.shape() == Shape{3 * n, 16, 16, 3});
    const auto labels = all.labels.to_vector<int64_t>();
    for (int64_t row = 0; row < 3 * n; ++row) {
      const auto at = static_cast<size_t>(row), of = static_cast<size_t>(row % n);
      CHECK(all.indices[at] == one.indices[of]);
      CHECK(all.domains[at] == one.domains[of]);
      CHECK(labels[at] == d.samples[static_cast<size_t>(one.indices[of])].label);
    }
    // View 0 is what a loader of one view shows; the others look different.
    const auto pixels = all.images.to_vector<float>(), first = one.images.to_vector<float>();
    const auto view = [&](int64_t v) {
      return std::vector<float>(pixels.begin() + v * values, pixels.begin() + (v + 1) * values);
    };
    CHECK(view(0) == first);
    CHECK(view(1) != first);
    CHECK(view(2) != first);
    CHECK(view(1) != view(2));
  }
  CHECK(!views.next(all));
}

TEST_CASE("views: the same for any threads, cache, entry and where images are prepared") {
  TempFolder folder;
  const Dataset d = make(folder);
  LoaderOptions o = small_options();
  o.views = 2;
  Loader reference(d, all_of(d), o);
  const auto whole = epoch(reference, 2), rest = epoch(reference, 2, 4);
  REQUIRE(rest.size() < whole.size());
  CHECK(std::equal(rest.rbegin(), rest.rend(), whole.rbegin()));
  CHECK(epoch(reference, 1) != whole);
  for (const int threads : {1, 7}) {
    o.threads = threads;
    o.prefetch = threads;
    o.cache_bytes = threads == 7 ? 1 << 20 : 0;
    Loader loader(d, all_of(d), o);
    CHECK(epoch(loader, 2) == whole);
  }
  o.raw = true;
  Loader raw(d, all_of(d), o);
  CHECK(epoch(raw, 2) == whole);
  for (const int64_t views : {0, 256}) {
    o.views = views;
    CHECK_THROWS_AS(Loader(d, all_of(d), o), ValueError);
  }
}

TEST_CASE("views: draws with replacement, blocks of domains, files that cannot be read") {
  TempFolder folder;
  Dataset d = make(folder);
  LoaderOptions o = small_options();
  o.views = 2;
  o.order = Order::replacement;
  o.batch_size = 23;
  Batch b;
  REQUIRE(Loader(d, {5}, o).next(b));  // one sample, drawn once: two views of it
  REQUIRE(b.size() == 2);
  o.steps = 1;
  REQUIRE(Loader(d, {5}, o).next(b));  // drawn 23 times: 46 pictures that differ
  REQUIRE(b.size() == 46);
  const auto pixels = b.images.to_vector<float>();
  std::set<std::vector<float>> pictures;
  for (int64_t row = 0; row < 46; ++row)
    pictures.insert(
        std::vector<float>(pixels.begin() + row * 768, pixels.begin() + (row + 1) * 768));
  CHECK(pictures.size() > 40);  // the same flip of an even image may come twice

  d.domains = {"x", "y"};
  for (size_t i = 0; i < d.samples.size(); ++i) d.samples[i].domain = i % 4 == 0;
  o.order = Order::domains;
  o.batch_size = 3;
  REQUIRE(Loader(d, all_of(d), o).next(b));
  CHECK(b.domains == std::vector<int64_t>{0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1});

  std::filesystem::remove(d.samples[3].path);
  o = small_options();
  o.views = 2;
  o.order = Order::sequential;
  o.collect_faults = true;
  REQUIRE(Loader(d, all_of(d), o).next(b));
  REQUIRE(b.faults.size() == 2);
  CHECK(b.faults.contains(3));
  CHECK(b.faults.contains(7));
  o.collect_faults = false;
  CHECK_THROWS_AS(Loader(d, all_of(d), o).next(b), FileError);
}
