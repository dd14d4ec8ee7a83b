// A copy of a ring that threads are recording to, laid out as its file.
#pragma once

#include <cstddef>
#include <cstdint>

#include "recorder/ring.h"

namespace shardlog::recorder {

struct ImageReport {
  uint64_t runs = 0;    // that were copied
  uint64_t missed = 0;  // that were overwritten while they were copied
};

// Copies the header, the slots and the entries of the runs to `image`, which has room for the
// ring's file. Slots of what was not copied, or changed meanwhile, have the sequence 0, and nothing
// is copied for them. Runs begun after the call are left out, so that of each thread the image has
// an unbroken series of events. Disturbs nobody, and waits for nobody.
ImageReport CopyImage(const Ring& ring, uint8_t* image);

}  // namespace shardlog::recorder
