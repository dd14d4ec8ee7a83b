#include "sink/line_encoder.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <string_view>

#include "format/block.h"
#include "sink/lines_in_log.h"

namespace shardlog::engine {
namespace {

// Small enough to stay in the caches next to the core, with the records that lines are made of.
constexpr size_t kChunkBytes = 64u << 10;

void AppendLine(std::string_view line, record::LineBuffer* to) {
  char* const at = to->BeginLine(line.size());
  std::memcpy(at, line.data(), line.size());
  to->EndLine(at + line.size());
}

}  // namespace

LineEncoder::LineEncoder(const Geometry& geometry, std::unique_ptr<LineOutput> lines)
    : geometry_(geometry),
      lines_(std::move(lines)),
      chunk_(lines_->framing()),
      rest_(lines_->framing()) {}

// Segments are in block order, in which each producer's are in its own.
void LineEncoder::StartMerging(const std::vector<SealedSegment>& segments) {
  producers_.clear();
  for (const SealedSegment& segment : segments) {
    const uint32_t id = segment.slot->producer.load(std::memory_order_relaxed);  // [MM counter]
    auto found = std::find_if(producers_.begin(), producers_.end(),
                              [id](const Producer& producer) { return producer.id == id; });
    if (found == producers_.end()) found = producers_.insert(found, {id, {}});
    found->segments.push_back(
        {segment.data + format::kBlockHeaderBytes, segment.valid, segment.spills});
  }
  views_.clear();
  for (const Producer& producer : producers_) views_.push_back({producer.id, producer.segments});
  merger_.Start(views_);
}

void LineEncoder::CountEntries(const std::vector<SealedSegment>& segments,
                               BlockTotals* totals) const {
  totals->entries_of_shard.assign(geometry_.num_shards, 0);
  for (const SealedSegment& segment : segments) {
    totals->entries_of_shard[segment.shard] +=
        format::FindWholeEntries(segment.data + format::kBlockHeaderBytes, segment.valid).entries;
  }
}

IoStatus LineEncoder::Write(LogFile* log, const BlockContext& context,
                            const std::vector<SealedSegment>& segments, WriteProgress* progress,
                            LinesInLog* in_log) {
  const uint64_t damaged_before = merger_.damaged();
  IoStatus status;
  try {
    StartMerging(segments);
    status = WriteLines(log, context, progress, in_log);
  } catch (const std::bad_alloc&) {
    status = {ENOMEM, "malloc"};
  }
  if (!status.ok()) {
    lines_->Cancel();
    return status;
  }
  chunk_.Trim();
  rest_.Trim();
  CountEntries(segments, &progress->totals());
  progress->totals().damaged = merger_.damaged() - damaged_before;
  return {};
}

IoStatus LineEncoder::WriteLines(LogFile* log, const BlockContext& context, WriteProgress* progress,
                                 LinesInLog* in_log) {
  const uint64_t done = progress->done();
  uint64_t position = 0;
  IoStatus status = lines_->Start(log, context, progress);
  for (bool more = true; more && status.ok();) {
    chunk_.Clear();
    more = merger_.Fill(&chunk_, kChunkBytes);
    // Lines that came of what is cut by now may be none. Those before them are.
    if (context.IsSourceCut()) {
      status = lines_->Finish();
      return status.ok() ? kArenaIsCut : status;
    }
    if (chunk_.lines() == 0) continue;
    const record::LineBuffer* const rest = Rest(&position, done, in_log);
    if (rest->lines() != 0) status = lines_->Append(*rest);
  }
  return status.ok() ? lines_->Finish() : status;
}

uint64_t LineEncoder::Visit(const std::vector<SealedSegment>& segments, uint64_t done,
                            const Visitor& visitor) {
  const uint64_t damaged_before = merger_.damaged();
  StartMerging(segments);
  uint64_t position = 0;
  for (bool more = true; more;) {
    chunk_.Clear();
    more = merger_.Fill(&chunk_, kChunkBytes);
    if (chunk_.lines() == 0) continue;
    ForEachLine(*Rest(&position, done, nullptr), lines_->framing(), visitor);
  }
  return merger_.damaged() - damaged_before;
}

// What of the chunk, whose first line is the generation's at *position, is to be written.
const record::LineBuffer* LineEncoder::Rest(uint64_t* position, uint64_t done, LinesInLog* in_log) {
  const bool by_bytes = lines_->counts() == LineOutput::Counts::kBytes;
  const uint64_t start = *position;
  if (lines_->counts() != LineOutput::Counts::kNothing) {
    *position += by_bytes ? chunk_.size() : chunk_.lines();
  }
  if (start >= done && in_log == nullptr) return &chunk_;
  rest_.Clear();
  if (*position <= done && done != 0) return &rest_;
  uint64_t at = start;
  ForEachLine(chunk_, lines_->framing(), [&](std::string_view line) {
    const bool is_in_log = at < done;
    at += by_bytes ? line.size() : 1;
    if (is_in_log || (in_log != nullptr && in_log->Take(line))) return;
    AppendLine(line, &rest_);
  });
  return &rest_;
}

}  // namespace shardlog::engine
