#include "sink/lines_in_log.h"

#include <algorithm>
#include <cstring>

namespace shardlog::engine {
namespace {

// Multiplies eight bytes at a time into the hash; the constant is 2^64 divided by the golden ratio.
uint64_t Mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
  return hash ^ hash >> 29;
}

// Without the line's end, which an entry may lack and a line of text has.
uint64_t HashOf(std::string_view line) {
  if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  uint64_t hash = Mix(0, line.size());
  while (line.size() >= sizeof(uint64_t)) {
    hash = Mix(hash, format::Load<uint64_t>(line.data()));
    line.remove_prefix(sizeof(uint64_t));
  }
  uint64_t last = 0;
  std::memcpy(&last, line.data(), line.size());
  return Mix(Mix(hash, last), 1);
}

}  // namespace

void LinesInLog::Want(std::string_view line) { wanted_.push_back(HashOf(line)); }

void LinesInLog::Arrange() {
  std::sort(wanted_.begin(), wanted_.end());
  wanted_.erase(std::unique(wanted_.begin(), wanted_.end()), wanted_.end());
  counts_.assign(wanted_.size(), 0);
}

uint32_t* LinesInLog::CountOf(std::string_view line) {
  const uint64_t hash = HashOf(line);
  const auto found = std::lower_bound(wanted_.begin(), wanted_.end(), hash);
  if (found == wanted_.end() || *found != hash) return nullptr;
  return &counts_[static_cast<size_t>(found - wanted_.begin())];
}

bool LinesInLog::Found(std::string_view line) {
  uint32_t* const count = CountOf(line);
  if (count == nullptr) return false;
  ++*count;
  found_++;
  return true;
}

bool LinesInLog::Take(std::string_view line) {
  uint32_t* const count = CountOf(line);
  if (count == nullptr) return false;
  if (counting_ == Counts::kOnce) return (*count)++ != 0;
  if (*count == 0) return false;
  --*count;
  return true;
}

}  // namespace shardlog::engine
