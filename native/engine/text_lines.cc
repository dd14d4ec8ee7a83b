#include "engine/text_lines.h"

#include <algorithm>

#include "engine/append_point.h"
#include "engine/copy_past_caches.h"

namespace shardlog::engine {

IoStatus TextLines::Start(io::File* file, uint64_t base, const BlockContext&) {
  const size_t alignment = file->alignment();
  const uint64_t unit = format::AlignDown(base, alignment);
  writer_.Start(file, unit);
  most_ = format::AlignDown(kWriteBytes, alignment);
  // What the unit holds already is written again with what follows it.
  used_ = base - unit;
  rest_ = 0;
  if (used_ == 0) return {};
  memory().Reserve(alignment, 0);
  const int error = ReadFully(file, memory().data(), used_, unit);
  return error == 0 ? IoStatus{} : IoStatus{error, "pread"};
}

IoStatus TextLines::Append(const record::LineBuffer& chunk) {
  for (size_t from = 0; from < chunk.size();) {
    const size_t bytes = std::min(chunk.size() - from, most_ - used_);
    memory().Reserve(used_ + bytes, used_);
    CopyPastCaches(memory().data() + used_, chunk.data() + from, bytes);
    used_ += bytes;
    from += bytes;
    if (used_ < most_) continue;
    const IoStatus status = writer_.Put(memory().data(), used_);
    if (!status.ok()) return status;
    writer_.Proceed();
    turn_ = 1 - turn_;
    used_ = 0;
  }
  return {};
}

IoStatus TextLines::Finish() {
  const size_t whole = format::AlignDown(used_, writer_.alignment());
  IoStatus status = writer_.Put(memory().data(), whole);
  if (status.ok()) status = writer_.Finish();
  if (!status.ok()) return status;
  rest_ = used_ - whole;
  return WriteThroughCache(writer_.file(), memory().data() + whole, rest_, writer_.offset());
}

}  // namespace shardlog::engine
