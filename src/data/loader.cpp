#include "cytograd/data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>

#include "cytograd/core/parallel.h"
#include "cytograd/io/image.h"
#include "data/raw_parts.h"

namespace cytograd {

namespace {

// Without the transparent border that the edge of a scan leaves.
Image read_opaque(const std::string& path, ImageOptions options) {
  options.form = PixelForm::rgba;
  const Image image = read_image(path, options);
  int64_t top = image.height, bottom = -1, left = image.width, right = -1;
  for (int64_t y = 0; y < image.height; ++y)
    for (int64_t x = 0; x < image.width; ++x)
      if (image.at(y, x)[3] == 255) {
        top = std::min(top, y);
        bottom = std::max(bottom, y);
        left = std::min(left, x);
        right = std::max(right, x);
      }
  if (bottom < 0) throw DataError({"img.transparent", path, "", "no opaque pixel", "an image", ""});
  Image out(bottom - top + 1, right - left + 1, 3);
  for (int64_t y = 0; y < out.height; ++y)
    for (int64_t x = 0; x < out.width; ++x)
      std::copy_n(image.at(top + y, left + x), 3, out.at(y, x));
  return out;
}

// A batch in work. Each sample is one piece of work: decoded once for all of its views.
struct Slot {
  Batch batch;
  int64_t samples = 0;
  std::vector<uint64_t> streams;  // per sample: names its random numbers
  std::vector<RawPart> parts;     // with LoaderOptions::raw
  int64_t claimed = 0, done = 0;
  int64_t failed_at = -1;  // the first sample that failed
  std::exception_ptr error;
  bool ready() const { return done == samples; }
};

}  // namespace

Image read_sample(const Sample& sample, int64_t max_pixels) {
  ImageOptions options;
  options.max_pixels = max_pixels;
  return sample.crop_to_opaque ? read_opaque(sample.path, options)
                               : read_image(sample.path, options);
}

struct Loader::State {
  const Dataset& dataset;
  std::vector<int64_t> indices;
  LoaderOptions options;
  EpochSize size;

  std::mutex mutex;
  std::condition_variable work, finished;
  bool stopping = false, started = false;
  int64_t epoch = 0, next_batch = 0;  // next_batch: the next one to begin
  std::vector<int64_t> order;
  std::vector<uint64_t> streams;
  std::deque<std::shared_ptr<Slot>> slots;  // in order; the front is what `next` returns

  std::mutex cache_mutex;
  std::unordered_map<std::string, std::shared_ptr<const Image>> cache;
  int64_t cached = 0;
  std::vector<std::thread> threads;

  State(const Dataset& d, std::vector<int64_t> i, LoaderOptions o)
      : dataset(d),
        indices(std::move(i)),
        options(std::move(o)),
        size(epoch_size(dataset, indices, options)) {}

  ~State() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    work.notify_all();
    for (std::thread& t : threads) t.join();
  }

  int64_t batches() const { return (size.samples + size.batch - 1) / size.batch; }

  void start(int64_t at_epoch, int64_t at_batch) {
    const std::lock_guard lock(mutex);
    started = true;
    epoch = at_epoch;
    next_batch = at_batch;
    slots.clear();  // workers still inside an old one finish into nothing
    order = epoch_order(dataset, indices, options, epoch);
    streams.resize(order.size());
    std::unordered_map<int64_t, uint64_t> seen;  // a sample drawn twice looks different each time
    for (size_t i = 0; i < order.size(); ++i)
      streams[i] = static_cast<uint64_t>(order[i]) + (seen[order[i]]++ << 40);
    work.notify_all();
  }

  // With the lock held: begins the next batch of the epoch.
  std::shared_ptr<Slot> begin_slot() {
    auto slot = std::make_shared<Slot>();
    const int64_t first = next_batch * size.batch;
    const int64_t n = std::min(size.batch, size.samples - first);
    const int64_t rows = n * options.views;
    Batch& b = slot->batch;
    b.epoch = epoch;
    b.number = next_batch++;
    const int64_t side = options.preprocess.size;
    if (options.raw)
      slot->parts.resize(static_cast<size_t>(rows));
    else
      b.images = Tensor::empty({rows, side, side, 3});
    b.labels = Tensor::empty({rows}, Dtype::int64);
    for (int64_t row = 0; row < rows; ++row) {
      const size_t at = static_cast<size_t>(first + row % n);
      const Sample& s = dataset.samples[static_cast<size_t>(order[at])];
      b.indices.push_back(order[at]);
      b.domains.push_back(s.domain);
      b.labels.data<int64_t>()[row] = s.label;
      if (row < n) slot->streams.push_back(streams[at]);
    }
    slot->samples = n;
    slots.push_back(slot);
    return slot;
  }

  // With the lock held: a batch with work to claim, begun if there is room.
  std::shared_ptr<Slot> find_slot() {
    for (const auto& slot : slots)
      if (slot->claimed < slot->samples) return slot;
    if (!started || next_batch >= batches() ||
        static_cast<int64_t>(slots.size()) >= options.prefetch)
      return nullptr;
    return begin_slot();
  }

