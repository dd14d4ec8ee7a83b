// The last write of a log (docs/internals/memory-model.md, Close).
#pragma once

#include <functional>

#include "engine/sink.h"

namespace shardlog::engine {

// Writes everything there is and lets nothing be accepted any more. Signals::closed is set already.
// Ok if nothing was left unwritten; otherwise it waits in the arena's file, or is counted as lost
// if there is none. `mend` is called before each attempt: see ArenaWatch::Look.
IoStatus DrainAll(BufferSets* sets, Sink* sink, FlushStats* stats,
                  const std::function<void()>& mend);

}  // namespace shardlog::engine
