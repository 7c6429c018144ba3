// Runs every file of the folders given as arguments through a fuzz target, in any build.
#include <cstdio>
#include <filesystem>

#include "cytograd/io/file.h"
#include "fuzz.h"

int main(int argc, char** argv) {
  int files = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      const std::string bytes = cytograd::read_file(entry.path().string());
      // A copy of the exact size, so that the address sanitizer sees the end.
      const std::string exact(bytes);
      LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(exact.data()), exact.size());
      ++files;
    }
  }
  std::printf("%d files\n", files);
  return files > 0 ? 0 : 1;
}
