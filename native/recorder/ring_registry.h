// The rings of this process: threads that open one path share one ring.
#pragma once

#include <memory>

#include "recorder/ring.h"

namespace shardlog::recorder {

// Opens the ring at the path, or joins it if this process has it open; each in memory is one of its
// own. Throws engine::Error: ERR_SHARDLOG_CONFIG if it is open with another size, or of
// another kind.
std::shared_ptr<Ring> JoinRing(const RingOptions& options);

// The end of a join. The last one closes the file: removes it, or keeps it if one of all asked for
// that.
void LeaveRing(const std::shared_ptr<Ring>& ring, bool keep);

}  // namespace shardlog::recorder
