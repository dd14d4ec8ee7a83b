// The lines of several producers in the order of their times (docs/reference/record-format.md,
// section 5).
//
// A line is written when its time is the smallest among the producers' next ones; of equal times,
// the lower producer id goes first. Within a producer nothing is reordered: a line whose time is
// smaller than that of the line before it comes right behind that one. A time that is not a number
// is taken to be smaller than all others. A damaged payload whose time can be read holds its turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "record/line_buffer.h"
#include "record/renderer.h"

namespace shardlog::record {

// The entries of a segment, without the block header in front of them.
struct SegmentView {
  const uint8_t* entries = nullptr;
  size_t valid = 0;
  const SpillSource* spills = nullptr;  // where its spilled payloads are
};

// What one producer wrote in a generation, in its order.
struct ProducerSegments {
  uint32_t producer = 0;
  std::span<const SegmentView> segments;
};

// Used by one thread. Keeps its renderers from one generation to the next.
class LineMerger {
 public:
  // Starts with a generation. The segments, and the spans that name them, stay as they are until
  // Fill has returned false.
  void Start(std::span<const ProducerSegments> producers);

  // Appends lines until `out` holds at least `chunk_bytes` or there are no more. Returns whether
  // there may be more. Throws std::bad_alloc.
  bool Fill(LineBuffer* out, size_t chunk_bytes);

  // Payloads found damaged since construction.
  uint64_t damaged() const;

 private:
  // One producer; `renderer` is at its next line.
  struct Cursor {
    double time;
    uint32_t producer;
    std::span<const SegmentView> segments;  // not begun
    SegmentRenderer* renderer;
  };

  static bool IsBefore(const Cursor& a, const Cursor& b);
  static bool IsAfter(const Cursor& a, const Cursor& b) { return IsBefore(b, a); }
  static bool Advance(Cursor* cursor);
  bool AppendRun(Cursor* cursor, LineBuffer* out, size_t chunk_bytes) const;

  std::vector<std::unique_ptr<SegmentRenderer>> renderers_;
  std::vector<Cursor> heap_;  // the next one in front
};

// Lines for a sink: whole ones, and at least chunk_bytes but for the last chunk.
using LineSink = std::function<void(const LineBuffer& chunk)>;

// Gives `sink` all lines of a generation, in chunks through `buffer`.
void MergeLines(LineMerger* merger, std::span<const ProducerSegments> producers, size_t chunk_bytes,
                LineBuffer* buffer, const LineSink& sink);

}  // namespace shardlog::record
