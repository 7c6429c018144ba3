#include <cstring>
#include <memory>

#include "cuda/emulation/instructions.h"
#include "cuda/emulation/tensor_map.h"

// The copy engine of TMA. Tiles arrive at random later moments, sometimes only when nothing else
// can run; until then their bytes are NaN.

namespace cytograd::simt {
namespace {

MapContents contents_of(const cuda::TensorMap& map) {
  MapContents contents;
  std::memcpy(&contents, map.words, sizeof contents);
  return contents;
}

uint32_t tile_bytes(const MapContents& m) {
  uint32_t bytes = m.element_bytes;
  for (int i = 0; i < (m.im2col ? 2 : m.rank); ++i) bytes *= m.box[i];
  return bytes;
}

// Address bits 4..6 are exchanged with bits 7..9, as many of them as the swizzle is wide.
uint32_t swizzled(uint32_t offset, uint32_t width) {
  const uint32_t chunks = width / 16;  // 0, 2, 4, 8
  return chunks ? offset ^ ((offset >> 7 & (chunks - 1)) << 4) : offset;
}

struct Load {
  MapContents map;
  char* to;
  uint64_t* barrier;
  std::array<int, 5> at;
  int tap[2];
  Block* block;
  uint64_t id;
};

// Address of an element, or null if it lies outside the tensor.
char* element_at(const MapContents& m, const int64_t (&index)[5]) {
  uint64_t offset = 0;
  for (int i = 0; i < m.rank; ++i) {
    if (index[i] < 0 || static_cast<uint64_t>(index[i]) >= m.size[i]) return nullptr;
    offset += static_cast<uint64_t>(index[i]) * (i == 0 ? m.element_bytes : m.pitch[i - 1]);
  }
  return reinterpret_cast<char*>(m.base) + offset;
}

void bring(const Load& load, uint32_t offset, const int64_t (&index)[5]) {
  const MapContents& m = load.map;
  char* const to = load.to + swizzled(offset, m.swizzle);
  if (const char* from = element_at(m, index))
    std::memcpy(to, from, m.element_bytes);
  else
    std::memset(to, 0, m.element_bytes);
}

// Calls visit(offset in the tile, index in the tensor) for each element of a box.
template <class Visit>
void for_box(const MapContents& m, const int* at, Visit visit) {
  const uint32_t count = tile_bytes(m) / m.element_bytes;
  for (uint32_t e = 0; e < count; ++e) {
    int64_t index[5] = {};
    uint32_t rest = e;
    for (int i = 0; i < m.rank; ++i) {
      index[i] = at[i] + static_cast<int64_t>(rest % m.box[i]);
      rest /= m.box[i];
    }
    visit(e * m.element_bytes, index);
  }
}

void bring_columns(const Load& load) {
  const MapContents& m = load.map;
  int64_t w = load.at[1], h = load.at[2], n = load.at[3];
  uint32_t offset = 0;
  for (uint32_t pixel = 0; pixel < m.box[1]; ++pixel) {
    for (uint32_t c = 0; c < m.box[0]; ++c, offset += m.element_bytes) {
      const int64_t index[5] = {load.at[0] + static_cast<int64_t>(c), w + load.tap[0],
                                h + load.tap[1], n, 0};
      bring(load, offset, index);
    }
    w += m.stride[0];
    if (w < static_cast<int64_t>(m.size[1]) + m.upper[0]) continue;
    w = m.lower[0];
    h += m.stride[1];
    if (h < static_cast<int64_t>(m.size[2]) + m.upper[1]) continue;
    h = m.lower[1];
    ++n;
  }
}

void run_load(void* argument) {
  const std::unique_ptr<Load> load(static_cast<Load*>(argument));
  const MapContents& m = load->map;
  if (m.im2col)
    bring_columns(*load);
  else
    for_box(m, load->at.data(),
            [&](uint32_t offset, const int64_t(&index)[5]) { bring(*load, offset, index); });
  --load->block->copies;
  observe([&](Observer& o) { o.complete(*load->block, load->id, load->barrier); });
  mbarrier_complete(load->barrier, tile_bytes(m));
}

void drop_load(void* argument) {
  const std::unique_ptr<Load> load(static_cast<Load*>(argument));
  observe([&](Observer& o) { o.complete(*load->block, load->id, nullptr); });
}

void check_tile(const void* tile, const MapContents& m, Site site) {
  const uint32_t offset = shared_address(tile, site);
  const uint32_t align = m.swizzle == 128 ? 1024 : m.swizzle ? m.swizzle * 8 : 128;
  if (offset % align)
    fail("TMA with a tile that is not a multiple of " + std::to_string(align) + " bytes away",
         site);
  if (offset + tile_bytes(m) > self->block->dynamic_bytes)
    fail("TMA with a tile that goes beyond the shared memory", site);
}

void start(Load load, Site site, void* pc) {
  static uint64_t last_id = 0;  // launches take turns
  check_tile(load.to, load.map, site);
  const uint32_t bytes = tile_bytes(load.map);
  load.block = self->block;
  load.id = ++last_id;
  note(load.to, bytes, writes | async_proxy | pending, pc);
  observe([&](Observer& o) { o.issue(*self, load.id, load.to, bytes); });
  std::memset(load.to, 0xff, bytes);
  ++self->block->copies;
  enqueue({run_load, drop_load, new Load(load)});
}

void check_rank(const MapContents& m, int rank, bool im2col, Site site) {
  if (m.rank != rank || (m.im2col != 0) != im2col)
    fail("TMA with a tensor map of another kind or number of dimensions", site);
}

}  // namespace

uint32_t shared_address(const void* p, Site site) {
  const Block& block = *self->block;
  const auto* byte = static_cast<const char*>(p);
  if (byte < block.dynamic || byte >= block.dynamic + block.dynamic_bytes)
    fail("an address that is not in dynamic shared memory", site);
  return static_cast<uint32_t>(byte - block.dynamic);
}

void tma_load(void* to, const cuda::TensorMap& map, uint64_t* barrier, std::array<int, 5> at,
              int rank, Site site, void* pc) {
  const Inside inside;
  const MapContents m = contents_of(map);
  check_rank(m, rank, false, site);
  start({m, static_cast<char*>(to), barrier, at, {}, nullptr, 0}, site, pc);
}

void tma_load_im2col(void* to, const cuda::TensorMap& map, uint64_t* barrier, std::array<int, 4> at,
                     uint16_t tap_w, uint16_t tap_h, Site site, void* pc) {
  const Inside inside;
  const MapContents m = contents_of(map);
  check_rank(m, 4, true, site);
  start({m,
         static_cast<char*>(to),
         barrier,
         {at[0], at[1], at[2], at[3]},
         {tap_w, tap_h},
         nullptr,
         0},
        site, pc);
}

void tma_store(const cuda::TensorMap& map, const void* from, std::array<int, 5> at, int rank,
               Site site, void* pc) {
  const Inside inside;
  const MapContents m = contents_of(map);
  check_rank(m, rank, false, site);
  check_tile(from, m, site);
  TileStore store{map, static_cast<const char*>(from), {}, pc};
  for (size_t i = 0; i < 5; ++i) store.at[i] = at[i];
  async_queues().stores.add(store);
}

void tma_store_commit() {
  const Inside inside;
  async_queues().stores.commit();
}

void tma_store_wait(int n) {
  const Inside inside;
  auto& groups = async_queues().stores;
  while (static_cast<int>(groups.committed()) > n)
    groups.finish_oldest([](const TileStore& store) {
      const MapContents m = contents_of(store.map);
      note(store.from, tile_bytes(m), reads | async_proxy, store.pc);
      for_box(m, store.at, [&](uint32_t offset, const int64_t(&index)[5]) {
        char* const to = element_at(m, index);
        if (!to) return;
        note(to, m.element_bytes, writes | async_proxy, store.pc);
        std::memcpy(to, store.from + swizzled(offset, m.swizzle), m.element_bytes);
      });
    });
}

}  // namespace cytograd::simt
