#include "sink/generation_encoder.h"

#include <algorithm>

#include "sink/block_encoder.h"
#include "sink/block_output.h"
#include "sink/line_encoder.h"
#include "sink/text_output.h"

namespace shardlog::engine {

std::unique_ptr<LineEncoder> MakeLineEncoder(Format format, const Geometry& geometry,
                                             Overlap overlap) {
  std::unique_ptr<LineOutput> lines;
  if (format == Format::kNdjson) {
    lines = std::make_unique<TextOutput>(overlap);
  } else {
    lines = std::make_unique<BlockOutput>(overlap);
  }
  return std::make_unique<LineEncoder>(geometry, std::move(lines));
}

std::unique_ptr<GenerationEncoder> MakeGenerationEncoder(Content content, Format format,
                                                         const Geometry& geometry,
                                                         Overlap overlap) {
  if (content == Content::kEntries) return std::make_unique<BlockEncoder>(geometry);
  return MakeLineEncoder(format, geometry, overlap);
}

}  // namespace shardlog::engine
