#include "record/merge.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace shardlog::record {

void LineMerger::Start(std::span<const ProducerSegments> producers) {
  while (renderers_.size() < producers.size()) {
    renderers_.push_back(std::make_unique<SegmentRenderer>());
  }
  heap_.clear();
  for (size_t i = 0; i < producers.size(); i++) {
    SegmentRenderer* const renderer = renderers_[i].get();
    renderer->Open(nullptr, 0);
    Cursor cursor{0, producers[i].producer, producers[i].segments, renderer};
    if (Advance(&cursor)) heap_.push_back(cursor);
  }
  std::make_heap(heap_.begin(), heap_.end(), IsAfter);
}

bool LineMerger::Fill(LineBuffer* out, size_t chunk_bytes) {
  while (!heap_.empty() && out->size() < chunk_bytes) {
    std::pop_heap(heap_.begin(), heap_.end(), IsAfter);
    Cursor cursor = heap_.back();
    heap_.pop_back();
    if (!AppendRun(&cursor, out, chunk_bytes)) continue;
    heap_.push_back(cursor);
    std::push_heap(heap_.begin(), heap_.end(), IsAfter);
  }
  return !heap_.empty();
}

// Appends lines of `cursor` while it is before all others. Returns whether it has more.
bool LineMerger::AppendRun(Cursor* cursor, LineBuffer* out, size_t chunk_bytes) const {
  do {
    cursor->renderer->Append(out);
    if (!Advance(cursor)) return false;
  } while (out->size() < chunk_bytes && (heap_.empty() || IsBefore(*cursor, heap_.front())));
  return true;
}

// Moves to the producer's next line, in this segment or a later one. False if there is none.
bool LineMerger::Advance(Cursor* cursor) {
  while (!cursor->renderer->Next()) {
    if (cursor->segments.empty()) return false;
    const SegmentView& segment = cursor->segments.front();
    cursor->renderer->Open(segment.entries, segment.valid, segment.spills);
    cursor->segments = cursor->segments.subspan(1);
  }
  const double time = cursor->renderer->time();
  cursor->time = std::isnan(time) ? -std::numeric_limits<double>::infinity() : time;
  return true;
}

bool LineMerger::IsBefore(const Cursor& a, const Cursor& b) {
  return a.time != b.time ? a.time < b.time : a.producer < b.producer;
}

uint64_t LineMerger::damaged() const {
  uint64_t damaged = 0;
  for (const auto& renderer : renderers_) damaged += renderer->damaged();
  return damaged;
}

void MergeLines(LineMerger* merger, std::span<const ProducerSegments> producers, size_t chunk_bytes,
                LineBuffer* buffer, const LineSink& sink) {
  merger->Start(producers);
  bool more = true;
  while (more) {
    buffer->Clear();
    more = merger->Fill(buffer, chunk_bytes);
    if (buffer->size() != 0) sink(*buffer);
  }
}

}  // namespace shardlog::record
