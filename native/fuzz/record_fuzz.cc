// Any bytes as the segments of producers: rendering and merging read and write nothing outside,
// make a line or count a damage of every payload, and give the same lines whichever way they are
// asked for.
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "record/merge.h"

namespace record = shardlog::record;

namespace {

constexpr size_t kMaxSegments = 6;

// Cuts the input into segments: the first byte says how many, the others are shared out evenly.
// Each in memory of exactly its size, so that the sanitizer sees a read behind it.
std::vector<std::vector<uint8_t>> SegmentsOf(const uint8_t* data, size_t size) {
  std::vector<std::vector<uint8_t>> segments;
  if (size == 0) return segments;
  const size_t count = 1 + data[0] % kMaxSegments;
  const size_t each = (size - 1 + count - 1) / count;
  for (size_t at = 1; at < size; at += each) {
    segments.emplace_back(data + at, data + at + (each < size - at ? each : size - at));
  }
  return segments;
}

// Renders one segment, each line into memory of its own; returns lines and damages.
uint64_t RenderOneByOne(const std::vector<uint8_t>& segment, std::string* lines) {
  record::SegmentRenderer renderer;
  renderer.Open(segment.data(), segment.size());
  uint64_t count = 0;
  while (renderer.Next()) {
    record::LineBuffer line;
    const bool appended = renderer.Append(&line);
    if (appended != (line.size() != 0) || appended != (line.lines() == 1)) std::abort();
    lines->append(line.data(), line.size());
    count += appended;
  }
  return count + renderer.damaged();
}

// Number of payloads, the breach of R2 that ends the segment being one.
uint64_t CountPayloads(const std::vector<uint8_t>& segment) {
  const size_t whole = shardlog::format::FindWholeEntries(segment.data(), segment.size()).bytes;
  const int64_t entries = shardlog::format::CountEntries(segment.data(), whole);
  return static_cast<uint64_t>(entries) + (whole < segment.size() ? 1 : 0);
}

std::string Merge(const std::vector<record::SegmentView>& views, size_t producers,
                  size_t chunk_bytes, record::Framing framing) {
  std::vector<record::ProducerSegments> inputs;
  const size_t each = (views.size() + producers - 1) / producers;
  for (size_t at = 0; at < views.size(); at += each) {
    const size_t count = each < views.size() - at ? each : views.size() - at;
    inputs.push_back({static_cast<uint32_t>(at + 1), {views.data() + at, count}});
  }
  record::LineMerger merger;
  record::LineBuffer buffer(framing);
  std::string lines;
  record::MergeLines(&merger, inputs, chunk_bytes, &buffer,
                     [&lines](const auto& chunk) { lines.append(chunk.data(), chunk.size()); });
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<std::vector<uint8_t>> segments = SegmentsOf(data, size);
  std::vector<record::SegmentView> views;
  std::string lines;
  for (const std::vector<uint8_t>& segment : segments) {
    views.push_back({segment.data(), segment.size()});
    if (RenderOneByOne(segment, &lines) != CountPayloads(segment)) std::abort();
  }
  if (Merge(views, 1, 1, record::Framing::kBackToBack) != lines) std::abort();
  if (views.empty()) return 0;
  const std::string merged = Merge(views, views.size(), 1 << 20, record::Framing::kEntries);
  if (Merge(views, views.size(), 10, record::Framing::kEntries) != merged) std::abort();
  const auto* entries = reinterpret_cast<const uint8_t*>(merged.data());
  if (shardlog::format::CountEntries(entries, merged.size()) < 0) std::abort();
  return 0;
}
