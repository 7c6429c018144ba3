// Images per second of the loader: JPEG file to normalised float batch.
//
//   bench_loader DIR [image size] [threads] [epochs] [none|jitter|full|domains] [cache MiB]
//       [none|reinhard|macenko]
//
// Beside it: bench/peers/torch_loader.py, the same work by torchvision and Pillow.
#include <chrono>
#include <cstdio>
#include <numeric>

#include "cytograd/data/loader.h"
#include "cytograd/io/text.h"

using namespace cytograd;

namespace {

// Random resized crop, flips and colour jitter: what torchvision does with the same arguments.
Augmentation jitter() {
  Augmentation a;
  a.flip_horizontal = a.flip_vertical = 0.5;
  a.area_min = 0.7;
  a.aspect_max = 4.0 / 3;
  a.brightness = a.contrast = a.saturation = 0.3;
  a.hue = 0.1;
  return a;
}

int64_t number(int argc, char** argv, int i, int64_t otherwise) {
  return argc > i ? parse_int(argv[i]).value_or(otherwise) : otherwise;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr,
                 "bench_loader DIR [size] [threads] [epochs] [none|jitter|full|domains] [MiB] "
                 "[none|reinhard|macenko]\n");
    return 2;
  }
  try {
    DatasetOptions set;
    set.path = argv[1];
    const Dataset dataset = load_dataset(set);
    LoaderOptions options;
    options.preprocess.size = number(argc, argv, 2, 224);
    options.threads = static_cast<int>(number(argc, argv, 3, 2));
    const int64_t epochs = number(argc, argv, 4, 3);
    const std::string augment = argc > 5 ? argv[5] : "jitter";
    options.augmentation = augment == "jitter" ? jitter() : Augmentation::named(augment);
    options.preprocess.stain = stain_method(argc > 7 ? argv[7] : "none");
    options.preprocess.stain_target = builtin_stain();
    options.cache_bytes = number(argc, argv, 6, 0) << 20;
    options.order = Order::shuffle;
    std::vector<int64_t> all(dataset.samples.size());
    std::iota(all.begin(), all.end(), 0);
    Loader loader(dataset, all, options);
    for (int64_t e = 0; e < epochs; ++e) {
      const auto start = std::chrono::steady_clock::now();
      loader.start_at(e);
      int64_t n = 0;
      Batch batch;
      while (loader.next(batch)) n += batch.size();
      const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
      std::printf("epoch %lld: %lld images, %.0f images/s\n", static_cast<long long>(e),
                  static_cast<long long>(n), static_cast<double>(n) / time.count());
    }
  } catch (const Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return static_cast<int>(e.exit_code());
  }
  return 0;
}
