#include "support/ring_events.h"

#include <algorithm>
#include <cstring>

#include "format/block.h"
#include "support/temp_dir.h"

namespace shardlog::test {
namespace {

using recorder::Counts;
using recorder::Header;
using recorder::Owner;
using recorder::Slot;

constexpr size_t kLeastBytes = 13;
constexpr uint8_t kKind = 0xEE;  // no kind of the record format: nothing of it is a time

uint8_t Pattern(uint32_t writer, uint64_t number, size_t at) {
  return static_cast<uint8_t>(writer * 31 + number * 7 + at);
}

bool ReadEvent(const uint8_t* payload, size_t size, RingEvent* event) {
  if (size < kLeastBytes || payload[0] != kKind) return false;
  event->writer = format::Load<uint32_t>(payload + 1);
  event->number = format::Load<uint64_t>(payload + 5);
  for (size_t i = kLeastBytes; i < size; i++) {
    if (payload[i] != Pattern(event->writer, event->number, i)) return false;
  }
  return true;
}

template <typename T>
T Field(const uint8_t* from, size_t offset) {
  return format::Load<T>(from + offset);
}

void ReadRun(const uint8_t* run, uint32_t end, RingContent* content) {
  uint32_t at = recorder::kFirstOffset;
  while (at < end) {
    const auto size = format::Load<uint32_t>(run + at);
    RingEvent event;
    if (size > end - at - 4 || !ReadEvent(run + at + 4, size, &event)) {
      content->torn++;
      return;
    }
    content->events.push_back(event);
    at += 4 + size;
  }
}

}  // namespace

bool PutEvent(recorder::RingProducer* producer, uint32_t writer, uint64_t number, size_t bytes) {
  uint8_t small[512];
  std::vector<uint8_t> large;
  uint8_t* event = small;
  if (bytes > sizeof small) {
    large.resize(bytes);
    event = large.data();
  }
  event[0] = kKind;
  format::Store(event + 1, writer);
  format::Store(event + 5, number);
  for (size_t i = kLeastBytes; i < bytes; i++) event[i] = Pattern(writer, number, i);
  return producer->Append(event, bytes);
}

RingContent ReadRing(const std::vector<uint8_t>& image) {
  RingContent content;
  const auto segments = Field<uint32_t>(image.data(), offsetof(Header, segments));
  const uint8_t* const slots =
      image.data() + Field<uint64_t>(image.data(), offsetof(Header, slots_at));
  const uint8_t* const data =
      image.data() + Field<uint64_t>(image.data(), offsetof(Header, data_at));
  std::vector<std::pair<uint64_t, uint32_t>> runs;
  for (uint32_t i = 0; i < segments; i++) {
    const uint8_t* const slot = slots + size_t{i} * sizeof(Slot);
    const Counts counts{Field<uint64_t>(slot, offsetof(Slot, counts))};
    content.recorded += counts.events() + counts.overwritten();
    const Owner owner{Field<uint64_t>(slot, offsetof(Slot, owner))};
    // A kill may come before what is over is counted so.
    content.overwritten += counts.overwritten() + (owner.closed() ? counts.events() : 0);
    if (owner.sequence() != 0 && !owner.closed()) runs.emplace_back(owner.sequence(), i);
  }
  std::sort(runs.begin(), runs.end());
  for (const auto& [sequence, i] : runs) {
    const auto end = Field<uint32_t>(slots + size_t{i} * sizeof(Slot), offsetof(Slot, offset));
    ReadRun(data + size_t{i} * recorder::kSegmentBytes, end & ~recorder::kSealed, &content);
  }
  return content;
}

RingContent ReadRing(const recorder::Ring& ring) {
  std::vector<uint8_t> image(ring.file_bytes());
  recorder::CopyImage(ring, image.data());
  return ReadRing(image);
}

RingContent ReadRingFile(const std::string& path) {
  const std::string file = ReadFile(path);
  return ReadRing(std::vector<uint8_t>(file.begin(), file.end()));
}

std::map<uint32_t, std::vector<uint64_t>> ByWriter(const RingContent& content) {
  std::map<uint32_t, std::vector<uint64_t>> numbers;
  for (const RingEvent& event : content.events) numbers[event.writer].push_back(event.number);
  return numbers;
}

bool IsUnbroken(const std::vector<uint64_t>& numbers) {
  for (size_t i = 1; i < numbers.size(); i++) {
    if (numbers[i] != numbers[i - 1] + 1) return false;
  }
  return true;
}

}  // namespace shardlog::test
