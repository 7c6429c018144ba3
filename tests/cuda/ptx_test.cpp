#include <doctest/doctest.h>
#include <bit>
#include <map>

#include "cuda/core/ptx.cuh"
#include "cuda/device_buffer.h"
#include "cuda_conformance/hopper_cases.cuh"
#include "cuda_conformance/warp_cases.cuh"

// The emulated PTX wrappers against the formulas of the manual; the GPU is held to the same results
// by the program cuda_conformance. Then what the emulation says about wrong use.

using namespace cytograd;
using namespace cytograd::conformance;
using test::DeviceBuffer;
using Words = std::vector<uint32_t>;

namespace {

// [M, N] = A [M, K] B [K, N] + C of the test operands, as float bits. `by_rows`: B is element(1, n,
// k).
Words product(int M, int N, int K, bool with_c, bool by_rows) {
  Words out;
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n) {
      float sum = with_c ? element(2, m, n) : 0;
      for (int k = 0; k < K; ++k)
        sum += element(0, m, k) * (by_rows ? element(1, n, k) : element(1, k, n));
      out.push_back(std::bit_cast<uint32_t>(sum));
    }
  return out;
}

uint16_t tensor_at(int n, int h, int w, int c) {
  if (n < 0 || h < 0 || w < 0 || c < 0 || n >= int(tma_n) || h >= int(tma_h) || w >= int(tma_w) ||
      c >= int(tma_c))
    return 0;
  return static_cast<uint16_t>(((n * int(tma_h) + h) * int(tma_w) + w) * int(tma_c) + c + 1);
}

// 16-byte chunk `chunk` of row `row` of a swizzled tile with rows of `width` bytes.
uint32_t chunk_place(uint32_t row, uint32_t chunk, uint32_t width) {
  const uint32_t offset = row * width + chunk * 16;
  return (offset ^ ((offset >> 7 & (width / 16 - 1)) << 4)) / 16;
}

Words tile(const std::vector<uint16_t>& elements, uint32_t row_bytes, bool swizzle) {
  Words out(elements.size() / 2);
  for (uint32_t i = 0; i < elements.size(); ++i) {
    const uint32_t row = i * 2 / row_bytes, byte = i * 2 % row_bytes;
    const uint32_t chunk =
        swizzle ? chunk_place(row, byte / 16, row_bytes) : (row * row_bytes + byte) / 16;
    out[chunk * 4 + byte % 16 / 4] |= static_cast<uint32_t>(elements[i]) << (byte % 4 * 8);
  }
  return out;
}

Words tile_of(int rank, uint32_t row, std::vector<int> at, bool swizzle) {
  std::vector<uint16_t> e;
  at.resize(4);
  for (int n = 0; n < (rank > 3 ? 2 : 1); ++n)
    for (int h = 0; h < (rank > 2 ? 3 : 1); ++h)
      for (int w = 0; w < 7; ++w)
        for (int c = 0; c < int(row); ++c) {
          // With fewer dimensions the tensor is its first image, row.
          e.push_back(tensor_at(n + at[3], h + at[2], w + at[1], c + at[0]));
        }
  return tile(e, row * 2, swizzle);
}

Words columns_of(int stride) {
  std::vector<uint16_t> e;
  // Output positions of a 3x3 convolution with padding 1, in order, starting at input row 1,
  // column 1.
  int w = 1, h = 1, n = 0;
  for (int pixel = 0; pixel < 23; ++pixel) {
    for (int c = 0; c < 64; ++c) e.push_back(tensor_at(n, h + 1, w + 2, c));
    w += stride;
    if (w <= int(tma_w) - 2) continue;
    w = -1;
    h += stride;
    if (h <= int(tma_h) - 2) continue;
    h = -1;
    ++n;
  }
  return tile(e, 128, true);
}

