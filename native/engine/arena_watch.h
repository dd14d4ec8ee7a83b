// Keeps an arena's file where recovery looks for it, whatever others do to the name.
//
// Thread: the flusher.
#pragma once

#include <cstdint>

#include "engine/buffer_sets.h"
#include "engine/problems.h"
#include "io/file.h"

namespace shardlog::engine {

class ArenaWatch {
 public:
  // `sets` and `problems` outlive it.
  ArenaWatch(BufferSets* sets, Problems* problems) : sets_(*sets), problems_(*problems) {}

  // Looks whether the name still leads to the file, and mends it: gives it its name back, or moves
  // the arena into a new file. Tells the listeners once that it was lost, and what became of it.
  // `log`: the log as it is now.
  void Look(const io::FileInfo& log);

  // As Look, if it has not been done for a while.
  void LookNow(uint64_t now_ns, const io::FileInfo& log);

 private:
  bool Mend(const io::FileInfo& log, FlushProblem* problem);
  void Tell(const FlushProblem& problem);

  BufferSets& sets_;
  Problems& problems_;
  uint64_t looked_at_ns_ = 0;
  bool is_told_ = false;  // of the present loss, which could not be mended yet
};

}  // namespace shardlog::engine
