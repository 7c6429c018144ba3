// Times k-shape from given centroids, and the silhouettes of its result.
//   bench_kshape CURVES.f64 LENGTH K   raw little-endian float64, row by row, z-normalised
// Prints one JSON object. bench/peers/trajectory_peer.py sets it beside tslearn.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cytograd/cluster/kshape.h"
#include "cytograd/core/error.h"
#include "cytograd/io/file.h"

using namespace cytograd;

namespace {

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int run(const std::string& path, int64_t length, int64_t k) {
  check<ValueError>(length >= 1, "bench_kshape", "LENGTH expects >= 1, got ", length);
  const std::string bytes = read_file(path, uint64_t{1} << 34);
  cluster::Curves curves{0, length, std::vector<double>(bytes.size() / sizeof(double))};
  std::memcpy(curves.values.data(), bytes.data(), curves.values.size() * sizeof(double));
  curves.rows = static_cast<int64_t>(curves.values.size()) / length;
  std::vector<int64_t> initial;
  for (int64_t c = 0; c < k; ++c) initial.push_back(c);
  const double begin = seconds();
  const cluster::Clusters found = cluster::k_shape(curves, {.k = k, .initial = initial});
  const double fitted = seconds();
  const std::vector<double> scores = cluster::shape_silhouettes(curves, {found.labels});
  const double done = seconds();
  std::printf(
      "{\"fit\": %.4f, \"iterations\": %lld, \"inertia\": %.9g, \"silhouettes\": %.4f, "
      "\"silhouette\": %.9g}\n",
      fitted - begin, static_cast<long long>(found.iterations), found.inertia, done - fitted,
      scores[0]);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: bench_kshape CURVES.f64 LENGTH K\n", stderr);
    return 2;
  }
  try {
    return run(argv[1], std::atoll(argv[2]), std::atoll(argv[3]));
  } catch (const Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
