#include "support/plain_log.h"

#include <array>
#include <map>
#include <utility>

#include "support/temp_dir.h"

namespace shardlog::test {
namespace {

uint64_t Number(const std::string& from, uint64_t at, int bytes) {
  uint64_t value = 0;
  for (int i = bytes; i-- > 0;)
    value = value << 8 | static_cast<uint8_t>(from.at(at + static_cast<uint64_t>(i)));
  return value;
}

class Reader {
 public:
  explicit Reader(std::string bytes) : bytes_(std::move(bytes)) {}

  PlainLog Read() {
    uint64_t at = 0;
    while (at + 8 <= bytes_.size()) at = ReadAt(at);
    CheckSequences();
    return std::move(log_);
  }

 private:
  void Complain(uint64_t at, const std::string& what) {
    log_.complaints.push_back(std::to_string(at) + ": " + what);
  }

  uint64_t ReadAt(uint64_t at) {
    const uint64_t capacity = Number(bytes_, at, 4);
    const uint64_t valid = Number(bytes_, at + 4, 4);
    if (capacity == 0 && valid == 0) return at + 512;
    const uint64_t stride = (8 + valid + 511) / 512 * 512;
    if (capacity < 8 || valid > capacity - 8 || at + stride > bytes_.size()) {
      Complain(at, "not a block");
      return at + 512;
    }
    if (valid == 0) {
      Complain(at, "a carrier without its block");
      return at + 512;
    }
    PlainBlock block{at, static_cast<uint32_t>(capacity), static_cast<uint32_t>(valid), false, {},
                     {}};
    ReadEntries(&block);
    const uint64_t next = ReadTrailer(&block, stride);
    log_.blocks.push_back(std::move(block));
    return next;
  }

  void ReadEntries(PlainBlock* block) {
    uint64_t at = block->offset + 8;
    const uint64_t end = at + block->valid;
    while (at < end) {
      const uint64_t length = at + 4 <= end ? Number(bytes_, at, 4) : 0;
      if (length == 0 || at + 4 + length > end) {
        Complain(at, "an entry that breaks R2");
        return;
      }
      block->entries.push_back(bytes_.substr(at + 4, length));
      at += 4 + length;
    }
  }

  uint64_t ReadTrailer(PlainBlock* block, uint64_t stride) {
    uint64_t next = block->offset + stride;
    uint64_t end = next;
    const bool carried = stride - 8 - block->valid < 64;
    if (carried) {
      if (next + 512 > bytes_.size() || Number(bytes_, next, 4) != 512 ||
          Number(bytes_, next + 4, 4) != 0) {
        return next;
      }
      end = next += 512;
      CheckZero(block->offset + 8 + block->valid, block->offset + stride);
      CheckZero(block->offset + stride + 8, end - 64);
    } else {
      CheckZero(block->offset + 8 + block->valid, end - 64);
    }
    const uint64_t t = end - 64;
    if (Number(bytes_, t, 4) != 0x544C4853) return next;
    block->has_trailer = true;
    PlainTrailer& trailer = block->trailer;
    trailer.flags = static_cast<uint16_t>(Number(bytes_, t + 6, 2));
    trailer.stream = Number(bytes_, t + 8, 8);
    trailer.sequence = Number(bytes_, t + 16, 8);
    trailer.first_time = Number(bytes_, t + 24, 8);
    trailer.last_time = Number(bytes_, t + 32, 8);
    trailer.entries = static_cast<uint32_t>(Number(bytes_, t + 40, 4));
    trailer.generation = static_cast<uint32_t>(Number(bytes_, t + 44, 4));
    trailer.segment = static_cast<uint32_t>(Number(bytes_, t + 48, 4));
    trailer.producer = static_cast<uint32_t>(Number(bytes_, t + 52, 4));
    if (Number(bytes_, t + 4, 2) != 1) Complain(t, "trailer version");
    if (((trailer.flags & 1) != 0) != carried) Complain(t, "CARRIED flag");
    if (Number(bytes_, t + 56, 4) != end - block->offset) Complain(t, "trailer length");
    if (trailer.entries != block->entries.size()) Complain(t, "trailer's number of entries");
    if (trailer.first_time > trailer.last_time) Complain(t, "trailer's times");
    const std::string covered =
        bytes_.substr(block->offset, 8 + block->valid) + bytes_.substr(t, 60);
    if (Number(bytes_, t + 60, 4) != PlainCrc32c(covered)) Complain(t, "CRC");
    return next;
  }

  void CheckZero(uint64_t from, uint64_t to) {
    for (uint64_t at = from; at < to; at++) {
      if (bytes_[at] != 0) return Complain(at, "padding is not zero");
    }
  }

  // R9, in file order.
  void CheckSequences() {
    std::map<uint64_t, uint64_t> next;
    for (const PlainBlock& block : log_.blocks) {
      if (!block.has_trailer) continue;
      uint64_t& expected = next[block.trailer.stream];
      if (block.trailer.sequence != expected) Complain(block.offset, "sequence");
      expected = block.trailer.sequence + 1;
    }
  }

  const std::string bytes_;
  PlainLog log_;
};

}  // namespace

std::vector<std::string> PlainLog::Entries() const {
  std::vector<std::string> all;
  for (const PlainBlock& block : blocks)
    all.insert(all.end(), block.entries.begin(), block.entries.end());
  return all;
}

PlainLog ReadPlainLog(const std::string& path) { return Reader(ReadFile(path)).Read(); }

uint32_t PlainCrc32c(const std::string& bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> t{};
    for (uint32_t i = 0; i < 256; i++) {
      t[i] = i;
      for (int bit = 0; bit < 8; bit++) t[i] = t[i] >> 1 ^ (t[i] & 1 ? 0x82F63B78u : 0);
    }
    return t;
  }();
  uint32_t crc = ~0u;
  for (const char c : bytes) crc = crc >> 8 ^ table[(crc ^ static_cast<uint8_t>(c)) & 0xFF];
  return ~crc;
}

}  // namespace shardlog::test
