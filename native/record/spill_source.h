// Where payloads lie that are too large for a segment (docs/reference/record-format.md,
// section 2.1).
#pragma once

#include <cstdint>
#include <memory>

#include "record/wire.h"

namespace shardlog::record {

class SpillSource {
 public:
  virtual ~SpillSource() = default;

  // The spilled.size bytes of a payload, the same ones each time; null if they cannot be had, or
  // are others than spilled.crc says. Throws std::bad_alloc.
  virtual std::shared_ptr<const uint8_t[]> Load(const Spilled& spilled) const = 0;
};

}  // namespace shardlog::record
