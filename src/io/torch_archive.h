#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/byte_source.h"
#include "io/pickle.h"

struct zip;

namespace cytograd::io {

/// The ZIP layout of torch.save: `NAME/data.pkl`, `NAME/data/KEY`, all stored uncompressed.
/// Records are read into memory; nothing is extracted.
class TorchArchive {
 public:
  /// Checks every entry. @throws DataError `pt.opcode`
  TorchArchive(const ByteSource& source, const std::string& name);
  ~TorchArchive();
  TorchArchive(const TorchArchive&) = delete;
  TorchArchive& operator=(const TorchArchive&) = delete;

  /// @param record below the top folder
  std::string read_record(const std::string& record, uint64_t limit);
  /// @throws DataError unless the record has exactly the bytes that the storage needs
  std::vector<char> read_storage(const StorageRef& storage);

 private:
  [[noreturn]] void fail(const std::string& place, const std::string& found,
                         const std::string& expected = "") const;
  void check_entries();
  uint64_t size_of_record(const std::string& record);
  void read_into(const std::string& record, char* out, uint64_t bytes);

  struct Source;
  const std::string& name_;
  uint64_t file_bytes_;
  std::unique_ptr<Source> source_;
  ::zip* zip_ = nullptr;
  std::string prefix_;
};

}  // namespace cytograd::io
