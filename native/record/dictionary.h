// What the ids of one segment stand for (docs/reference/record-format.md, section 4).
//
// Definitions point into the segment's memory. Ids below kSmallIds are looked up in an array; the
// others in a hash table whose size follows the number of definitions in the segment, whatever
// their values. Memory is kept from segment to segment, up to kRetainedSlots.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "format/block.h"
#include "record/wire.h"

namespace shardlog::record {

struct Definition {
  const uint8_t* bytes = nullptr;  // the body
  uint32_t size = 0;
  uint32_t keys = 0;   // of a template; kIsString for a string
  uint32_t id = 0;     // used by the hash table only
  uint32_t epoch = 0;  // the segment it is of; older ones are none

  static constexpr uint32_t kIsString = 0xFFFFFFFFu;
  bool is_string() const { return keys == kIsString; }
};

// A text of a template, and what stands behind it.
struct TemplateText {
  const uint8_t* bytes;
  size_t size;
  const uint8_t* end() const { return bytes + size; }
};

// The text whose length is at `from`. It lies in the template's body if Dictionary took that.
inline TemplateText TextAt(const uint8_t* from) {
  return {from + kTextPrefixBytes, format::Load<uint16_t>(from)};
}

class Dictionary {
 public:
  static constexpr uint32_t kSmallIds = 1024;
  static constexpr size_t kRetainedSlots = 16384;

  Dictionary() : small_(kSmallIds) {}

  // Forgets all definitions. Costs nothing but every 2^32nd time.
  void Reset();

  // Reads one definition from [from, end) and puts it in the place of an earlier one of the same
  // id. Returns where it ends, or nullptr if it breaks section 4; then nothing is changed.
  const uint8_t* Define(const uint8_t* from, const uint8_t* end);

  // The string or template `id`, or nullptr. Valid until the next Define or Reset.
  const Definition* String(uint32_t id) const {
    const Definition* found = Find(id);
    return found != nullptr && found->is_string() ? found : nullptr;
  }
  const Definition* Template(uint32_t id) const {
    const Definition* found = Find(id);
    return found != nullptr && !found->is_string() ? found : nullptr;
  }

  size_t slots() const { return slots_.size(); }  // for the tests of its bounds

 private:
  const Definition* Find(uint32_t id) const {
    if (id < kSmallIds) return small_[id].epoch == epoch_ ? &small_[id] : nullptr;
    return FindLarge(id);
  }
  const Definition* FindLarge(uint32_t id) const;
  void Put(const Definition& definition);
  size_t FirstSlot(uint32_t id) const;
  Definition* SlotFor(uint32_t id);
  void Grow();

  std::vector<Definition> small_;
  std::vector<Definition> slots_;  // open addressing; empty, or a power of two of them
  size_t used_ = 0;                // slots of this epoch
  uint32_t epoch_ = 1;
};

}  // namespace shardlog::record
