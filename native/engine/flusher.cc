#include "engine/flusher.h"

#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "platform/clock.h"

namespace shardlog::engine {
namespace {

constexpr uint64_t kFirstRetryPauseNs = 10 * kNsPerMs;
constexpr uint64_t kLongestRetryPauseNs = 1'000 * kNsPerMs;
constexpr int kAttemptsAtClose = 3;

}  // namespace

Flusher::Flusher(std::shared_ptr<BufferSets> sets, std::shared_ptr<Signals> signals,
                 std::unique_ptr<LogFile> file, const Config& config)
    : sets_(std::move(sets)),
      signals_(std::move(signals)),
      file_(std::move(file)),
      flush_interval_ns_(config.flush_interval_ns),
      flush_timeout_ns_(config.flush_timeout_ns),
      direct_(config.io.direct),
      writer_(sets_->geometry()) {
  stats_.entries_of_shard = std::vector<Counter>(config.num_shards);
  PublishIoMode();
}

Flusher::~Flusher() { Stop(); }

void Flusher::Start() {
  // The thread must take none of the process's signals: the host's handlers belong on the host's
  // threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread_.native_handle(), "shardlog-flush");
}

IoStatus Flusher::Flush() {
  const uint64_t generation = sets_->active();
  const uint64_t target = sets_->HasEntries(generation) ? generation + 1 : generation;
  // [MM event-wait] acquire: a request made after this was not wiped by the failure counted here.
  const uint64_t failed_before = attempts_failed_.load(std::memory_order_acquire);
  // [MM counter] relaxed: the exchange below is what the flusher sees.
  uint64_t seen = requested_.load(std::memory_order_relaxed);
  // [MM swap] release: the flusher that reads the request sees the entries it is about.
  while (seen < target &&
         !requested_.compare_exchange_weak(seen, target, std::memory_order_acq_rel)) {
  }
  if (sets_->written() < target) signals_->work.Signal();
  for (;;) {
    const uint32_t epoch = signals_->progress.Epoch();
    if (sets_->written() >= target) return {};
    // [MM event-wait] acquire: pairs with the end of the flusher; end_status_ is there.
    if (ended_.load(std::memory_order_acquire)) {
      const std::lock_guard<std::mutex> lock(mutex_);
      return end_status_;
    }
    // [MM counter] relaxed: what failed is told under Report's lock, this only ends the wait.
    if (attempts_failed_.load(std::memory_order_relaxed) != failed_before) {
      const FlushProblem problem = last_problem();
      return {problem.error_number == 0 ? EIO : problem.error_number, "flush"};
    }
    signals_->progress.Wait(epoch, platform::kForever);
  }
}

IoStatus Flusher::Stop() {
  if (!thread_.joinable()) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return end_status_;
  }
  // [MM closed] release: pairs with the flusher's reading.
  stopping_.store(true, std::memory_order_release);
  signals_->work.Signal();
  thread_.join();
  signals_->room.Signal();
  signals_->progress.Signal();
  const std::lock_guard<std::mutex> lock(mutex_);
  return end_status_;
}

void Flusher::Run() {
  PopulateArena();
  uint64_t next_tick = platform::MonotonicNs() + flush_interval_ns_;
  // [MM closed] acquire: pairs with Stop.
  while (!stopping_.load(std::memory_order_acquire)) {
    const uint32_t epoch = signals_->work.Epoch();
    const uint64_t now = platform::MonotonicNs();
    uint64_t wake_at = UINT64_MAX;
    if (Step(now, &next_tick, &wake_at)) continue;
    if (stopping_.load(std::memory_order_acquire)) break;  // [MM closed]
    signals_->work.Wait(epoch, wake_at == UINT64_MAX ? platform::kForever : wake_at - now);
  }
  const IoStatus status = WriteEverything();
  // The lock goes now: handles, and buffers that JavaScript has not collected yet, may keep us long
  // after the end.
  file_->Close();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    end_status_ = status;
  }
  ended_.store(true, std::memory_order_release);  // [MM event-signal] release: pairs with Flush
  signals_->room.Signal();
  signals_->progress.Signal();
}

// Touches the sets' pages before producers do, the first shards first. Gives way as soon as there
// is work.
void Flusher::PopulateArena() {
  const uint32_t at_start = signals_->work.Epoch();
  for (uint32_t shard = 0; shard < sets_->geometry().num_shards; shard++) {
    for (uint32_t set = 0; set < 2; set++) {
      if (signals_->work.Epoch() != at_start || !sets_->arena().Populate(set, shard)) return;
    }
  }
}

