// The time of a line (docs/reference/record-format.md, section 3.1). Records come in bursts of the
// same millisecond, or at least second, so the last text is kept and only what changed is made
// anew.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "record/wire.h"

namespace shardlog::record {

class TimeText {
 public:
  // Room that Write needs at `to`.
  static constexpr size_t kBytes = 48;

  // Writes what kMilliseconds, kSeconds or kIso prints for `time` and returns its end; nullptr if
  // the form is another one, or kIso and the time is no Date's.
  char* Write(char* to, TimeForm form, double time);

 private:
  bool Make(TimeForm form, double time);

  std::array<char, kBytes> text_{};
  size_t size_ = 0;
  TimeForm form_ = TimeForm::kNone;  // of the text; kNone: there is none
  uint64_t time_bits_ = 0;
  int64_t second_ = -1;   // of the text, if it holds the milliseconds as three digits; or -1
  size_t millis_at_ = 0;  // where they are
};

}  // namespace shardlog::record
