// Renders the records of one segment, one line after the other (docs/reference/record-format.md).
//
// Safe on any bytes: reads nothing outside of the segment, and what breaks the page is counted and
// passed over (K3). A renderer is used by one thread at a time, for one segment after the other;
// when its tables have grown to what the segments hold, it allocates nothing.
//
// Definitions that a damaged BUNDLE holds before what is wrong with it count, so that a later
// record is not lost for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "record/dictionary.h"
#include "record/line_buffer.h"
#include "record/spill_source.h"
#include "record/time_text.h"
#include "record/values.h"
#include "record/wire.h"

namespace shardlog::record {

class SegmentRenderer {
 public:
  // Starts with the entries of a segment, [entries, entries + valid), which must stay as they are
  // until the next Open. Forgets the definitions of the segment before.
  // `spills`: where its spilled payloads are; null: they are damaged.
  void Open(const uint8_t* entries, size_t valid, const SpillSource* spills = nullptr);

  // Starts with a payload that stands alone, and moves to it. False if it has no time.
  bool OpenPayload(const uint8_t* payload, size_t size);

  // Moves to the next payload that has a time. False at the end of the segment. A length prefix
  // that breaks R2 is damage and ends the segment.
  bool Next();

  // ms since the epoch, any double, of the payload that Next moved to.
  double time() const { return time_; }

  // Appends the line of that payload, once. False if the payload is damaged: then nothing is
  // appended. Throws std::bad_alloc.
  bool Append(LineBuffer* out);

  // Payloads found damaged since construction.
  uint64_t damaged() const { return damaged_; }

 private:
  // What a line is made of; texts are empty where there is none.
  struct Parts {
    TimeForm time_form;
    MessageForm message_form;
    uint32_t count;  // of keys
    Text head;
    Text time_text;  // only with TimeForm::kText
    Text bindings;
    Text message;         // whole, or only its key with MessageForm::kInRecord
    const uint8_t* keys;  // each behind its length
    size_t keys_size;
    Source values;  // and what follows them
  };

  size_t payload_size() const { return static_cast<size_t>(at_ - payload_); }

  bool Enter(const uint8_t* payload);
  bool EnterRecord(const uint8_t* record);
  bool EnterBundle(const uint8_t* payload);
  bool Render(LineBuffer* out);
  void AppendText(LineBuffer* out) const;
  bool AppendSpilled(LineBuffer* out);
  bool AppendRecord(LineBuffer* out);
  bool FindParts(const RecordHeader& header, Parts* parts) const;
  bool FindTemplate(uint32_t id, Parts* parts) const;
  size_t Bound(const Parts& parts) const;
  char* WriteLine(char* to, double time, Parts* parts);
  char* WriteTime(char* to, double time, const Parts& parts);

  Dictionary dictionary_;
  TimeText time_text_;
  // The payload that Next moved to, which ends at at_: a TEXT, or a RECORD without the bundle
  // around it. Apart from at_, so that a compiler does not load both at once: they are stored one
  // by one, and the load would wait until these stores, and all those of the line before, are in
  // the cache.
  const uint8_t* payload_ = nullptr;
  double time_ = 0;
  const uint8_t* at_ = nullptr;   // the next entry
  const uint8_t* end_ = nullptr;  // of the segment
  uint64_t damaged_ = 0;
  const SpillSource* spills_ = nullptr;
  std::unique_ptr<SegmentRenderer> of_spilled_;  // made when it is needed
};

}  // namespace shardlog::record
