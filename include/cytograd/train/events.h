#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace cytograd {

/// Scalars for TensorBoard: `events.out.tfevents.*`, a sequence of records (length, masked CRC-32C
/// of it, protocol buffer, masked CRC-32C) with hand-written Event messages.
class EventWriter {
 public:
  /// Starts a new file in `folder`; its name is unique whatever the clock says. @throws FileError
  explicit EventWriter(const std::string& folder);
  ~EventWriter();
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;

  void scalars(int64_t step, const std::vector<std::pair<std::string, double>>& values);

 private:
  void record(const std::string& message);
  std::string path_;
  int fd_ = -1;
};

/// Removes from the event files of `folder` every record above `last_step` and what a torn write
/// left, so that a resumed run logs no step twice. @throws FileError
void drop_events_after(const std::string& folder, int64_t last_step);

/// CRC-32C (Castagnoli).
uint32_t crc32c(const std::string& bytes);

}  // namespace cytograd
