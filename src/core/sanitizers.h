#pragma once

/// @file
/// CYTOGRAD_ASAN and CYTOGRAD_TSAN, where this file is compiled under AddressSanitizer or
/// ThreadSanitizer. GCC and clang say so differently.

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CYTOGRAD_ASAN
#endif
#if __has_feature(thread_sanitizer)
#define CYTOGRAD_TSAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(CYTOGRAD_ASAN)
#define CYTOGRAD_ASAN
#endif
#if defined(__SANITIZE_THREAD__) && !defined(CYTOGRAD_TSAN)
#define CYTOGRAD_TSAN
#endif
