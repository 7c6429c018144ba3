#include "cuda/emulation/fiber.h"

#include <sys/mman.h>

#include <cstdint>

#include "cytograd/core/error.h"
#include "src/core/sanitizers.h"

#ifdef CYTOGRAD_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

extern "C" void cytograd_switch_stack(void** save, void* load);

// Saves the registers that a call keeps, changes the stack, restores. The `ret` continues there.
#if defined(__x86_64__)
asm(R"(.text
.globl cytograd_switch_stack
.hidden cytograd_switch_stack
.type cytograd_switch_stack,@function
cytograd_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp,(%rdi)
  movq %rsi,%rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size cytograd_switch_stack,.-cytograd_switch_stack
.section .note.GNU-stack,"",@progbits
.text
)");
#elif defined(__aarch64__)
asm(R"(.text
.globl cytograd_switch_stack
.hidden cytograd_switch_stack
.type cytograd_switch_stack,%function
cytograd_switch_stack:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size cytograd_switch_stack,.-cytograd_switch_stack
)");
#else
#error "the emulation has a stack switch for x86-64 and aarch64 only"
#endif

namespace cytograd::simt {
namespace {
constexpr size_t guard_bytes = 64 << 10;  // a multiple of every page size in use
}

void switch_stack(Stack& from, Stack& to) {
#ifdef CYTOGRAD_ASAN
  __sanitizer_start_switch_fiber(&from.fake_stack, to.base, to.bytes);
#endif
  cytograd_switch_stack(&from.pointer, to.pointer);
#ifdef CYTOGRAD_ASAN
  __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#endif
}

void prepare_stack(Stack& stack, void (*entry)()) {
  auto** top = reinterpret_cast<void**>(stack.base + stack.bytes);
#if defined(__x86_64__)
  // At entry the stack pointer is 8 modulo 16, as after a call; aligned stores depend on it.
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
#else
  top -= 20;
  for (int i = 0; i < 20; ++i) top[i] = nullptr;
  top[11] = reinterpret_cast<void*>(entry);  // x30, the return address
#endif
  stack.pointer = top;
  stack.fake_stack = nullptr;
}

void first_entry([[maybe_unused]] Stack& main) {
#ifdef CYTOGRAD_ASAN
  const void* base = nullptr;
  size_t bytes = 0;
  __sanitizer_finish_switch_fiber(nullptr, &base, &bytes);
  if (main.bytes == 0) {
    main.base = static_cast<char*>(const_cast<void*>(base));
    main.bytes = bytes;
  }
#endif
}

StackPool::~StackPool() {
  for (const auto& stack : all_) munmap(stack->base - guard_bytes, stack->bytes + guard_bytes);
}

Stack* StackPool::take(size_t bytes) {
  if (!idle_.empty()) {
    Stack* stack = idle_.back();
    idle_.pop_back();
    return stack;
  }
  void* memory = mmap(nullptr, bytes + guard_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  check<DeviceError>(memory != MAP_FAILED, "emulated device", "no room for the stack of thread ",
                     all_.size());
  mprotect(memory, guard_bytes, PROT_NONE);
  auto stack = std::make_unique<Stack>();
  stack->base = static_cast<char*>(memory) + guard_bytes;
  stack->bytes = bytes;
  all_.push_back(std::move(stack));
  return all_.back().get();
}

}  // namespace cytograd::simt
