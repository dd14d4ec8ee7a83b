// Gives a log whose arena has lost its file another one, while producers log.
#pragma once

#include "engine/buffer_sets.h"
#include "io/file.h"

namespace shardlog::engine {

// Whether the arena can be moved now: a set is free, or was written and is not recycled yet.
// Flusher.
bool CanMoveArena(const BufferSets& sets);

// Moves the arena into a new file under its name, at the same addresses: entries that were accepted
// are in the new file before the next one is. False if CanMoveArena says no, or producers have
// begun with the free set meanwhile. What was written is recycled by it, also where it fails.
// Producers that log meanwhile wait for it, some milliseconds. Step *move* of
// docs/internals/memory-model.md. Flusher. Throws Error as Arena::Create does; the arena goes on
// where it is then.
bool MoveArena(BufferSets* sets, const io::FileInfo& log);

}  // namespace shardlog::engine