// One thing that is due now, if anything is. False: nothing is, sleep until *wake_at.
bool Flusher::Step(uint64_t now, uint64_t* next_tick, uint64_t* wake_at) {
  const uint64_t active = sets_->active();
  const bool pending = sets_->recycled() < active;
  if (pending && (now >= retry_at_ns_ || FlushIsRequested())) {
    WriteOldest();
    return true;
  }
  if (!pending) {
    bool swap = sets_->NearlyFull(active) || FlushIsRequested();
    if (flush_interval_ns_ != 0 && now >= *next_tick) {
      *next_tick = now + flush_interval_ns_;
      swap = swap || sets_->HasEntries(active);
    }
    if (swap) return sets_->TrySwap(active);
  }
  // A tick that passes while a set waits for its retry is served after it.
  if (pending) {
    *wake_at = retry_at_ns_;
  } else if (flush_interval_ns_ != 0) {
    *wake_at = std::max(*next_tick, now);
  }
  return false;
}

bool Flusher::FlushIsRequested() const {
  // [MM swap] acquire: pairs with Flush.
  return requested_.load(std::memory_order_acquire) > sets_->written();
}

IoStatus Flusher::WriteOldest() {
  const IoStatus status = WriteGeneration(sets_->recycled(), true);
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
    retry_pause_ns_ = std::clamp(retry_pause_ns_ * 2, kFirstRetryPauseNs, kLongestRetryPauseNs);
    retry_at_ns_ = platform::MonotonicNs() + retry_pause_ns_;
  }
  signals_->progress.Signal();
  return status;
}

IoStatus Flusher::WriteGeneration(uint64_t generation, bool recycle) {
  const uint64_t started = platform::MonotonicNs();
  if (sealed_generation_ != generation) {
    sealed_ = sets_->Seal(generation, flush_timeout_ns_);
    sealed_generation_ = generation;
    sealed_time_ = platform::RealtimeNs();
  }
  BlockTotals totals;
  if (!sealed_.empty()) {
    const IoStatus status = WriteSealed(generation, &totals);
    if (!status.ok()) return Failed(status);
    sets_->arena().header().next_sequence += sealed_.size();
  }
  sets_->MarkWritten(generation);
  if (recycle) sets_->Recycle(generation);
  if (!sealed_.empty()) CountSuccess(totals, started);
  sealed_.clear();
  sealed_generation_ = kNoGeneration;
  return {};
}

IoStatus Flusher::WriteSealed(uint64_t generation, BlockTotals* totals) {
  bool reopened = false;
  IoStatus status = file_->Check(&reopened);
  if (reopened) {
    stats_.reopens.Add(1);
    PublishIoMode();
  }
  if (!status.ok()) return status;
  const uint64_t size = BlockWriter::SizeOf(sealed_, file_->file()->alignment());
  partial_ = {};
  StoreJournal(generation, size);
  file_->ReserveAhead(size, sets_->geometry().set_bytes());
  BlockContext context;
  context.generation = generation;
  context.stream = sets_->arena().header().stream;
  context.sequence = sets_->arena().header().next_sequence;
  context.sealed_time = sealed_time_;
  status = writer_.Write(file_->file(), file_->end(), context, sealed_, totals);
  if (status.ok()) {
    file_->Advance(totals->bytes);
    return status;
  }
  partial_ = *totals;
  file_->FailedWrite(size);
  if (status.error != EINVAL || direct_ != io::DirectIo::kAuto || !file_->file()->direct())
    return status;
  status = file_->FallBackToBuffered("the file system refused a direct write (EINVAL)");
  PublishIoMode();
  return status.ok() ? WriteSealed(generation, totals) : status;
}

// Says where the generation is going to be written, so that recovery repeats the write instead of
// adding to it.
void Flusher::StoreJournal(uint64_t generation, uint64_t size) {
  ArenaHeader& header = sets_->arena().header();
  Journal& journal = header.journal;
  // [MM journal] release: generation last, so that the fields are never taken for another one's.
  journal.generation.store(kNoGeneration, std::memory_order_release);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // [MM journal]
  sets_->arena().SetLog(file_->info());
  journal.base = file_->end();
  journal.sequence = header.next_sequence;
  journal.sealed_time = sealed_time_;
  journal.limit = file_->end() + size;
  journal.generation.store(generation, std::memory_order_release);  // [MM journal]
}

void Flusher::CountWritten(const BlockTotals& totals) {
  stats_.bytes_written.Add(totals.bytes);
  stats_.payload_bytes.Add(totals.payload);
  stats_.written_entries.Add(totals.entries);
  for (size_t i = 0; i < totals.entries_of_shard.size(); i++) {
    stats_.entries_of_shard[i].Add(totals.entries_of_shard[i]);
  }
}

