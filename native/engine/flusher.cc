#include "engine/flusher.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "engine/drain.h"
#include "platform/background_thread.h"
#include "platform/clock.h"
#include "platform/futex.h"
#include "platform/standard_error.h"

namespace shardlog::engine {
namespace {

constexpr uint64_t kFirstRetryPauseNs = 10 * kNsPerMs;
constexpr uint64_t kMaxRetryPauseNs = 1'000 * kNsPerMs;
constexpr uint64_t kNoTick = UINT64_MAX;
constexpr uint64_t kNotYet = UINT64_MAX;  // target of a flush

// Words that come back as zeroes wake nobody. Who waits for a flush does not wait for good.
constexpr uint64_t kLongestSleepWhileAwaitedNs = 20 * kNsPerMs;

// Counts a flush that somebody waits for, as long as it lives.
class Awaited {
 public:
  // [MM event-signal] release: the flusher that is woken next does not sleep for long.
  explicit Awaited(std::atomic<uint32_t>* count) : count_(*count) {
    count_.fetch_add(1, std::memory_order_release);  // [MM event-signal]
  }
  ~Awaited() { count_.fetch_sub(1, std::memory_order_relaxed); }  // [MM counter]
  Awaited(const Awaited&) = delete;
  Awaited& operator=(const Awaited&) = delete;

