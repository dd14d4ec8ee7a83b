#include "engine/text_lines.h"

#include <cstring>

#include "engine/append_point.h"

namespace shardlog::engine {

IoStatus TextLines::Start(io::File* file, uint64_t base, const BlockContext&) {
  const uint64_t unit = format::AlignDown(base, file->alignment());
  writer_.Start(file, unit);
  // What the unit holds already is written again with what follows it.
  rest_bytes_ = base - unit;
  first_.Reserve(file->alignment(), 0);
  rest_ = reinterpret_cast<const char*>(first_.data());
  if (rest_bytes_ == 0) return {};
  const int error = ReadFully(file, first_.data(), rest_bytes_, unit);
  return error == 0 ? IoStatus{} : IoStatus{error, "pread"};
}

void TextLines::Begin(record::LineBuffer* chunk) {
  writer_.Proceed();
  chunk->Clear(rest_bytes_);
  if (rest_bytes_ != 0) std::memcpy(chunk->head(), rest_, rest_bytes_);
}

IoStatus TextLines::Append(record::LineBuffer* chunk) {
  const size_t bytes = rest_bytes_ + chunk->size();
  const size_t whole = format::AlignDown(bytes, writer_.alignment());
  rest_ = chunk->head() + whole;
  rest_bytes_ = bytes - whole;
  return writer_.Put(chunk->head(), whole);
}

IoStatus TextLines::Finish() {
  const IoStatus status = writer_.Finish();
  if (!status.ok()) return status;
  return WriteThroughCache(writer_.file(), reinterpret_cast<const uint8_t*>(rest_), rest_bytes_,
                           writer_.offset());
}

}  // namespace shardlog::engine
