// Gives a log whose arena has lost its file another one, while producers log.
#pragma once

#include "engine/buffer_sets.h"
#include "io/file.h"

namespace shardlog::engine {

// Moves the arena into a new file under its name, at the same addresses: entries that were accepted
// are in the new file before the next one is. Needs a free set: false if there is none, until the
// flusher has written the other one. Producers that log meanwhile wait for it, some milliseconds.
// Step *move* of docs/internals/memory-model.md. Flusher. Throws Error as Arena::Create does; the
// arena goes on where it is then.
bool MoveArena(BufferSets* sets, const io::FileInfo& log);

}  // namespace shardlog::engine