std::map<std::string, Words> expected() {
  std::map<std::string, Words> all;
  all["mma_bf16"] = product(16, 8, 16, true, false);
  all["mma_tf32"] = product(16, 8, 8, true, false);
  all["mma_f64"] = product(8, 8, 4, true, false);
  Words matrix, transposed, stored(256), stored_transposed(256);
  for (uint32_t lane = 0; lane < 32; ++lane)
    for (uint32_t i = 0; i < 4; ++i) {
      const uint32_t g = lane / 4, t = lane % 4;
      const auto at = [&](uint32_t r, uint32_t c) { return (i * 8 + r) * 8 + c; };
      matrix.push_back(at(g, 2 * t) | at(g, 2 * t + 1) << 16);
      transposed.push_back(at(2 * t, g) | at(2 * t + 1, g) << 16);
      for (uint32_t e = 0; e < 2; ++e) {
        stored[at(g, 2 * t + e)] = lane * 8 + 2 * i + e;
        stored_transposed[at(2 * t + e, g)] = lane * 8 + 2 * i + e;
      }
    }
  all["ldmatrix"] = matrix;
  all["ldmatrix_trans"] = transposed;
  all["stmatrix"] = stored;
  all["stmatrix_trans"] = stored_transposed;
  Words copied(256), squares(32), rounded(32);
  for (uint32_t i = 0; i < 256; ++i) copied[i] = i / 8 % 3 && i % 8 ? i * i + 1 : i * i + 1;
  for (uint32_t t = 0; t < 32; ++t) {
    for (uint32_t j = 0; j < 7; ++j)
      if (t % 3 == 0) copied[t * 8 + j] = 0;
    copied[t * 8] = t % 3 ? (t * 8 + 5) * (t * 8 + 5) + 1 : 0;
    squares[t] = t * t + (t + 32) * (t + 32);
    rounded[t] = (0x3f800000u + t * 0x801u + 0x1000u) & 0xffffe000u;
  }
  all["cp_async"] = copied;
  all["named_barrier"] = squares;
  all["to_tf32"] = rounded;
  for (const float x : {992.0f, 32.0f, -992.0f, 16.0f, 1024.0f, 32.0f, -1024.0f, 16.0f})
    all["red_add_v4"].push_back(std::bit_cast<uint32_t>(x));
  Words turned(1024), uniform(1024);
  for (int i = 0; i < 20; ++i)
    for (int j = 0; j < 30; ++j)
      turned[static_cast<size_t>(j * 20 + i)] =
          std::bit_cast<uint32_t>(element(0, (i * 30 + j) / 32, (i * 30 + j) % 32));
  for (size_t i = 0; i < 256; ++i) uniform[i] = std::bit_cast<uint32_t>(1.0f / 128);
  all["transpose_3"] = turned;
  all["softmax_5"] = uniform;
  all["tma_2d"] = tile_of(2, 16, {8, -2}, false);
  all["tma_2d_swizzle_128"] = tile_of(2, 64, {0, 1}, true);
  all["tma_2d_swizzle_64"] = tile_of(2, 32, {32, 0}, true);
  all["tma_2d_swizzle_32"] = tile_of(2, 16, {16, 0}, true);
  all["tma_3d"] = tile_of(3, 64, {32, -1, 2}, true);
  all["tma_4d"] = tile_of(4, 64, {0, 2, -1, 2}, true);
  all["tma_im2col"] = columns_of(1);
  all["tma_im2col_stride_2"] = columns_of(2);
  Words y(120);
  for (uint32_t r = 5; r < 10; ++r)
    for (uint32_t c = 8; c < 24; ++c) y[(r * 24 + c) / 2] |= ((r - 5) * 16 + c - 8) << (c % 2 * 16);
  all["tma_store"] = y;
  for (const auto& c : hopper_cases())
    if (c.name.substr(0, 7) == "wgmma_n")
      all[c.name] = product(64, std::stoi(c.name.substr(7)), 64, false, true);
  return all;
}

}  // namespace

TEST_CASE("PTX wrappers on the emulated device follow the manual") {
  const simt::ConfigScope scope;
  const auto all = expected();
  std::vector<Case> cases = warp_cases();
  for (const Case& c : hopper_cases()) cases.push_back(c);
  CHECK(all.size() == cases.size());
  for (const auto order : {simt::Order::ascending, simt::Order::descending, simt::Order::random}) {
    simt::config().order = order;
    for (const Case& c : cases) {
      const Words found = c.run();
      const Words& wanted = all.at(c.name);
      CAPTURE(c.name);
      REQUIRE(found.size() == wanted.size());
      size_t differ = 0, first = 0;
      for (size_t i = found.size(); i-- > 0;)
        if (found[i] != wanted[i]) ++differ, first = i;
      CAPTURE(first);
      CHECK(differ == 0);
    }
  }
}

