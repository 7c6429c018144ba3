#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "cytograd/core/tensor.h"
#include "cytograd/data/dataset.h"
#include "cytograd/data/transform.h"

namespace cytograd {

/// A batch in the order of the epoch. With several views of each image it is as long as all of
/// them: row v n + i of a batch of n samples is sample i as view v shows it, so that every member
/// below has one entry per view and whatever works on batches works on these, too.
struct Batch {
  Tensor images;                 ///< [N, size, size, 3] float32; undefined where `raw` is not
  RawImages raw;                 ///< with `LoaderOptions::raw`
  Tensor labels;                 ///< [N] int64
  std::vector<int64_t> indices;  ///< [N] into Dataset::samples
  std::vector<int64_t> domains;  ///< [N]
  int64_t epoch = 0, number = 0;
  /// With `LoaderOptions::collect_faults`: what could not be read, by place in the batch; its
  /// pixels are 0.
  std::map<int64_t, Fault> faults;
  int64_t size() const { return static_cast<int64_t>(indices.size()); }
};

enum class Order {
  sequential,   ///< as given
  shuffle,      ///< each sample once, in random order
  replacement,  ///< uniform draws with replacement
  balanced,     ///< draws with weight 1 / (n_dc * C_d): classes equally often in each domain
  // Every batch holds `batch_size` samples of each domain that has any: blocks side by side in the
  // order of Dataset::domains, so that domains weigh the same whatever their sizes.
  domains,           ///< uniform draws with replacement from each domain
  domains_balanced,  ///< draws from each domain with its classes equally often
};

struct LoaderOptions {
  int64_t batch_size = 32;  ///< in the orders over domains: of each domain
  int64_t steps = 0;  ///< batches of an epoch in orders with replacement; 0: as many as the samples
                      ///< (in the orders over domains: those of the largest domain) fill
  Order order = Order::sequential;
  int64_t views = 1;  ///< times that each sample of a batch is shown, each with changes of its own
  bool drop_last = false;  ///< leave out an incomplete last batch
  uint64_t seed = 0;
  Preprocess preprocess;
  Augmentation augmentation;
  int threads = 0;          ///< workers; 0: num_threads()
  int64_t prefetch = 4;     ///< batches ready or in work: bounds the memory
  int64_t cache_bytes = 0;  ///< decoded pixels kept between epochs
  int64_t max_pixels = int64_t{64} << 20;
  /// Batch::raw instead of Batch::images: resizing, augmentation and normalisation are left to
  /// `prepare`, say on the device that trains. Not with collect_faults.
  bool raw = false;
  bool collect_faults = false;  ///< files that cannot be read go to Batch::faults, not to throw
};

/// Batches of a data set, decoded and augmented by worker threads.
///
/// Contents depend on (seed, epoch, sample, view) alone, not on threads, cache or where the epoch
/// was entered; view 0 is what a loader of one view shows. Not to be called from several threads at
/// once. The data set must outlive the loader.
class Loader {
 public:
  /// @param indices the samples to load. @throws ValueError for a bad option or index
  Loader(const Dataset& dataset, std::vector<int64_t> indices, LoaderOptions options);
  ~Loader();  ///< stops and joins the workers
  Loader(Loader&&) noexcept;
  Loader& operator=(Loader&&) noexcept;

  /// Batches of one epoch.
  int64_t batches() const;
  /// Samples of one epoch.
  int64_t samples() const;
  /// Batch::size() of a full batch: samples of all domains together, times views.
  int64_t full_batch() const;
  /// Begins an epoch at one of its batches; what was prefetched is thrown away. Without a call,
  /// `next` begins with epoch 0.
  void start_at(int64_t epoch, int64_t batch = 0);
  /// The next batch of the epoch; false at its end. Errors of workers (a file that has become
  /// unreadable: DataError, FileError) are thrown here, at the batch they belong to.
  bool next(Batch& batch);
  /// Bytes of decoded pixels held now.
  int64_t cached_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The decoded image of a sample, without the transparent borders that its data set may leave.
/// @throws DataError, FileError
Image read_sample(const Sample& sample, int64_t max_pixels = default_max_pixels);

/// Samples of an epoch and of a full batch.
struct EpochSize {
  int64_t samples = 0, batch = 0;
};
/// By `order`, `batch_size`, `steps` and `drop_last`. @throws ValueError for `steps` with an order
/// without replacement
EpochSize epoch_size(const Dataset& dataset, const std::vector<int64_t>& indices,
                     const LoaderOptions& options);
/// The samples of epoch `epoch` in their order, by `order`, `seed`, and, with replacement,
/// `batch_size` and `steps`.
std::vector<int64_t> epoch_order(const Dataset& dataset, const std::vector<int64_t>& indices,
                                 const LoaderOptions& options, int64_t epoch);

}  // namespace cytograd
