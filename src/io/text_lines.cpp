#include "io/text_lines.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

#include "cytograd/core/error.h"
#include "cytograd/io/text.h"

namespace cytograd::io {
namespace {

constexpr size_t piece = size_t{1} << 18;
constexpr std::string_view gzip_magic = "\x1f\x8b", utf8_mark = "\xEF\xBB\xBF";

}  // namespace

std::optional<float> parse_count(std::string_view text) {
  const auto number = parse_double(text);
  constexpr double most = std::numeric_limits<float>::max();
  if (!number || !(*number >= 0) || *number > most) return std::nullopt;
  return static_cast<float>(*number);
}

// One or more gzip members behind each other, as bgzip writes them too.
struct TextLines::Inflater {
  z_stream state{};
  std::vector<char> input;
  bool inside = true;  // a member has begun and not ended
  std::string fault;   // what comes behind the text that was handed out

  Inflater() : input(piece) {
    constexpr int with_gzip_header = 16;
    if (inflateInit2(&state, MAX_WBITS + with_gzip_header) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&state); }
};

TextLines::TextLines(std::unique_ptr<ByteSource> source, std::string name)
    : source_(std::move(source)), name_(std::move(name)) {
  std::array<char, 2> start{};
  if (source_->size() < start.size()) return;
  source_->read(0, start.data(), start.size());
  if (std::string_view(start.data(), start.size()) == gzip_magic)
    inflater_ = std::make_unique<Inflater>();
}

TextLines::TextLines(const std::string& path)
    : TextLines(std::make_unique<FileSource>(path), path) {}

TextLines::~TextLines() = default;

void TextLines::fail(const std::string& found, const std::string& expected,
                     const std::string& hint) const {
  throw DataError(
      Fault{"cells.form", name_, "line " + std::to_string(line_), found, expected, hint});
}

void TextLines::fail_file(const std::string& found, const std::string& expected,
                          const std::string& hint) const {
  throw DataError(Fault{"cells.form", name_, "", found, expected, hint});
}

size_t TextLines::read_plain(char* to, size_t most) {
  const auto bytes = static_cast<size_t>(std::min<uint64_t>(most, source_->size() - offset_));
  source_->read(offset_, to, bytes);
  offset_ += bytes;
  return bytes;
}

// Unpacks up to `most` bytes; what is wrong behind them is for the next call to say.
size_t TextLines::unpack(char* to, size_t most) {
  z_stream& z = inflater_->state;
  z.next_out = reinterpret_cast<Bytef*>(to);
  z.avail_out = static_cast<uInt>(most);
  while (z.avail_out > 0 && inflater_->fault.empty()) {
    if (z.avail_in == 0) {
      z.next_in = reinterpret_cast<Bytef*>(inflater_->input.data());
      z.avail_in = static_cast<uInt>(read_plain(inflater_->input.data(), piece));
      if (z.avail_in == 0) {
        if (inflater_->inside) inflater_->fault = "gzip data ends early";
        break;
      }
    }
    if (!inflater_->inside) inflateReset(&z);
    inflater_->inside = true;
    const int result = inflate(&z, Z_NO_FLUSH);
    if (result == Z_STREAM_END)
      inflater_->inside = false;
    else if (result != Z_OK && result != Z_BUF_ERROR)
      inflater_->fault =
          std::string("damaged gzip data") + (z.msg ? std::string(": ") + z.msg : "");
  }
  const size_t got = most - z.avail_out;
  if (got == 0 && !inflater_->fault.empty())
    fail_file(inflater_->fault, "a whole file", "copy it again");
  return got;
}

// Appends to the buffer; false where nothing is left.
bool TextLines::fill() {
  const size_t before = buffer_.size();
  buffer_.resize(before + piece);
  char* const to = buffer_.data() + before;
  const size_t got = inflater_ ? unpack(to, piece) : read_plain(to, piece);
  buffer_.resize(before + got);
  if (std::memchr(buffer_.data() + before, '\0', got) != nullptr)
    fail_file("zero bytes", "text", "the file is damaged or of another kind");
  return got > 0;
}

bool TextLines::next(std::string_view& line) {
  size_t searched = at_, end = std::string::npos;
  while ((end = buffer_.find('\n', searched)) == std::string::npos) {
    buffer_.erase(0, at_);
    at_ = 0;
    searched = buffer_.size();
    if (searched > max_line_bytes) {
      ++line_;
      fail("more than " + std::to_string(max_line_bytes) + " bytes", "a shorter line",
           "the file is damaged or of another kind");
    }
    if (!fill()) break;
  }
  if (end == std::string::npos && buffer_.empty()) return false;
  ++line_;
  const size_t stop = end == std::string::npos ? buffer_.size() : end;
  line = std::string_view(buffer_).substr(at_, stop - at_);
  at_ = end == std::string::npos ? stop : end + 1;
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line_ == 1 && line.starts_with(utf8_mark)) line.remove_prefix(utf8_mark.size());
  return true;
}

}  // namespace cytograd::io
