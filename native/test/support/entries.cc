#include "support/entries.h"

#include <algorithm>
#include <cstdio>

namespace shardlog::test {

std::string MakeEntry(uint32_t producer, uint32_t number, size_t size) {
  char head[32];
  const int length = std::snprintf(head, sizeof head, "%05u/%08u/", producer, number);
  std::string entry(head, static_cast<size_t>(length));
  uint32_t state = producer * 2654435761u ^ number * 40503u;
  entry.reserve(size);
  while (entry.size() < size) {
    state = state * 1664525u + 1013904223u;
    entry.push_back(static_cast<char>('!' + (state >> 24) % 90));
  }
  return entry;
}

EntryCheck CheckEntries(const std::vector<std::string>& entries) {
  EntryCheck check;
  for (const std::string& entry : entries) {
    unsigned producer = 0;
    unsigned number = 0;
    if (std::sscanf(entry.c_str(), "%5u/%8u/", &producer, &number) != 2 ||
        entry != MakeEntry(producer, number, entry.size())) {
      check.complaints.push_back("torn: " + entry.substr(0, 40));
      continue;
    }
    uint32_t& expected = check.count[producer];
    if (number != expected) {
      check.complaints.push_back("producer " + std::to_string(producer) + ": " +
                                 std::to_string(number) + " where " + std::to_string(expected) +
                                 " was due");
    }
    expected = std::max(expected, number + 1);
  }
  return check;
}

}  // namespace shardlog::test
