#include <cmath>
#include <cstring>
#include <limits>

#include "cuda/emulation/instructions.h"
#include "cytograd/core/dtype.h"

// Products of a warpgroup. Operands are read when the group is waited for, the last legal moment;
// accumulators are NaN from the issue on.

namespace cytograd::simt {
namespace {

constexpr int k_size = 16, m_size = 64;

int accumulators(const Wgmma& product) { return product.n / 2; }

// Element (row, k) of an operand in shared memory; row is m or n.
float operand(uint64_t descriptor, bool transposed, int row, int k) {
  const uint32_t start = static_cast<uint32_t>(descriptor & 0x3fff) << 4;
  const uint32_t leading = static_cast<uint32_t>(descriptor >> 16 & 0x3fff) << 4;
  const uint32_t stride = static_cast<uint32_t>(descriptor >> 32 & 0x3fff) << 4;
  const auto r = static_cast<uint32_t>(row), c = static_cast<uint32_t>(k);
  uint32_t address = start;
  if (transposed)
    address += r / 64 * leading + c / 8 * stride + c % 8 * 128 + r % 64 * 2;
  else
    address += r / 8 * stride + r % 8 * 128 + c * 2;
  address ^= (address >> 7 & 7) << 4;
  const Block& block = *self->block;
  if (address + 2 > block.dynamic_bytes) fail("wgmma: an operand beyond the shared memory");
  bfloat16 value;
  std::memcpy(&value, block.dynamic + address, 2);
  return to_float(value);
}

// Tells the observers which bytes an operand of `rows` rows has, in 16-byte chunks.
void note_operand(uint64_t descriptor, bool transposed, int rows, void* pc) {
  if (!observed) return;
  const uint32_t start = static_cast<uint32_t>(descriptor & 0x3fff) << 4;
  const uint32_t leading = static_cast<uint32_t>(descriptor >> 16 & 0x3fff) << 4;
  const uint32_t stride = static_cast<uint32_t>(descriptor >> 32 & 0x3fff) << 4;
  const auto count = static_cast<uint32_t>(transposed ? k_size * rows / 8 : rows * 2);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t chunks = static_cast<uint32_t>(rows) / 8;
    const uint32_t k = i / chunks, r = i % chunks * 8;  // transposed
    uint32_t address = start;
    address += transposed ? r / 64 * leading + k / 8 * stride + k % 8 * 128 + r % 64 * 2
                          : i / 2 / 8 * stride + i / 2 % 8 * 128 + i % 2 * 16;
    address ^= (address >> 7 & 7) << 4;
    if (address + 16 <= self->block->dynamic_bytes)
      note(self->block->dynamic + address, 16, reads | async_proxy, pc);
  }
}

void fill_nan(Wgmma& product) {
  for (int j = 0; j < accumulators(product); ++j)
    product.d[j] = std::numeric_limits<float>::quiet_NaN();
}

struct Operands {
  float a[m_size][k_size], b[256][k_size];
};

void check_same(const Wgmma& mine, const Wgmma& other) {
  if (mine.b != other.b || mine.n != other.n || mine.a_in_registers != other.a_in_registers ||
      (!mine.a_in_registers && mine.a != other.a) || mine.accumulate != other.accumulate)
    fail("wgmma: the threads of a warpgroup ask for different products");
}

void gather(Thread* const* threads, size_t which, Operands& o) {
  const Wgmma& first = threads[0]->async->products.front()[which];
  if ((first.b >> 62) != 1 || (!first.a_in_registers && (first.a >> 62) != 1))
    fail("wgmma: a descriptor without 128-byte swizzle");
  note_operand(first.b, first.b_transposed, first.n, first.pc);
  for (int n = 0; n < first.n; ++n)
    for (int k = 0; k < k_size; ++k) o.b[n][k] = operand(first.b, first.b_transposed, n, k);
  if (!first.a_in_registers) {
    note_operand(first.a, first.a_transposed, m_size, first.pc);
    for (int m = 0; m < m_size; ++m)
      for (int k = 0; k < k_size; ++k) o.a[m][k] = operand(first.a, first.a_transposed, m, k);
    return;
  }
  for (int i = 0; i < 128; ++i) {
    const uint32_t* const r = threads[i]->async->products.front()[which].a_registers;
    const int row = i / 32 * 16 + i % 32 / 4, k = i % 4 * 2;
    for (int j = 0; j < 4; ++j)
      for (int e = 0; e < 2; ++e)
        o.a[row + j % 2 * 8][k + j / 2 * 8 + e] =
            to_float(bfloat16{static_cast<uint16_t>(r[j] >> (16 * e))});
  }
}

// Adds the product to the accumulators of thread i of the warpgroup.
void add(Wgmma& product, int i, const Operands& o) {
  if (!product.before.empty())
    std::memcpy(product.d, product.before.data(), product.before.size() * 4);
  for (int j = 0; j < accumulators(product); ++j) {
    const int row = i / 32 * 16 + i % 32 / 4 + j / 2 % 2 * 8;
    const int column = j / 4 * 8 + i % 4 * 2 + j % 2;
    float sum = product.accumulate ? product.d[j] : 0;
    for (int k = 0; k < k_size; ++k) sum += o.a[row][k] * o.b[column][k];
    product.d[j] = sum;
  }
}

// The next wgmma under way with these accumulators keeps their value; nobody may read them yet.
void hand_over(AsyncQueues& queues, float* d) {
  for (size_t g = 1; g < queues.products.size(); ++g)
    for (Wgmma& later : queues.products[g])
      if (later.d == d) {
        if (!later.before.empty()) return;  // another product of this group did it
        later.before.assign(d, d + accumulators(later));
        return fill_nan(later);
      }
}

void run_group(Thread* const* threads) {
  static thread_local Operands operands;
  const size_t count = threads[0]->async->products.front().size();
  for (size_t which = 0; which < count; ++which) {
    for (int i = 1; i < 128; ++i) {
      const auto& groups = threads[i]->async->products;
      if (groups.front().size() != count) fail("wgmma: groups of different size in a warpgroup");
      check_same(threads[0]->async->products.front()[which], groups.front()[which]);
    }
    gather(threads, which, operands);
    for (int i = 0; i < 128; ++i) add(threads[i]->async->products.front()[which], i, operands);
  }
  for (int i = 0; i < 128; ++i) {
    AsyncQueues& queues = *threads[i]->async;
    for (const Wgmma& product : queues.products.front()) hand_over(queues, product.d);
    queues.products.erase(queues.products.begin());
  }
}

}  // namespace

void wgmma(Wgmma product) {
  const Inside inside;
  AsyncQueues& queues = async_queues();
  bool held = false;
  for (const auto& group : queues.products)
    for (const Wgmma& earlier : group) held = held || earlier.d == product.d;
  if (!held) {
    product.before.assign(product.d, product.d + accumulators(product));
    fill_nan(product);
  }
  queues.products.back().push_back(std::move(product));
}

void wgmma_commit() {
  const Inside inside;
  async_queues().products.emplace_back();
}

void wgmma_wait(int n, Site site) {
  const Inside inside;
  async_queues();
  int left = n;
  warpgroup_collective(
      "wgmma wait", &left,
      [](void* const* payloads, Thread* const* threads) {
        const int allowed = *static_cast<const int*>(payloads[0]);
        for (int i = 1; i < 128; ++i)
          if (threads[i]->async->products.size() != threads[0]->async->products.size())
            fail("wgmma: the threads of a warpgroup have committed different numbers of groups");
        while (static_cast<int>(threads[0]->async->products.size()) - 1 > allowed)
          run_group(threads);
      },
      site);
}

}  // namespace cytograd::simt
