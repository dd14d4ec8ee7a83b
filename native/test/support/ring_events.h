// Events of the tests' own in a ring, and what a reader finds of them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "recorder/ring_image.h"
#include "recorder/ring_producer.h"

namespace shardlog::test {

struct RingEvent {
  uint32_t writer = 0;
  uint64_t number = 0;
};

struct RingContent {
  std::vector<RingEvent> events;  // in ring order
  uint64_t torn = 0;              // entries that are not whole
  uint64_t recorded = 0;          // by the slots' counts
  uint64_t overwritten = 0;
};

// Records event `number` of `writer`, whose bytes all depend on both; of 12 bytes and more.
bool PutEvent(recorder::RingProducer* producer, uint32_t writer, uint64_t number, size_t bytes);

// What an image or a file of a ring holds.
RingContent ReadRing(const std::vector<uint8_t>& image);
RingContent ReadRing(const recorder::Ring& ring);
RingContent ReadRingFile(const std::string& path);

// The numbers of each writer.
std::map<uint32_t, std::vector<uint64_t>> ByWriter(const RingContent& content);

// Whether the numbers go up by one.
bool IsUnbroken(const std::vector<uint64_t>& numbers);

}  // namespace shardlog::test
