// Keeps an arena's file where recovery looks for it, and whole, whatever others do to it.
//
// Thread: the flusher.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "engine/arena_move.h"
#include "engine/buffer_sets.h"
#include "engine/error_reporter.h"
#include "io/file.h"

namespace shardlog::engine {

class ArenaWatch {
 public:
  // What to do about what the arena holds.
  struct Owner {
    // See MoveArena.
    IsBegun is_begun;
    CountAccepted count_accepted;
    // The words are going to be others.
    std::function<void()> begin;
    // They are, or stay as they are. How many entries are lost that were not so far.
    std::function<uint64_t(const MoveLosses& losses)> settle;
  };

  // `sets` and `errors` outlive it.
  ArenaWatch(BufferSets* sets, ErrorReporter* errors, Owner owner)
      : sets_(*sets), errors_(*errors), owner_(std::move(owner)) {}

  // Looks whether the file is whole, and the name still leads to it, and mends it: gives it its
  // name back, or moves the arena into a new file. Tells the listeners once that it was lost, and
  // what became of it. `log`: the log as it is now.
  void Look(const io::FileInfo& log);

  // As Look, if it has not been done for a while, or a thread has met what is missing.
  void LookNow(uint64_t now_ns, const io::FileInfo& log);

  // Whether what was found could not be mended yet.
  bool failing() const { return is_told_; }

 private:
  bool Repair(const io::FileInfo& log, FlushError* problem);
  bool Replace(const io::FileInfo& log, const std::string& lost, FlushError* problem);
  template <typename Move>
  void MoveOften(MoveLosses* losses, Move move);
  std::string Settle(const MoveLosses& losses);

  BufferSets& sets_;
  ErrorReporter& errors_;
  const Owner owner_;
  uint64_t tried_at_ns_ = 0;
  uint64_t looked_at_ns_ = 0;
  bool is_told_ = false;  // of the present loss, which could not be repaired yet
};

}  // namespace shardlog::engine