namespace cytograd::cuda::inline CYTOGRAD_NS {
namespace {

enum Misuse {
  no_wait,
  read_early,
  misaligned_copy,
  misaligned_matrix,
  few_lanes,
  barrier_not_made,
  too_many_arrivals,
  lost_bytes,
  block_ends_early,
  wrong_map,
  tile_misplaced,
  products_differ,
  product_left,
  read_accumulator
};

__global__ void misuse(int what, const __grid_constant__ TensorMap map, const float* x, float* y) {
  CYTOGRAD_DYNAMIC_SHARED(float, s);
  CYTOGRAD_SHARED(uint64_t, full);
  const unsigned t = threadIdx.x;
  if (what == no_wait) cp_async16(s + 4 * t, x);
  if (what == read_early) {
    cp_async16(s + 4 * t, x);
    cp_async_commit();
    y[t] = s[4 * t];
    cp_async_wait<0>();
  }
  if (what == misaligned_copy) cp_async16(s + 1, x);
  uint32_t r[4] = {};
  if (what == misaligned_matrix) ldmatrix_x4(r, s + 1);
  if (what == few_lanes && t < 16) ldmatrix_x4(r, s);
  if (what == barrier_not_made) mbarrier_wait(&full, 0);
  if (t == 0 && what >= too_many_arrivals && what <= tile_misplaced) {
    mbarrier_init(&full, 1);
    mbarrier_init_fence();
    mbarrier_arrive_expect(&full, what == lost_bytes ? 4096 : 2048);
    if (what == too_many_arrivals) mbarrier_arrive(&full);
    if (what == wrong_map) tma_load_3d(s, map, &full, 0, 0, 0);
    tma_load_2d(s + (what == tile_misplaced ? 32 : 0), map, &full, 0, 0);
    if (what == lost_bytes) mbarrier_wait(&full, 0);
  }
  if (what < products_differ) return;
  float d[16] = {};
  const uint64_t tile = wgmma_descriptor(s);
  wgmma_fence();
  wgmma_bf16(d, tile, what == products_differ && t == 64 ? tile + 2 : tile, false);
  wgmma_commit();
  if (what == read_accumulator) y[t] = d[0];
  if (what != product_left) wgmma_wait<0>();
}

}  // namespace
}  // namespace cytograd::cuda::inline CYTOGRAD_NS

TEST_CASE("wrong use of asynchronous instructions is an error or gives NaN") {
  const simt::ConfigScope scope;
  DeviceBuffer<float> x(std::vector<float>(4096, 1.0f)), y(128);
  cuda::TiledMap t;
  t.size[0] = t.size[1] = 64;
  t.pitch[1] = 128;
  t.box[0] = 64;
  t.box[1] = 16;
  const cuda::TensorMap map = cuda::tensor_map(x, t);
  const auto run = [&](int what, unsigned threads) -> std::string {
    try {
      simt::launch(simt::Launch{1, threads, 16384, "misuse"}, cuda::misuse, what, map,
                   static_cast<const float*>(x), static_cast<float*>(y));
    } catch (const simt::LaunchError& e) {
      return e.what();
    }
    return "no error";
  };
  const auto says = [&](int what, unsigned threads, const char* text) {
    const std::string message = run(what, threads);
    CAPTURE(message);
    CHECK(message.find(text) != std::string::npos);
  };
  for (const auto order : {simt::Order::ascending, simt::Order::random}) {
    simt::config().order = order;
    says(cuda::no_wait, 32, "outstanding cp.async");
    says(cuda::misaligned_copy, 32, "not a multiple of 16");
    says(cuda::misaligned_matrix, 32, "not a multiple of 16");
    says(cuda::few_lanes, 32, "ldmatrix");
    says(cuda::barrier_not_made, 1, "before mbarrier_init");
    says(cuda::too_many_arrivals, 32, "more arrivals");
    says(cuda::lost_bytes, 1, "deadlock");
    says(cuda::wrong_map, 32, "another kind");
    says(cuda::tile_misplaced, 32, "not a multiple of 1024");
    says(cuda::products_differ, 128, "different products");
    says(cuda::product_left, 128, "outstanding wgmma");
  }
  simt::config().order = simt::Order::ascending;
  says(cuda::block_ends_early, 1, "while a TMA copy is under way");
  for (const int what : {cuda::read_early, cuda::read_accumulator}) {
    CAPTURE(what);
    // Checked kernels report it; others compute with NaN.
    const std::string message = run(what, 128);
    CHECK((message != "no error" || std::isnan(y[0])));
  }
}

TEST_CASE("tensor maps that the hardware cannot describe are refused") {
  alignas(16) float x[64] = {};
  cuda::TiledMap t;
  t.size[0] = t.size[1] = 64;
  t.pitch[1] = 128;
  t.box[0] = 64;
  t.box[1] = 16;
  CHECK_NOTHROW(cuda::tensor_map(x, t));
  CHECK_THROWS_AS(cuda::tensor_map(x + 1, t), ValueError);
  const auto refused = [&](auto change) {
    cuda::TiledMap other = t;
    change(other);
    CHECK_THROWS_AS(cuda::tensor_map(x, other), ValueError);
  };
  refused([](auto& m) { m.rank = 6; });
  refused([](auto& m) { m.element_bytes = 3; });
  refused([](auto& m) { m.swizzle = 64; });
  refused([](auto& m) { m.swizzle = 16; });
  refused([](auto& m) { m.box[1] = 257; });
  refused([](auto& m) { m.box[0] = 3; });
  refused([](auto& m) { m.pitch[1] = 120; });
  refused([](auto& m) { m.size[1] = 0; });
  cuda::Im2colMap c;
  c.channels_size = 64;
  c.width = c.height = c.batch = 4;
  c.channels = 64;
  c.pixels = 8;
  CHECK_NOTHROW(cuda::tensor_map(x, c));
  c.stride_w = 9;
  CHECK_THROWS_AS(cuda::tensor_map(x, c), ValueError);
}