 private:
  std::atomic<uint32_t>& count_;
};

}  // namespace

Flusher::Flusher(std::shared_ptr<BufferSets> sets, std::shared_ptr<Signals> signals,
                 const Config& config, const OpenSink& open)
    : sets_(std::move(sets)),
      signals_(std::move(signals)),
      flush_interval_ns_(config.flush_interval_ns),
      name_(config.path),
      sink_(open(&stats_, &errors_)),
      watch_(sets_.get(), &errors_,
             {[this](uint64_t generation) { return sink_->HasBegun(generation); },
              [this] { return count_accepted_ ? count_accepted_() : 0; },
              // [MM event-signal] release: who sees the new words sees this, too.
              [this] { moves_begun_.fetch_add(1, std::memory_order_release); },
              [this](const MoveLosses& losses) { return SettleMove(losses); }}) {
  stats_.entries_of_shard = std::vector<Counter>(config.num_shards);
  signals_->errors = &errors_;
  sink_->set_before_wait([this] { return SettleOverBudget(); });
}

Flusher::~Flusher() { Stop(); }

void Flusher::Start() {
  sets_->arena().WakeWhenCut(&signals_->work);
  sets_->spills().RemoveOrphans();
  thread_ = platform::StartBackgroundThread("shardlog-flush", [this] { Run(); });
}

// Asks for everything accepted so far to be written.
Flusher::Wanted Flusher::Want() {
  Wanted wanted;
  wanted.since_ns = platform::MonotonicNs();
  // [MM event-wait] acquire: what was lost before is no concern of this flush.
  wanted.lost_before = lost_in_cuts_.load(std::memory_order_acquire);
  Aim(&wanted);
  return wanted;
}

void Flusher::Aim(Wanted* wanted) {
  // [MM event-wait] acquire: words that are read after this are those of that move, or later.
  wanted->moves_before = moves_done_.load(std::memory_order_acquire);
  const uint64_t generation = sets_->active();
  const uint64_t target = sets_->HasEntries(generation) ? generation + 1 : generation;
  // [MM event-wait] acquire: a request made after this was not wiped by the failure counted here.
  wanted->failed_before = attempts_failed_.load(std::memory_order_acquire);
  wanted->target = target;
  // Aimed at once more when that is done, which the flusher does at its next step.
  if (IsMoving(*wanted) || !sets_->arena().HasItsWords()) {
    wanted->target = kNotYet;
    return;
  }
  // [MM counter] relaxed: the exchange below is what the flusher sees.
  uint64_t seen = requested_.load(std::memory_order_relaxed);
  // [MM swap] release: the flusher that reads the request sees the entries it is about.
  while (seen < target &&
         !requested_.compare_exchange_weak(seen, target, std::memory_order_acq_rel)) {
  }
}

bool Flusher::IsLost(const Wanted& wanted) const {
  // [MM event-wait] acquire: pairs with SettleMove.
  return lost_in_cuts_.load(std::memory_order_acquire) != wanted.lost_before;
}

// Whether the words may be others since the flush was aimed.
bool Flusher::IsMoving(const Wanted& wanted) const {
  // [MM event-wait] acquire: pairs with the beginning of a move.
  return moves_begun_.load(std::memory_order_acquire) != wanted.moves_before;
}

bool Flusher::IsSettled(Wanted* wanted, IoStatus* status) {
  *status = {};
  // [MM event-wait] acquire: in the child of fork() nobody writes.
  if (abandoned_.load(std::memory_order_acquire)) return true;
  // The arena's words may be gone at the end.
  // [MM event-wait] acquire: pairs with the end of the flusher; end_status_ is there.
  if (ended_.load(std::memory_order_acquire)) {
    const std::lock_guard<std::mutex> lock(end_mutex_);
    *status = end_status_;
    if (!status->ok() || !IsLost(*wanted)) return true;
  } else if (!IsLost(*wanted)) {
    // [MM event-wait] acquire: generations may have other numbers now.
    if (moves_done_.load(std::memory_order_acquire) != wanted->moves_before) {
      // An attempt that has failed since the flush began still ends it.
      const uint64_t failed_before = wanted->failed_before;
      Aim(wanted);
      wanted->failed_before = failed_before;
      signals_->work.Signal();
    }
    // The words may have become others before they were read.
    if (sets_->written() >= wanted->target && !IsMoving(*wanted) && !IsLost(*wanted)) return true;
    // [MM counter] relaxed: what failed is told under the reporter's lock, this only ends the wait.
    if (attempts_failed_.load(std::memory_order_relaxed) == wanted->failed_before) return false;
  }
  const FlushError problem = errors_.last();
  *status = {problem.error_number == 0 ? EIO : problem.error_number, "flush"};
  return true;
}

IoStatus Flusher::Flush() {
  const Awaited awaited(&awaited_);
  Wanted wanted = Want();
  signals_->work.Signal();
  for (;;) {
    const uint32_t epoch = signals_->progress.Epoch();
    IoStatus status;
    if (IsSettled(&wanted, &status)) return status;
    const uint64_t budget_ns = sink_->WaitBudgetNs(wanted.since_ns);
    if (budget_ns == 0) {
      errors_.SetLast(sink_->StallError());
      return {ETIMEDOUT, "poll"};
    }
    signals_->progress.Wait(epoch, budget_ns);
  }
}

void Flusher::FlushThen(Settle settle) {
  Wanted wanted = Want();
  wanted.settle = std::move(settle);
  {
    const std::lock_guard<std::mutex> lock(waiters_mutex_);
    waiters_.push_back(std::move(wanted));
    // [MM event-signal] release: the flusher that is woken next does not sleep for long.
    awaited_.fetch_add(1, std::memory_order_release);
  }
  signals_->work.Signal();
  // A flusher that waits for a reader learns how long it may.
  sink_->Nudge();
  // What came about before the waiter was there is told here.
  SettleWaiters();
}

void Flusher::SettleWaiters() {
  std::vector<std::pair<Settle, IoStatus>> settled;
  {
    const std::lock_guard<std::mutex> lock(waiters_mutex_);
    std::erase_if(waiters_, [&](Wanted& wanted) {
      IoStatus status;
      if (!IsSettled(&wanted, &status)) return false;
      settled.emplace_back(std::move(wanted.settle), status);
      awaited_.fetch_sub(1, std::memory_order_relaxed);  // [MM counter]
      return true;
    });
  }
  for (const auto& [settle, status] : settled) settle(status);
}

// While a reader takes nothing: ends the waits that have lasted long enough. For how long (ns) the
// others may.
uint64_t Flusher::SettleOverBudget() {
  uint64_t least_ns = platform::kForever;
  std::vector<Settle> settled;
  {
    const std::lock_guard<std::mutex> lock(waiters_mutex_);
    std::erase_if(waiters_, [&](Wanted& wanted) {
      const uint64_t budget_ns = sink_->WaitBudgetNs(wanted.since_ns);
      least_ns = budget_ns == 0 ? least_ns : std::min(least_ns, budget_ns);
      if (budget_ns != 0) return false;
      settled.push_back(std::move(wanted.settle));
      awaited_.fetch_sub(1, std::memory_order_relaxed);  // [MM counter]
      return true;
    });
  }
  if (!settled.empty()) errors_.SetLast(sink_->StallError());
  for (const Settle& settle : settled) settle({ETIMEDOUT, "poll"});
  return least_ns;
}

void Flusher::LookForFile() {
  // [MM swap] release: pairs with the flusher's reading.
  const uint64_t wanted = looks_wanted_.fetch_add(1, std::memory_order_acq_rel) + 1;
  signals_->work.Signal();
  for (;;) {
    const uint32_t epoch = signals_->progress.Epoch();
    // [MM event-wait] acquire: what the flusher did before is done.
    if (looks_done_.load(std::memory_order_acquire) >= wanted) return;
    if (ended_.load(std::memory_order_acquire)) return;  // [MM event-wait]
    signals_->progress.Wait(epoch, platform::kForever);
  }
}

// Who asks during a look may have moved the file behind it, and waits for the next one.
void Flusher::LookIfAsked() {
  // [MM swap] acquire: pairs with LookForFile.
  const uint64_t wanted = looks_wanted_.load(std::memory_order_acquire);
  // [MM counter] relaxed: this thread's own.
  if (wanted == looks_done_.load(std::memory_order_relaxed)) return;
  sink_->LookForFile();
  // [MM event-signal] release: pairs with LookForFile.
  looks_done_.store(wanted, std::memory_order_release);
  signals_->progress.Signal();
}

IoStatus Flusher::FlushAtEnd(bool* broken) {
  sink_->BeginShutdown();
  // [MM counter] relaxed: only the flusher adds to it, before it settles the flush.
  const uint64_t lost_before = lost_in_cuts_.load(std::memory_order_relaxed);
  const IoStatus status = Flush();
  // Listeners are not told any more.
  SayLost(lost_in_cuts_.load(std::memory_order_relaxed) - lost_before);  // [MM counter]
  *broken = sink_->broken();
  return status;
}

IoStatus Flusher::Stop() {
  if (!thread_.joinable()) {
    const std::lock_guard<std::mutex> lock(end_mutex_);
    return end_status_;
  }
  // Before the flusher is told of the end, behind which the sink is closed.
  sink_->BeginShutdown();
  // [MM closed] release: pairs with the flusher's reading.
  stopping_.store(true, std::memory_order_release);
  signals_->work.Signal();
  thread_.join();
  signals_->room.Signal();
  signals_->progress.Signal();
  const std::lock_guard<std::mutex> lock(end_mutex_);
  return end_status_;
}

void Flusher::Run() {
  uint64_t next_tick = platform::MonotonicNs() + flush_interval_ns_;
  // [MM closed] acquire: pairs with Stop.
  while (!stopping_.load(std::memory_order_acquire)) {
    const uint32_t epoch = signals_->work.Epoch();
    sets_->pages().Touch();
    const uint64_t now = platform::MonotonicNs();
    watch_.LookNow(now, sink_->file_info());
    if (watch_.failing() && !sets_->arena().HasItsWords()) FailFlushes();
    LookIfAsked();
    uint64_t wake_at = UINT64_MAX;
    if (Step(now, &next_tick, &wake_at)) continue;
    if (stopping_.load(std::memory_order_acquire)) break;  // [MM closed]
    uint64_t sleep_ns = wake_at == UINT64_MAX ? platform::kForever : wake_at - now;
    // [MM event-wait] acquire: pairs with the counting.
    if (awaited_.load(std::memory_order_acquire) != 0) {
      sleep_ns = std::min(sleep_ns, kLongestSleepWhileAwaitedNs);
    }
    signals_->work.Wait(epoch, sleep_ns);
  }
  const uint64_t lost_before = stats_.lost_entries.Read();
  // [MM counter] relaxed: this thread's own.
  const uint64_t cut_before = lost_in_cuts_.load(std::memory_order_relaxed);
  // Nobody writes into it any more.
  while (sets_->recycled() < std::min(sets_->written(), sets_->active())) {
    sets_->Recycle(sets_->recycled());
  }
  const auto mend = [this] { watch_.Look(sink_->file_info()); };
  const IoStatus status = DrainAll(sets_.get(), sink_.get(), &stats_, mend);
  sets_->arena().WakeWhenCut(nullptr);
  // What a reader has not taken that went away first is only counted.
  SayLost(status.ok() ? lost_in_cuts_.load(std::memory_order_relaxed) - cut_before  // [MM counter]
                      : stats_.lost_entries.Read() - lost_before);
  // The lock goes now: handles, and buffers that JavaScript has not collected yet, may keep us long
  // after the end.
  sink_->Close();
  {
    const std::lock_guard<std::mutex> lock(end_mutex_);
    end_status_ = status;
  }
  ended_.store(true, std::memory_order_release);  // [MM event-signal] release: pairs with Flush
  signals_->room.Signal();
  signals_->progress.Signal();
  SettleWaiters();
}

// The words cannot be mended.
void Flusher::FailFlushes() {
  attempts_failed_.fetch_add(1, std::memory_order_release);  // [MM event-signal] release: as above
  signals_->progress.Signal();
  SettleWaiters();
}

// There may be nobody left to ask for counters, or to be told by a callback.
void Flusher::SayLost(uint64_t entries) const {
  if (entries == 0) return;
  // Without what it says of keeping them and trying again.
  const std::string message = errors_.last().message;
  platform::WriteToStandardError("shardlog: " + std::to_string(entries) + " entries for " + name_ +
                                 " are lost: " + message.substr(0, message.rfind("; ")) + "\n");
}

// One thing that is due now, if anything is. False: nothing is, sleep until *wake_at.
bool Flusher::Step(uint64_t now, uint64_t* next_tick, uint64_t* wake_at) {
  const uint64_t active = sets_->active();
  const bool pending = sets_->recycled() < active;
  if (pending && (now >= retry_at_ns_ || FlushIsRequested())) {
    WriteOldest();
    return true;
  }
  if (*next_tick == kNoTick && !signals_->IsParked()) *next_tick = now + flush_interval_ns_;
  if (!pending) {
    const bool tick = flush_interval_ns_ != 0 && TickIsOver(active, now, next_tick);
    if (tick || sets_->NearlyFull(active) || FlushIsRequested()) return sets_->TrySwap(active);
  }
  // A tick that passes while a set waits for its retry is served after it.
  if (pending) {
    *wake_at = retry_at_ns_;
  } else if (flush_interval_ns_ != 0 && *next_tick != kNoTick) {
    *wake_at = std::max(*next_tick, now);
  }
  return false;
}

// Whether the interval has passed and there is something to write. Where nothing is, and no
// producer has as much as a lease, the next tick is set by the first that takes one.
bool Flusher::TickIsOver(uint64_t active, uint64_t now, uint64_t* next_tick) {
  if (now < *next_tick) return false;
  *next_tick = now + flush_interval_ns_;
  if (sets_->HasEntries(active)) return true;
  signals_->Park();
  if (!sets_->IsClaimed(active)) *next_tick = kNoTick;
  return false;
}

bool Flusher::FlushIsRequested() const {
  // [MM swap] acquire: pairs with Flush.
  return requested_.load(std::memory_order_acquire) > sets_->written();
}

// Where a store may be answered by SIGBUS for want of a block, the set is kept until there is one.
// Where the arena has lost its name, it is moved before producers can swap to the set.
IoStatus Flusher::WriteAndHandBack(uint64_t generation) {
  const Arena& arena = sets_->arena();
  if (!arena.may_need_room() && !arena.is_lost()) return sink_->Write(generation, true);
  IoStatus status;
  if (sets_->written() <= generation) status = sink_->Write(generation, false);
  if (status.ok() && arena.may_need_room()) status = Touch(generation);
  if (!status.ok()) return status;
  errors_.ReportSuccess();
  if (arena.is_lost()) watch_.Look(sink_->file_info());
  // A move has recycled it.
  if (sets_->recycled() == generation) sets_->Recycle(generation);
  return status;
}

// Has the file system find room for the pages that producers are going to write to.
IoStatus Flusher::Touch(uint64_t generation) {
  const Arena& arena = sets_->arena();
  for (uint32_t shard = 0; shard < sets_->geometry().num_shards; shard++) {
    const uint32_t claimed = std::min(arena.claim(generation, shard).Read().claimed(),
                                      sets_->geometry().segments_per_shard);
    const int error = arena.Touch(static_cast<uint32_t>(generation & 1), shard, 0, claimed);
    // Where it is cut it is mended, not waited for.
    if (error == 0 || error == -EINVAL || arena.IsCut()) continue;
    errors_.ReportFailure({"ERR_SHARDLOG_WRITE",
                           "the file system of " + arena.path() +
                               " has no room for the buffers; half of them wait until it has",
                           arena.path(), ENOSPC, "madvise"});
    return {ENOSPC, "madvise"};
  }
  return {};
}

// After a cut the arena holds something else, or nothing.
uint64_t Flusher::SettleMove(const MoveLosses& losses) {
  if (losses.control || losses.entries) sink_->BeginAnew(losses);
  const uint64_t lost = losses.cut ? CountLost(losses) : 0;
  if (lost != 0) {
    // What callers of flush() are told, until all is known.
    errors_.SetLast({"ERR_SHARDLOG_ARENA_LOST",
                     "the arena " + sets_->arena().path() + " was cut by another program, and " +
                         std::to_string(lost) + " entries are lost",
                     sets_->arena().path(), 0, ""});
    // [MM event-signal] release: the error is there.
    lost_in_cuts_.fetch_add(lost, std::memory_order_release);
  }
  // [MM event-signal] release: who sees this finds the words of the new file.
  moves_done_.fetch_add(1, std::memory_order_release);
  signals_->room.SignalOne();
  signals_->progress.Signal();
  SettleWaiters();
  return lost;
}

// Callers count what they have just had accepted a little later: what is missed here is counted
// with the next cut, or at the end.
uint64_t Flusher::CountLost(const MoveLosses& losses) {
  const uint64_t known =
      stats_.written_entries.Read() + stats_.lost_entries.Read() + losses.waiting;
  const uint64_t lost = losses.accepted - std::min(losses.accepted, known);
  stats_.lost_entries.Add(lost);
  stats_.cuts.Add(1);
  return lost;
}

// Mends the arena first, and once more if it turns out to be cut while it is written.
IoStatus Flusher::WriteWhole() {
  for (;;) {
    watch_.Look(sink_->file_info());
    if (sets_->arena().IsCut()) return kArenaIsCut;
    if (sets_->recycled() >= sets_->active()) return {};  // all that was to be written is lost
    const IoStatus status = WriteAndHandBack(sets_->recycled());
    if (status.error != EFAULT || !sets_->arena().IsCut()) return status;
  }
}

IoStatus Flusher::WriteOldest() {
  const IoStatus status = WriteWhole();
  if (status.ok()) {
    retry_at_ns_ = 0;
    retry_pause_ns_ = 0;
    signals_->room.SignalOne();
  } else {
    // A request is served by one attempt; the next one, or the next retry, tries again. Wiped
    // before the failure is counted: whoever sees the count of this failure asks anew, and whoever
    // asked before sees the count change.
    requested_.store(0, std::memory_order_relaxed);  // [MM counter]
    // [MM event-signal] release: pairs with Flush's first load.
    attempts_failed_.fetch_add(1, std::memory_order_release);
    retry_pause_ns_ = std::clamp(retry_pause_ns_ * 2, kFirstRetryPauseNs, kMaxRetryPauseNs);
    retry_at_ns_ = platform::MonotonicNs() + retry_pause_ns_;
  }
  signals_->progress.Signal();
  SettleWaiters();
  return status;
}

}  // namespace shardlog::engine