void Flusher::CountSuccess(const BlockTotals& totals, uint64_t started_ns) {
  CountWritten(totals);
  stats_.flushes.Add(1);
  stats_.durations.Record(platform::MonotonicNs() - started_ns);
  if (totals.damaged != 0) {
    Report({"ERR_SHARDLOG_DAMAGED",
            std::to_string(totals.damaged) +
                " segments of the buffers held something else than entries",
            file_->path(), 0, ""});
  }
  if (!failing_) return;
  failing_ = false;
  Tell(FlushProblem{});
}

IoStatus Flusher::Failed(const IoStatus& status) {
  stats_.flush_errors.Add(1);
  const bool first = !failing_;
  failing_ = true;
  FlushProblem problem{"ERR_SHARDLOG_WRITE",
                       std::string("writing ") + file_->path() + " failed: " + status.call + ": " +
                           std::strerror(status.error) + "; the entries are kept and tried again",
                       file_->path(), status.error, status.call};
  // Told once per spell of failures; every attempt is in flushErrors.
  if (first) {
    Report(problem);
  } else {
    const std::lock_guard<std::mutex> lock(mutex_);
    problem_ = std::move(problem);
  }
  return status;
}

// Close (docs/memory-model.md): every generation below the active one, then the active one and the
// one after it, which a producer that had not yet seen Signals::closed might be swapping to.
// Neither is recycled, so that nobody swaps again.
IoStatus Flusher::WriteEverything() {
  bool last_swap_done = false;
  IoStatus status;
  for (int attempt = 0; attempt < kAttemptsAtClose; attempt++) {
    status = {};
    while (status.ok() && !last_swap_done && sets_->recycled() < sets_->active()) {
      status = WriteGeneration(sets_->recycled(), true);
    }
    if (!status.ok()) continue;
    // Of the generation just recycled: if a late producer has swapped meanwhile, that was the last
    // swap.
    if (!last_swap_done) {
      last_swap_done = sets_->TrySwap(sets_->recycled());
      stats_.closing_swaps.Add(last_swap_done ? 1 : 0);
    }
    while (status.ok() && sets_->written() <= sets_->active()) {
      status = WriteGeneration(sets_->written(), false);
    }
    if (status.ok()) {
      file_->Finish();
      return status;
    }
  }
  GiveUp();
  return status;
}

// What cannot be written waits in the arena's file for the next opening; without one it is lost,
// and counted. In either case nothing more is accepted.
void Flusher::GiveUp() {
  uint64_t waiting = 0;
  for (uint64_t g = sets_->written(); g <= sets_->active(); g++) {
    sets_->Seal(g, 0);
    waiting += sets_->CountWaiting(g);
  }
  if (sets_->arena().path().empty()) {
    // The blocks that the last attempt got into the file whole stay there; with an arena, recovery
    // writes them again.
    CountWritten(partial_);
    file_->KeepOfFailedWrite(partial_.bytes);
    stats_.lost_entries.Add(waiting - std::min(waiting, partial_.entries));
  }
  file_->Finish();
}

void Flusher::PublishIoMode() {
  const std::lock_guard<std::mutex> lock(mutex_);
  io_mode_.reason = file_->direct_reason();
  io_mode_.direct = io_mode_.reason.empty();
  if (file_->file() != nullptr) io_mode_.alignment = file_->file()->alignment();
  file_info_ = file_->info();
}

IoMode Flusher::io_mode() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return io_mode_;
}

io::FileInfo Flusher::file_info() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return file_info_;
}

FlushProblem Flusher::last_problem() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return problem_;
}

FlushProblem Flusher::present_problem() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const bool lasts = failing_ || problem_.code == "ERR_SHARDLOG_ARENA_ASIDE";
  return lasts ? problem_ : FlushProblem{};
}

void Flusher::Report(const FlushProblem& problem) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    problem_ = problem;
  }
  Tell(problem);
}

void Flusher::Tell(const FlushProblem& problem) {
  const std::lock_guard<std::mutex> lock(listeners_mutex_);
  for (const auto& [key, listener] : listeners_) listener(problem);
}

void Flusher::AddListener(const void* key, ProblemCallback listener) {
  const std::lock_guard<std::mutex> lock(listeners_mutex_);
  listeners_.emplace_back(key, std::move(listener));
}

void Flusher::RemoveListener(const void* key) {
  const std::lock_guard<std::mutex> lock(listeners_mutex_);
  std::erase_if(listeners_, [key](const auto& entry) { return entry.first == key; });
}

}  // namespace shardlog::engine
