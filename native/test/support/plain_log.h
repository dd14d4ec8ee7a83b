// Reads a log by the words of docs/reference/log-format.md alone: no code of the engine is used,
// not even its constants.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace shardlog::test {

struct PlainTrailer {
  uint16_t flags = 0;
  uint64_t stream = 0;
  uint64_t sequence = 0;
  uint64_t first_time = 0;
  uint64_t last_time = 0;
  uint32_t entries = 0;
  uint32_t generation = 0;
  uint32_t segment = 0;
  uint32_t producer = 0;
};

struct PlainBlock {
  uint64_t offset = 0;
  uint32_t capacity = 0;
  uint32_t valid = 0;
  bool has_trailer = false;
  PlainTrailer trailer;
  std::vector<std::string> entries;
};

struct PlainLog {
  std::vector<PlainBlock> blocks;       // carriers and fill are not among them
  std::vector<std::string> complaints;  // what broke a rule, with its offset

  std::vector<std::string> Entries() const;
};

PlainLog ReadPlainLog(const std::string& path);

uint32_t PlainCrc32c(const std::string& bytes);

}  // namespace shardlog::test
