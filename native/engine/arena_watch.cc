#include "engine/arena_watch.h"

#include "engine/arena_file.h"
#include "engine/config.h"
#include "engine/error.h"

namespace shardlog::engine {
namespace {

constexpr uint64_t kBetweenLooksNs = 20 * kNsPerMs;
constexpr char kLost[] = "ERR_SHARDLOG_ARENA_LOST";
constexpr char kNothingLost[] = "nothing is lost";

void TellWhy(const Error& error, FlushError* problem) {
  problem->error_number = error.error_number();
  problem->call = error.call();
}

}  // namespace

void ArenaWatch::LookNow(uint64_t now_ns, const io::FileInfo& log) {
  if (now_ns - looked_at_ns_ < kBetweenLooksNs && sets_.arena().HasItsWords()) return;
  looked_at_ns_ = now_ns;
  sets_.arena().StayWatched();
  Look(log);
}

void ArenaWatch::Look(const io::FileInfo& log) {
  Arena& arena = sets_.arena();
  if (!arena.IsCut() && arena.HasItsName()) return;
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
  const std::string lost = "the arena " + arena.path() + " was renamed, deleted or replaced";
  if (arena.TakeNameBack()) {
    problem->message = lost + "; it has its name again, and nothing is lost";
    return true;
  }
  return Replace(log, lost, problem);
}

bool ArenaWatch::Replace(const io::FileInfo& log, const std::string& lost, FlushError* problem) {
  Arena& arena = sets_.arena();
  const bool is_cut = arena.IsCut();
  MoveLosses losses;
  try {
    if (!IsNamed(arena.path(), arena.fd())) MakeWay(arena.path(), log);
    MoveArena(&sets_, log, owner_.is_begun, &losses);
    // It may have been cut once more while it was moved.
    while (arena.IsCut()) {
      MoveLosses others;
      MoveArena(&sets_, log, owner_.is_begun, &others);
      losses.control |= others.control;
      losses.entries |= others.entries;
      losses.begun |= others.begun;
    }
    problem->message =
        lost + "; a new file has taken its place, and " + (is_cut ? Settle(losses) : kNothingLost);
    return true;
  } catch (const Error& error) {
    TellWhy(error, problem);
    problem->message = lost + ", and cannot be made again: " + error.what() +
                       "; until then a kill loses what is not flushed";
  }
  if (!is_cut) return false;
  try {
    MoveArenaToMemory(&sets_, owner_.is_begun, &losses);
    problem->message += "; " + Settle(losses);
  } catch (const Error& error) {
    // Producers go on in what was put in the place of what is missing, and the next look finds it.
    TellWhy(error, problem);
    problem->message += ", nor can memory be had for it: " + std::string(error.what());
  }
  return false;
}

std::string ArenaWatch::Settle(const MoveLosses& losses) {
  const uint64_t entries = owner_.settle(losses);
  if (entries == 0) return kNothingLost;
  return std::to_string(entries) + (entries == 1 ? " entry is lost" : " entries are lost");
}

}  // namespace shardlog::engine
