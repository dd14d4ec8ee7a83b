#include "engine/drain.h"

#include <algorithm>

namespace shardlog::engine {
namespace {

constexpr int kAttemptsAtClose = 3;

// What cannot be written waits in the arena's file for the next opening; without one it is lost,
// and counted. In either case nothing more is accepted.
void LeaveForRecovery(BufferSets* sets, Sink* sink, FlushStats* stats) {
  uint64_t waiting = 0;
  for (uint64_t g = sets->written(); g <= sets->active(); g++) {
    sets->Seal(g, 0);
    waiting += sets->CountWaiting(g);
  }
  if (sets->arena().path().empty() || sets->arena().is_lost()) {
    // What the last attempt got out whole stays there; with an arena, recovery writes it again.
    const uint64_t kept = sink->CommitPartial();
    stats->lost_entries.Add(waiting - std::min(waiting, kept));
  } else {
    stats->left_entries.Add(waiting);
  }
  sink->Finish();
}

}  // namespace

// Every generation below the active one, then the active one and the one after it, which a producer
// that had not yet seen Signals::closed might be swapping to. Neither is recycled, so that nobody
// swaps again.
IoStatus DrainAll(BufferSets* sets, Sink* sink, FlushStats* stats,
                  const std::function<void()>& mend) {
  bool last_swap_done = false;
  IoStatus status;
  for (int attempt = 0; attempt < kAttemptsAtClose; attempt++) {
    mend();
    status = {};
    while (status.ok() && !last_swap_done && sets->recycled() < sets->active()) {
      status = sink->Write(sets->recycled(), true);
    }
    if (!status.ok()) continue;
    // Of the generation just recycled: if a late producer has swapped meanwhile, that was the last
    // swap.
    if (!last_swap_done) {
      last_swap_done = sets->TrySwap(sets->recycled());
      stats->closing_swaps.Add(last_swap_done ? 1 : 0);
    }
    while (status.ok() && sets->written() <= sets->active()) {
      status = sink->Write(sets->written(), false);
    }
    if (status.ok()) {
      sink->Finish();
      return status;
    }
  }
  LeaveForRecovery(sets, sink, stats);
  return status;
}

}  // namespace shardlog::engine
