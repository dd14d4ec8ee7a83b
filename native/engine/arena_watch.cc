#include "engine/arena_watch.h"

#include "engine/arena_file.h"
#include "engine/arena_move.h"
#include "engine/config.h"
#include "engine/error.h"

namespace shardlog::engine {
namespace {

constexpr uint64_t kBetweenLooksNs = 20 * kNsPerMs;
constexpr char kLost[] = "ERR_SHARDLOG_ARENA_LOST";

}  // namespace

void ArenaWatch::LookNow(uint64_t now_ns, const io::FileInfo& log) {
  if (now_ns - looked_at_ns_ < kBetweenLooksNs) return;
  looked_at_ns_ = now_ns;
  Look(log);
}

void ArenaWatch::Look(const io::FileInfo& log) {
  Arena& arena = sets_.arena();
  if (arena.HasItsName()) return;
  FlushError problem{kLost, "", arena.path(), 0, ""};
  const bool repaired = Repair(log, &problem);
  arena.set_is_lost(!repaired);
  // The set that is being written is written first.
  if (!repaired && problem.message.empty()) return;
  if (repaired || !is_told_) errors_.Report(problem);
  is_told_ = !repaired;
}

bool ArenaWatch::Repair(const io::FileInfo& log, FlushError* problem) {
  Arena& arena = sets_.arena();
  const std::string lost = "the arena " + arena.path() + " was renamed, deleted or replaced";
  if (arena.TakeNameBack()) {
    problem->message = lost + "; it has its name again, and nothing is lost";
    return true;
  }
  try {
    if (!CanMoveArena(sets_)) return false;
    MakeWay(arena.path(), log);
    if (!MoveArena(&sets_, log)) return false;
    problem->message = lost + "; a new file has taken its place, and nothing is lost";
    return true;
  } catch (const Error& error) {
    problem->message = lost + ", and cannot be made again: " + error.what() +
                       "; until then a kill loses what is not flushed";
    problem->error_number = error.error_number();
    problem->call = error.call();
    return false;
  }
}

}  // namespace shardlog::engine
