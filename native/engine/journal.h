// The arena's journal: what its owner had brought into the log, and where.
//
// Thread: whoever writes the log; recovery reads it when nobody does.
#pragma once

#include "engine/arena_layout.h"

namespace shardlog::engine {

// Makes `state` the current one: until the last store, the one before is.
void StoreJournalState(ArenaHeader* header, JournalState state);

// The current state. False if there is none, or it is damaged.
bool LoadJournalState(const ArenaHeader& header, JournalState* state);

}  // namespace shardlog::engine
