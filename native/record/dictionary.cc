#include "record/dictionary.h"

#include <bit>
#include <utility>

#include "format/block.h"
#include "record/wire.h"

namespace shardlog::record {
namespace {

constexpr size_t kFirstSlots = 256;

// Number of texts in [from, end), or -1 if they do not fill it exactly.
int64_t CountTexts(const uint8_t* from, const uint8_t* end) {
  int64_t texts = 0;
  while (from < end) {
    if (static_cast<size_t>(end - from) < kTextPrefixBytes) return -1;
    const TemplateText text = TextAt(from);
    if (text.size > static_cast<size_t>(end - text.bytes)) return -1;
    from = text.end();
    texts++;
  }
  return texts;
}

// Number of keys in a template's body, or -1 if it breaks section 4.
int64_t CountKeys(const uint8_t* body, size_t size) {
  constexpr int64_t kHeadAndMessage = 2;
  if (size < kTemplateHeadOffset) return -1;
  const uint8_t message_form = body[kTemplateMessageFormOffset];
  if (body[kTemplateTimeFormOffset] > static_cast<uint8_t>(TimeForm::kText)) return -1;
  if (message_form > static_cast<uint8_t>(MessageForm::kInRecord)) return -1;
  const uint8_t* const head = body + kTemplateHeadOffset;
  const int64_t texts = CountTexts(head, body + size);
  if (texts < kHeadAndMessage) return -1;
  const bool has_message = TextAt(TextAt(head).end()).size != 0;
  if (has_message && static_cast<MessageForm>(message_form) == MessageForm::kNone) return -1;
  return texts - kHeadAndMessage;
}

}  // namespace

void Dictionary::Reset() {
  used_ = 0;
  if (slots_.size() > kRetainedSlots) slots_ = {};
  if (++epoch_ != 0) return;
  for (Definition& definition : small_) definition.epoch = 0;
  for (Definition& definition : slots_) definition.epoch = 0;
  epoch_ = 1;
}

const uint8_t* Dictionary::Define(const uint8_t* from, const uint8_t* end) {
  if (static_cast<size_t>(end - from) < kDefinitionHeaderBytes) return nullptr;
  Definition definition;
  definition.id = format::Load<uint32_t>(from);
  definition.size = format::Load<uint32_t>(from + kDefinitionLengthOffset);
  definition.bytes = from + kDefinitionHeaderBytes;
  definition.epoch = epoch_;
  if (definition.id == kNoId) return nullptr;
  if (definition.size > static_cast<size_t>(end - definition.bytes)) return nullptr;
  switch (static_cast<Defines>(from[kDefinitionWhatOffset])) {
    case Defines::kString:
      definition.keys = Definition::kIsString;
      break;
    case Defines::kTemplate: {
      const int64_t keys = CountKeys(definition.bytes, definition.size);
      if (keys < 0) return nullptr;
      definition.keys = static_cast<uint32_t>(keys);
      break;
    }
    default:
      return nullptr;
  }
  Put(definition);
  return definition.bytes + definition.size;
}

void Dictionary::Put(const Definition& definition) {
  if (definition.id < kSmallIds) {
    small_[definition.id] = definition;
    return;
  }
  if (used_ * 2 >= slots_.size()) Grow();
  Definition* slot = SlotFor(definition.id);
  if (slot->epoch != epoch_) used_++;
  *slot = definition;
}

const Definition* Dictionary::FindLarge(uint32_t id) const {
  if (slots_.empty()) return nullptr;
  const size_t mask = slots_.size() - 1;
  for (size_t at = FirstSlot(id);; at = (at + 1) & mask) {
    if (slots_[at].epoch != epoch_) return nullptr;
    if (slots_[at].id == id) return &slots_[at];
  }
}

// Multiplicative hashing by the golden ratio (Knuth, The Art of Computer Programming 6.4): spreads
// ids that were given out in a row as well as ids with equal low bits.
size_t Dictionary::FirstSlot(uint32_t id) const {
  constexpr uint64_t kGolden = 0x9E3779B97F4A7C15u;
  return static_cast<size_t>(id * kGolden >> (64 - std::countr_zero(slots_.size())));
}

// The slot that holds `id`, or the free one to put it into.
Definition* Dictionary::SlotFor(uint32_t id) {
  const size_t mask = slots_.size() - 1;
  size_t at = FirstSlot(id);
  while (slots_[at].epoch == epoch_ && slots_[at].id != id) at = (at + 1) & mask;
  return &slots_[at];
}

void Dictionary::Grow() {
  std::vector<Definition> old(slots_.empty() ? kFirstSlots : slots_.size() * 2);
  std::swap(old, slots_);
  for (const Definition& definition : old) {
    if (definition.epoch == epoch_) *SlotFor(definition.id) = definition;
  }
}

}  // namespace shardlog::record
