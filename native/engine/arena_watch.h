// Keeps an arena's file where recovery looks for it, whatever others do to the name.
//
// Thread: the flusher.
#pragma once

#include <cstdint>

#include "engine/buffer_sets.h"
#include "engine/error_reporter.h"
#include "io/file.h"

namespace shardlog::engine {

class ArenaWatch {
 public:
  // `sets` and `errors` outlive it.
  ArenaWatch(BufferSets* sets, ErrorReporter* errors) : sets_(*sets), errors_(*errors) {}

  // Looks whether the name still leads to the file, and mends it: gives it its name back, or moves
  // the arena into a new file. Tells the listeners once that it was lost, and what became of it.
  // `log`: the log as it is now.
  void Look(const io::FileInfo& log);

  // As Look, if it has not been done for a while.
  void LookNow(uint64_t now_ns, const io::FileInfo& log);

 private:
  bool Repair(const io::FileInfo& log, FlushError* problem);
  void Notify(const FlushError& problem);

  BufferSets& sets_;
  ErrorReporter& errors_;
  uint64_t looked_at_ns_ = 0;
  bool is_told_ = false;  // of the present loss, which could not be repaired yet
};

}  // namespace shardlog::engine
