#include "engine/set_writer.h"

#include <algorithm>

#include "engine/block_lines.h"
#include "engine/block_writer.h"
#include "engine/record_writer.h"
#include "engine/text_lines.h"

namespace shardlog::engine {

uint64_t FirstTime(const std::vector<SealedSegment>& segments) {
  uint64_t first = UINT64_MAX;
  for (const SealedSegment& segment : segments) {
    first = std::min(first, segment.slot->claimed_time);
  }
  return first;
}

std::unique_ptr<RecordWriter> MakeRecordWriter(Form form, const Geometry& geometry,
                                               Overlap overlap) {
  std::unique_ptr<LineFile> lines;
  if (form == Form::kText) {
    lines = std::make_unique<TextLines>(overlap);
  } else {
    lines = std::make_unique<BlockLines>(overlap);
  }
  return std::make_unique<RecordWriter>(geometry, std::move(lines));
}

std::unique_ptr<SetWriter> MakeSetWriter(Content content, Form form, const Geometry& geometry,
                                         Overlap overlap) {
  if (content == Content::kEntries) return std::make_unique<BlockWriter>(geometry);
  return MakeRecordWriter(form, geometry, overlap);
}

}  // namespace shardlog::engine
