// Times a UMAP fit and its stages.
//   bench_umap DATA.f32 COLUMNS [OUT.f32] [key=value...]   raw little-endian float32, row by row
// Keys: labels=FILE.i64 epochs= seed= init=spectral|pca|random order=synchronous|sequential
//       inverse=POINTS.f32 (writes OUT.f32.inverse) transform=ROWS.f32 (writes OUT.f32.transform)
// Prints one JSON object. bench/peers/umap_peer.py sets it beside umap-learn.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/umap/init.h"
#include "cytograd/umap/umap.h"

using namespace cytograd;

namespace {

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class T>
Tensor read(const std::string& path, int64_t columns) {
  const std::string bytes = read_file(path, uint64_t{1} << 36);
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  const auto rows = static_cast<int64_t>(values.size()) / columns;
  return Tensor::from(values, columns > 1 ? Shape{rows, columns} : Shape{rows});
}

void write(const std::string& path, const Tensor& x) {
  write_file_atomically(path, std::string_view(static_cast<const char*>(x.raw_data()), x.bytes()));
}

struct Stages {
  double neighbors, graph, start;
};

// The steps before the layout, timed one by one.
Stages time_stages(const Tensor& data, const UmapOptions& o) {
  const umap::Points points{data.data<float>(), data.size(0), data.size(1)};
  const double t0 = seconds();
  const umap::Neighbors near = points.rows > o.exact_limit
                                   ? umap::approximate_neighbors(points, o.neighbors)
                                   : umap::exact_neighbors(points, o.neighbors);
  const double t1 = seconds();
  const umap::Graph graph = umap::fuzzy_union(
      umap::membership(near, umap::smooth_scales(near), points.rows), o.set_op_mix);
  const double t2 = seconds();
  if (o.init == UmapInit::spectral) umap::spectral_positions(graph, points, o.components, o.seed);
  if (o.init == UmapInit::pca) umap::principal_positions(points, o.components, o.seed);
  return {t1 - t0, t2 - t1, seconds() - t2};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: bench_umap DATA.f32 COLUMNS [OUT.f32] [key=value...]\n", stderr);
    return 2;
  }
  std::map<std::string, std::string> keys;
  std::string out;
  for (int i = 3; i < argc; ++i) {
    const std::string word = argv[i];
    const size_t at = word.find('=');
    if (at == std::string::npos)
      out = word;
    else
      keys[word.substr(0, at)] = word.substr(at + 1);
  }
  try {
    const int64_t columns = std::atoll(argv[2]);
    const Tensor data = read<float>(argv[1], columns);
    UmapOptions o;
    if (keys.count("epochs")) o.epochs = std::stoll(keys["epochs"]);
    if (keys.count("seed")) o.seed = std::stoull(keys["seed"]);
    if (keys.count("rate")) o.learning_rate = std::stod(keys["rate"]);
    if (keys.count("exact_limit")) o.exact_limit = std::stoll(keys["exact_limit"]);
    if (keys["init"] == "pca") o.init = UmapInit::pca;
    if (keys["init"] == "random") o.init = UmapInit::random;
    if (keys["order"] == "sequential") o.order = umap::Order::sequential;
    Tensor labels, init;
    if (keys.count("labels")) labels = read<int64_t>(keys["labels"], 1);
    if (keys.count("start")) init = read<float>(keys["start"], o.components);
    const double begin = seconds();
    Umap umap(o);
    const Tensor map = umap.fit(data, labels, init);
    const double fit = seconds() - begin;
    const Stages s = keys.count("stages") ? time_stages(data, o) : Stages{};
    std::printf("{\"fit_s\":%.4f,\"neighbors_s\":%.4f,\"graph_s\":%.4f,\"init_s\":%.4f}\n", fit,
                s.neighbors, s.graph, s.start);
    if (!out.empty()) write(out, map);
    if (keys.count("inverse"))
      write(out + ".inverse", umap.inverse_transform(read<float>(keys["inverse"], o.components)));
    if (keys.count("transform"))
      write(out + ".transform", umap.transform(read<float>(keys["transform"], columns)));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_umap: %s\n", e.what());
    return 1;
  }
  return 0;
}
