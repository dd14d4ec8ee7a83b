#include "engine/record_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "format/block.h"

namespace shardlog::engine {
namespace {

// Small enough to stay in the caches next to the core, with the records that lines are made of.
constexpr size_t kChunkBytes = 64u << 10;
// A byte of a record makes six of text at the most (a control character in a string), and a record
// without fields the texts of its definitions, which may be of any length: a bound on what is
// usual, which only decides how far recovery believes that the end of the file is ours.
constexpr uint64_t kMostTextPerByte = 64;

}  // namespace

RecordWriter::RecordWriter(const Geometry& geometry, std::unique_ptr<LineFile> lines)
    : geometry_(geometry), lines_(std::move(lines)), chunk_(lines_->framing()) {}

uint64_t RecordWriter::MostBytes(const std::vector<SealedSegment>& segments,
                                 size_t alignment) const {
  uint64_t bytes = alignment;
  for (const SealedSegment& segment : segments) bytes += kMostTextPerByte * segment.valid;
  if (!segments.empty()) bytes += kMostTextPerByte * segments.front().spills->bytes();
  return bytes;
}

// Segments are in block order, in which each producer's are in its own.
void RecordWriter::StartMerging(const std::vector<SealedSegment>& segments) {
  producers_.clear();
  for (const SealedSegment& segment : segments) {
    const uint32_t id = segment.slot->producer;
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

void RecordWriter::CountEntries(const std::vector<SealedSegment>& segments,
                                BlockTotals* totals) const {
  totals->entries_of_shard.assign(geometry_.num_shards, 0);
  for (const SealedSegment& segment : segments) {
    totals->entries_of_shard[segment.shard] +=
        format::FindWholeEntries(segment.data + format::kBlockHeaderBytes, segment.valid).entries;
  }
}

IoStatus RecordWriter::Write(io::File* file, uint64_t base, const BlockContext& context,
                             const std::vector<SealedSegment>& segments, BlockTotals* totals) {
  *totals = {};
  const uint64_t damaged_before = merger_.damaged();
  IoStatus status;
  try {
    StartMerging(segments);
    status = WriteLines(file, base, context, totals);
  } catch (const std::bad_alloc&) {
    status = {ENOMEM, "malloc"};
  }
  // Lines are not kept by halves: the next attempt writes all of them again.
  if (!status.ok()) {
    lines_->Abandon();
    *totals = {};
    return status;
  }
  chunk_.Trim();
  CountEntries(segments, totals);
  totals->damaged = merger_.damaged() - damaged_before;
  return {};
}

IoStatus RecordWriter::WriteLines(io::File* file, uint64_t base, const BlockContext& context,
                                  BlockTotals* totals) {
  IoStatus status = lines_->Start(file, base, context);
  for (bool more = true; more && status.ok();) {
    chunk_.Clear();
    more = merger_.Fill(&chunk_, kChunkBytes);
    if (chunk_.lines() == 0) continue;
    totals->entries += chunk_.lines();
    totals->payload += chunk_.size();
    status = lines_->Append(chunk_);
  }
  if (status.ok()) status = lines_->Finish();
  if (!status.ok()) return status;
  totals->bytes = lines_->end() - base;
  totals->blocks = lines_->blocks();
  if (lines_->framing() == record::Framing::kEntries) {
    totals->payload -= totals->entries * format::kEntryPrefixBytes;
  }
  return {};
}

bool RecordWriter::MayHaveWritten(const uint8_t* there, size_t size,
                                  const std::vector<SealedSegment>& segments) {
  if (size <= lines_->preamble()) return true;
  size -= lines_->preamble();
  StartMerging(segments);
  chunk_.Clear();
  while (chunk_.size() < size && merger_.Fill(&chunk_, size)) {
  }
  const size_t bytes = std::min(size, chunk_.size());
  return std::memcmp(there + lines_->preamble(), chunk_.data(), bytes) == 0;
}

}  // namespace shardlog::engine
