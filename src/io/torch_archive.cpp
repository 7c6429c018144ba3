#include "io/torch_archive.h"

#include <zip.h>

#include <algorithm>
#include <array>
#include <new>

#include "cytograd/core/error.h"

namespace cytograd::io {

// The bytes as libzip asks for them.
struct TorchArchive::Source {
  const ByteSource& bytes;
  uint64_t position = 0;
  zip_error_t error{};

  static zip_int64_t call(void* state, void* data, zip_uint64_t length, zip_source_cmd_t command) {
    return static_cast<Source*>(state)->handle(data, length, command);
  }

  zip_int64_t handle(void* data, zip_uint64_t length, zip_source_cmd_t command) {
    switch (command) {
      case ZIP_SOURCE_OPEN:
        position = 0;
        return 0;
      case ZIP_SOURCE_READ:
        return read(data, length);
      case ZIP_SOURCE_SEEK: {
        const zip_int64_t to =
            zip_source_seek_compute_offset(position, bytes.size(), data, length, &error);
        if (to < 0) return -1;
        position = static_cast<uint64_t>(to);
        return 0;
      }
      case ZIP_SOURCE_TELL:
        return static_cast<zip_int64_t>(position);
      case ZIP_SOURCE_STAT: {
        auto* stat = ZIP_SOURCE_GET_ARGS(zip_stat_t, data, length, &error);
        if (!stat) return -1;
        zip_stat_init(stat);
        stat->valid = ZIP_STAT_SIZE;
        stat->size = bytes.size();
        return sizeof *stat;
      }
      case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&error, data, length);
      case ZIP_SOURCE_SUPPORTS:
        return ZIP_SOURCE_SUPPORTS_SEEKABLE;
      case ZIP_SOURCE_CLOSE:
      case ZIP_SOURCE_FREE:
        return 0;
      default:
        zip_error_set(&error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
  }

  zip_int64_t read(void* out, uint64_t length) {
    const uint64_t n = std::min(length, bytes.size() - std::min(position, bytes.size()));
    try {
      bytes.read(position, out, n);
    } catch (const Error&) {  // may not pass through libzip
      zip_error_set(&error, ZIP_ER_READ, 0);
      return -1;
    }
    position += n;
    return static_cast<zip_int64_t>(n);
  }
};

TorchArchive::TorchArchive(const ByteSource& source, const std::string& name)
    : name_(name), file_bytes_(source.size()), source_(new Source{source}) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* input = zip_source_function_create(Source::call, source_.get(), &error);
  if (!input) throw std::bad_alloc();
  zip_ = zip_open_from_source(input, ZIP_RDONLY | ZIP_CHECKCONS, &error);
  if (!zip_) {
    const std::string message = zip_error_strerror(&error);
    zip_source_free(input);
    zip_error_fini(&error);
    fail("ZIP directory", "damaged archive: " + message);
  }
  try {
    check_entries();
  } catch (...) {
    zip_discard(zip_);
    throw;
  }
}

TorchArchive::~TorchArchive() { zip_discard(zip_); }

void TorchArchive::fail(const std::string& place, const std::string& found,
                        const std::string& expected) const {
  throw DataError({"pt.opcode", name_, place, found, expected, "download or save the file again"});
}

void TorchArchive::check_entries() {
  const zip_int64_t count = zip_get_num_entries(zip_, 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    zip_stat_t stat;
    zip_stat_init(&stat);
    constexpr zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE |
                                    ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(zip_, static_cast<zip_uint64_t>(i), 0, &stat) != 0 ||
        (stat.valid & needed) != needed)
      fail("ZIP entry " + std::to_string(i), "no complete description");
    const std::string entry = stat.name;
    const std::string place = "ZIP entry " + entry.substr(0, 200);
    if (entry.find("..") != std::string::npos || entry.find('\\') != std::string::npos ||
        entry.empty() || entry[0] == '/')
      fail(place, "name that leaves the archive", "a plain relative name");
    if (stat.comp_method != ZIP_CM_STORE) fail(place, "compressed entry", "a stored one");
    if (stat.encryption_method != ZIP_EM_NONE) fail(place, "encrypted entry", "a plain one");
    if (stat.size != stat.comp_size || stat.size > file_bytes_)
      fail(place, "entry of " + std::to_string(stat.size) + " bytes", "no more than the file has");
    constexpr std::string_view tail = "/data.pkl";
    if (entry.ends_with(tail) && entry.find('/') == entry.size() - tail.size()) {
      if (!prefix_.empty()) fail(place, "second data.pkl", "one");
      prefix_ = entry.substr(0, entry.size() - tail.size() + 1);
    }
  }
  if (prefix_.empty()) fail("ZIP directory", "no data.pkl", "an archive by torch.save");
  const std::string order = prefix_ + "byteorder";
  if (zip_name_locate(zip_, order.c_str(), ZIP_FL_ENC_RAW) >= 0 &&
      read_record("byteorder", 64) != "little")
    fail("byteorder", "data that is not little-endian", "little");
}

uint64_t TorchArchive::size_of_record(const std::string& record) {
  zip_stat_t stat;
  zip_stat_init(&stat);
  if (zip_stat(zip_, (prefix_ + record).c_str(), ZIP_FL_ENC_RAW, &stat) != 0)
    fail(record.substr(0, 200), "no such entry in the archive");
  return stat.size;
}

void TorchArchive::read_into(const std::string& record, char* out, uint64_t bytes) {
  zip_file_t* file = zip_fopen(zip_, (prefix_ + record).c_str(), ZIP_FL_ENC_RAW);
  if (!file) fail(record, std::string("cannot read: ") + zip_strerror(zip_));
  // One byte more than there is: only at the end does libzip compare the checksum.
  bool good = true;
  for (uint64_t at = 0; good && at < bytes;) {
    const zip_int64_t n = zip_fread(file, out + at, bytes - at);
    good = n > 0;
    at += good ? static_cast<uint64_t>(n) : 0;
  }
  char beyond = 0;
  good = good && zip_fread(file, &beyond, 1) == 0;
  const std::string message = good ? "" : zip_file_strerror(file);
  zip_fclose(file);
  if (!good) fail(record, "damaged entry: " + message);
}

std::string TorchArchive::read_record(const std::string& record, uint64_t limit) {
  const uint64_t bytes = size_of_record(record);
  if (bytes > limit)
    fail(record, "entry of " + std::to_string(bytes) + " bytes",
         "at most " + std::to_string(limit));
  std::string out(bytes, '\0');
  read_into(record, out.data(), bytes);
  return out;
}

std::vector<char> TorchArchive::read_storage(const StorageRef& storage) {
  const std::string record = "data/" + storage.key;
  const uint64_t bytes = size_of_record(record), size = size_of(storage.type);
  if (bytes % size != 0 || bytes / size != static_cast<uint64_t>(storage.numel))
    fail(record.substr(0, 200), "storage of " + std::to_string(bytes) + " bytes",
         std::to_string(storage.numel) + " elements of " + std::to_string(size) + " bytes");
  std::vector<char> out(bytes);
  read_into(record, out.data(), bytes);
  return out;
}

}  // namespace cytograd::io
