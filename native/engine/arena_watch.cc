#include "engine/arena_watch.h"

#include "engine/arena_file.h"
#include "engine/config.h"
#include "engine/error.h"
#include "platform/clock.h"

namespace shardlog::engine {
namespace {

constexpr uint64_t kBetweenLooksNs = 20 * kNsPerMs;
constexpr uint64_t kBetweenTriesNs = 100 * kNsPerMs;
constexpr char kLost[] = "ERR_SHARDLOG_ARENA_LOST";
constexpr char kNothingLost[] = "nothing is lost";

void TellWhy(const Error& error, FlushError* problem) {
  problem->error_number = error.error_number();
  problem->call = error.call();
}

}  // namespace

void ArenaWatch::LookNow(uint64_t now_ns, const io::FileInfo& log) {
  const Arena& arena = sets_.arena();
  const bool is_new = arena.is_private() && !arena.is_lost();
  const bool may_wait = failing() || (arena.HasItsWords() && !is_new);
  if (now_ns - looked_at_ns_ < kBetweenLooksNs && may_wait) return;
  looked_at_ns_ = now_ns;
  sets_.arena().StayWatched();
  Look(log);
}

void ArenaWatch::Look(const io::FileInfo& log) {
  Arena& arena = sets_.arena();
  const bool is_cut = arena.IsCut();
  if (!is_cut && !arena.is_private() && arena.HasItsName()) return;
  // While it waits for room, it takes what there is only now and then.
  const uint64_t now_ns = platform::MonotonicNs();
  if (!is_cut && arena.is_private() && is_told_ && now_ns - tried_at_ns_ < kBetweenTriesNs) return;
  tried_at_ns_ = now_ns;
  FlushError problem{kLost, "", arena.path(), 0, ""};
  const bool repaired = Repair(log, &problem);
  arena.set_is_lost(!repaired);
  if (repaired || !is_told_) errors_.Report(problem);
  is_told_ = !repaired;
}

bool ArenaWatch::Repair(const io::FileInfo& log, FlushError* problem) {
  Arena& arena = sets_.arena();
  if (arena.IsCut()) {
    return Replace(log, "the arena " + arena.path() + " was cut by another program", problem);
  }
  if (arena.is_private()) {
    return Replace(log, "the file system of the arena " + arena.path() + " has no room for it",
                   problem);
  }
  const std::string lost = "the arena " + arena.path() + " was renamed, deleted or replaced";
  if (arena.TakeNameBack()) {
    problem->message = lost + "; it has its name again, and nothing is lost";
    return true;
  }
  return Replace(log, lost, problem);
}

bool ArenaWatch::Replace(const io::FileInfo& log, const std::string& lost, FlushError* problem) {
  Arena& arena = sets_.arena();
  owner_.begin();
  MoveLosses losses;
  bool is_moved = false;
  try {
    if (!IsNamed(arena.path(), arena.fd())) MakeWay(arena.path(), log);
    MoveOften(&losses, [&](MoveLosses* found) {
      MoveArena(&sets_, log, owner_.is_begun, found, owner_.count_accepted);
    });
    is_moved = true;
    problem->message = lost + "; a new file has taken its place, and ";
  } catch (const Error& error) {
    TellWhy(error, problem);
    problem->message = lost + ", and cannot be made again: " + error.what() +
                       "; until then a kill loses what is not flushed; ";
  }
  if (!is_moved && arena.IsCut()) {
    try {
      MoveOften(&losses, [&](MoveLosses* found) {
        MoveArenaToMemory(&sets_, owner_.is_begun, found, owner_.count_accepted);
      });
    } catch (const Error& error) {
      // Nothing is accepted in what was put in the place of what is missing. The next look tries.
      TellWhy(error, problem);
      problem->message += "nor can memory be had for it: " + std::string(error.what()) + "; ";
    }
  }
  problem->message += Settle(losses);
  return is_moved;
}

// It may be cut once more while it is moved.
template <typename Move>
void ArenaWatch::MoveOften(MoveLosses* losses, Move move) {
  do {
    MoveLosses found;
    move(&found);
    losses->cut |= found.cut;
    losses->control |= found.control;
    losses->entries |= found.entries;
    losses->begun |= found.begun;
    losses->accepted = found.cut ? found.accepted : losses->accepted;
    losses->waiting = found.cut ? found.waiting : losses->waiting;
  } while (sets_.arena().IsCut());
}

std::string ArenaWatch::Settle(const MoveLosses& losses) {
  const uint64_t entries = owner_.settle(losses);
  if (entries == 0) return kNothingLost;
  return std::to_string(entries) + (entries == 1 ? " entry is lost" : " entries are lost");
}

}  // namespace shardlog::engine
