#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

/// @file
/// The system calls that writing a file takes, in one place, so that tests can make each one fail.

namespace cytograd::io {

namespace sys {
/// Returned descriptors are close-on-exec. Interrupted calls are repeated.
int open(const std::string& path, int flags, mode_t mode = 0);
ssize_t write(int fd, const void* data, size_t bytes);
int fsync(int fd);
int close(int fd);
int rename(const std::string& from, const std::string& to);
int truncate(int fd, int64_t bytes);
int symlink(const std::string& target, const std::string& link);
/// Reserves space; succeeds where the file system cannot.
int reserve(int fd, uint64_t bytes);
}  // namespace sys

namespace testing {
/// The n-th call (from 1) of this thread to a function in `sys` fails with `error`; with error 0
/// the n-th write is short. n = 0 turns it off.
void fail_syscall_at(int n, int error);
/// Calls since the last `fail_syscall_at`.
int syscalls_seen();
}  // namespace testing

/// The folder and the last part of a path; the folder is "." where there is none.
std::string folder_of(const std::string& path);
std::string name_of_path(const std::string& path);
/// fsync of a folder. Returns 0 or an errno.
int sync_folder(const std::string& folder);
/// Writes everything. Returns 0 or an errno.
int write_all(int fd, const char* data, size_t bytes);
/// @param action "open", "write", ...  @param needed bytes still to write where that is known
[[noreturn]] void throw_file_error(const std::string& path, const char* action, int error,
                                   uint64_t needed = 0);

}  // namespace cytograd::io
