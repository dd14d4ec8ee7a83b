#include "engine/text_lines.h"

#include <cstring>

#include "engine/append_point.h"

namespace shardlog::engine {

IoStatus TextLines::Start(io::File* file, uint64_t base, const BlockContext&) {
  const uint64_t unit = format::AlignDown(base, file->alignment());
  pieces_.Start(file, unit);
  // What the unit holds already is written again with what follows it.
  held_ = base - unit;
  memory_.Reserve(file->alignment(), 0);
  if (held_ == 0) return {};
  const int error = ReadFully(file, memory_.data(), held_, unit);
  return error == 0 ? IoStatus{} : IoStatus{error, "pread"};
}

IoStatus TextLines::Append(const record::LineBuffer& chunk) {
  memory_.Reserve(held_ + chunk.size(), held_);
  std::memcpy(memory_.data() + held_, chunk.data(), chunk.size());
  held_ += chunk.size();
  const size_t whole = format::AlignDown(held_, pieces_.alignment());
  if (whole == 0) return {};
  pieces_.Add(memory_.data(), whole);
  const IoStatus status = pieces_.Write();
  if (!status.ok()) return status;
  held_ -= whole;
  std::memmove(memory_.data(), memory_.data() + whole, held_);
  return {};
}

IoStatus TextLines::Finish() {
  return WriteThroughCache(pieces_.file(), memory_.data(), held_, pieces_.offset());
}

}  // namespace shardlog::engine
