// Gives a log whose arena has lost its file, or a part of it, another one, while producers log.
#pragma once

#include <functional>

#include "engine/buffer_sets.h"
#include "io/file.h"

namespace shardlog::engine {

// What of the arena was gone.
struct MoveLosses {
  bool cut = false;      // something was, though it may have held nothing
  bool control = false;  // its words: nothing of what it held can be told
  bool entries = false;
  bool begun = false;  // all of a generation of which a part is in the log already
  // When nothing could be accepted: entries that had been, and those that wait, of which the log
  // has none. Of an arena that was cut.
  uint64_t accepted = 0;
  uint64_t waiting = 0;
};

// Moves the arena into a new file under its name, at the same addresses: entries that were accepted
// are in the new file before the next one is. What another program has cut out of the file is lost;
// *losses tells. Producers that log meanwhile wait for it, some milliseconds. `is_begun` tells of a
// generation whether a part of it is in the log already, so that it cannot be gone on with if any
// of it is lost. Step *move* of docs/internals/memory-model.md. Flusher. Throws Error as
// Arena::Create does; the arena goes on where it is then.
// `count_accepted`: how many entries producers have had accepted; none: nobody asks.
using IsBegun = std::function<bool(uint64_t generation)>;
using CountAccepted = std::function<uint64_t()>;
void MoveArena(BufferSets* sets, const io::FileInfo& log, const IsBegun& is_begun,
               MoveLosses* losses, const CountAccepted& count_accepted = {});

// The same, into memory: where no file can be made, and the one there is does not hold what is
// stored.
void MoveArenaToMemory(BufferSets* sets, const IsBegun& is_begun, MoveLosses* losses,
                       const CountAccepted& count_accepted = {});

}  // namespace shardlog::engine