  void run_worker() {
    std::unique_lock lock(mutex);
    for (;;) {
      std::shared_ptr<Slot> slot;
      try {
        work.wait(lock, [&] { return stopping || (slot = find_slot()) != nullptr; });
      } catch (...) {  // no memory for a batch: its reader gets the error
        slot = std::make_shared<Slot>();
        slot->error = std::current_exception();
        slots.push_back(slot);
        next_batch = batches();
        finished.notify_all();
        continue;
      }
      if (stopping) return;
      const int64_t i = slot->claimed++;
      lock.unlock();
      std::exception_ptr error;
      std::optional<Fault> fault;
      try {
        load(*slot, i);
      } catch (const IoError& e) {
        if (options.collect_faults)
          fault = e.fault();
        else
          error = std::current_exception();
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (fault) blank(*slot, i, *fault);
      if (error && (slot->failed_at < 0 || i < slot->failed_at)) {
        slot->failed_at = i;
        slot->error = error;
      }
      if (options.raw && slot->done + 1 == slot->samples && !slot->error) {
        // The last of them joins the parts, while `done` still says that the batch is in work.
        lock.unlock();
        error = joined(*slot);
        lock.lock();
        if (error) slot->error = error;
      }
      if (++slot->done == slot->samples) finished.notify_all();
    }
  }

  // With the lock held: nothing of a sample that could not be read remains.
  void blank(Slot& slot, int64_t i, const Fault& fault) {
    const int64_t values = options.preprocess.size * options.preprocess.size * 3;
    for (int64_t row = i; row < slot.batch.size(); row += slot.samples) {
      std::fill_n(slot.batch.images.data<float>() + row * values, values, 0.0f);
      slot.batch.faults.emplace(row, fault);
    }
  }

  std::exception_ptr joined(Slot& slot) const {
    try {
      slot.batch.raw = join_parts(std::exchange(slot.parts, {}), options.preprocess);
    } catch (...) {
      return std::current_exception();
    }
    return nullptr;
  }

  void load(Slot& slot, int64_t i) {
    const size_t at = static_cast<size_t>(i);
    const Sample& sample = dataset.samples[static_cast<size_t>(slot.batch.indices[at])];
    const std::shared_ptr<const Image> image = decoded(sample);
    const int64_t side = options.preprocess.size;
    for (int64_t view = 0; view < options.views; ++view) {
      // Draws of a sample count from bit 40 on, views from bit 56 on.
      const Rng rng(options.seed, "augment", static_cast<uint64_t>(slot.batch.epoch),
                    slot.streams[at] + (static_cast<uint64_t>(view) << 56));
      const int64_t row = view * slot.samples + i;
      if (options.raw)
        slot.parts[static_cast<size_t>(row)] =
            raw_part(*image, sample, options.preprocess, options.augmentation, rng);
      else
        prepare(*image, sample, options.preprocess, options.augmentation, rng,
                slot.batch.images.data<float>() + row * side * side * 3);
    }
  }

  std::shared_ptr<const Image> decoded(const Sample& sample) {
    if (options.cache_bytes > 0) {
      const std::lock_guard lock(cache_mutex);
      if (const auto it = cache.find(sample.path); it != cache.end()) return it->second;
    }
    auto image = std::make_shared<const Image>(read_sample(sample, options.max_pixels));
    const int64_t bytes = static_cast<int64_t>(image->pixels.size());
    const std::lock_guard lock(cache_mutex);
    if (cached + bytes <= options.cache_bytes && cache.emplace(sample.path, image).second)
      cached += bytes;
    return image;
  }
};

Loader::Loader(const Dataset& dataset, std::vector<int64_t> indices, LoaderOptions options) {
  check<ValueError>(options.batch_size > 0, "loader", "expected a positive batch size, got ",
                    options.batch_size);
  check<ValueError>(options.views >= 1 && options.views <= 255, "loader",
                    "expected 1 to 255 views, got ", options.views);
  check<ValueError>(options.prefetch > 0, "loader", "expected a positive prefetch, got ",
                    options.prefetch);
  check<ValueError>(options.preprocess.size > 0 && options.preprocess.size <= 16384, "loader",
                    "expected an image size of 1 to 16384, got ", options.preprocess.size);
  check<ValueError>(options.threads >= 0, "loader", "expected 0 or more threads, got ",
                    options.threads);
  check<ValueError>(!indices.empty(), "loader", "expected at least one sample");
  check<ValueError>(!options.raw || !options.collect_faults, "loader",
                    "raw batches have no place for faults");
  for (const int64_t i : indices)
    check<ValueError>(i >= 0 && i < dataset.size(), "loader", "expected indices below ",
                      dataset.size(), ", got ", i);
  state_ = std::make_unique<State>(dataset, std::move(indices), std::move(options));
  const int count = state_->options.threads > 0 ? state_->options.threads : num_threads();
  for (int t = 0; t < count; ++t)
    state_->threads.emplace_back([s = state_.get()] { s->run_worker(); });
}

Loader::~Loader() = default;
Loader::Loader(Loader&&) noexcept = default;
Loader& Loader::operator=(Loader&&) noexcept = default;

int64_t Loader::batches() const { return state_->batches(); }
int64_t Loader::samples() const { return state_->size.samples; }
int64_t Loader::full_batch() const { return state_->size.batch * state_->options.views; }

void Loader::start_at(int64_t epoch, int64_t batch) {
  check<ValueError>(epoch >= 0, "loader", "expected an epoch of 0 or more, got ", epoch);
  check<ValueError>(batch >= 0 && batch <= batches(), "loader", "expected a batch of 0 to ",
                    batches(), ", got ", batch);
  state_->start(epoch, batch);
}

bool Loader::next(Batch& batch) {
  State& s = *state_;
  if (!s.started) s.start(0, 0);
  std::unique_lock lock(s.mutex);
  if (s.slots.empty() && s.next_batch >= s.batches()) return false;
  s.finished.wait(lock, [&] { return !s.slots.empty() && s.slots.front()->ready(); });
  const std::shared_ptr<Slot> slot = s.slots.front();
  s.slots.pop_front();
  s.work.notify_all();
  if (slot->error) std::rethrow_exception(slot->error);
  batch = std::move(slot->batch);
  return true;
}

int64_t Loader::cached_bytes() const {
  const std::lock_guard lock(state_->cache_mutex);
  return state_->cached;
}

}  // namespace cytograd
