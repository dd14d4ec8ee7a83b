// Entries that say who wrote them and which one it is, and whose every byte can be checked.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace shardlog::test {

// `size` bytes, at least 20, that tell producer and number and are determined by them.
std::string MakeEntry(uint32_t producer, uint32_t number, size_t size);

struct EntryCheck {
  std::map<uint32_t, uint32_t> count;   // entries of each producer
  std::vector<std::string> complaints;  // torn, twice, missing, out of order
};

// Checks that each producer's entries are whole and numbered 0, 1, 2, ... in this order.
EntryCheck CheckEntries(const std::vector<std::string>& entries);

// A small xorshift generator: the tests' randomness, the same in every run.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2 + 1) {}
  uint64_t Next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  // From `low` to `high`, both included.
  uint64_t Between(uint64_t low, uint64_t high) { return low + Next() % (high - low + 1); }

 private:
  uint64_t state_;
};

}  // namespace shardlog::test
