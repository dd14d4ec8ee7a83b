#include "log/log.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <system_error>

#include "engine/arena_paths.h"
#include "engine/error.h"
#include "sink/fd_sink.h"
#include "sink/file_sink.h"

namespace shardlog::engine {
namespace {

constexpr uint64_t kMaxRunBytes = 1u << 20;

uint64_t RandomStream() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

std::vector<RecoveryReport> RecoverBeside(LogFile* file, bool force, const std::string& arena_dir) {
  std::vector<RecoveryReport> reports;
  for (const std::string& place : ArenaPaths(file->path(), file->info(), arena_dir)) {
    if (force) {
      for (const std::string& aside : AsideArenas(place)) {
        reports.push_back(RecoverArena(aside, file, true));
      }
    }
    RecoveryReport report = RecoverArena(place, file, force);
    if (report.found) reports.push_back(std::move(report));
  }
  return reports;
}

// Removes the file that an opening has made, if it is what `path` leads to, and nothing is in it. A
// symbolic link that leads there is the user's, and stays.
void RemoveEmpty(const std::string& path, io::File* file) {
  io::FileInfo info;
  io::FileInfo named;
  const std::unique_ptr<char, void (*)(void*)> real(realpath(path.c_str(), nullptr), &std::free);
  if (real == nullptr || file == nullptr || file->Stat(&info) != 0 || info.size != 0) return;
  if (io::PosixFileSystem().StatPath(real.get(), &named) != 0) return;
  if (named.device == info.device && named.inode == info.inode) unlink(real.get());
}

RecoveryReport Sum(const std::vector<RecoveryReport>& reports) {
  RecoveryReport sum;
  for (const RecoveryReport& report : reports) {
    sum.entries += report.entries;
    if (report.set_aside.empty()) continue;
    sum.set_aside = report.set_aside;
    sum.reason = report.reason;
  }
  return sum;
}

// Lines that a dead process had accepted and may not have brought to its descriptor go to a file:
// whoever reads the descriptor now is another.
RecoveryReport RecoverLines(const Config& config) {
  io::FileSystem& files = io::PosixFileSystem();
  if (config.recover_to.empty()) return {};
  // Without an arena there is no need of the file either.
  const auto is_there = [&files](const std::string& place) {
    io::FileInfo arena;
    return files.StatPath(place, &arena) != -ENOENT;
  };
  if (!is_there(FileArenaPath(config.recover_to, config.arena_dir)) &&
      !is_there(OldArenaPath(config.recover_to))) {
    return {};
  }
  LogFile file(&files, config.recover_to, config.io, Format::kNdjson,
               "%p in recoverTo gives each process a file of its own");
  return Sum(RecoverBeside(&file, false, config.arena_dir));
}

// Beside which file the arena of a descriptor's log lies.
Config ArenaConfig(const Config& config) {
  Config arena = config;
  if (!config.recover_to.empty()) arena.path = config.recover_to;
  return arena;
}

// The file that an opening without success has made is of no use to anybody.
void RemoveMade(const Config& config, io::FileSystem* files) {
  io::OpenOptions options = config.io;
  options.direct = io::DirectIo::kOff;
  options.create = false;
  try {
    // While it is ours: without the lock it might be somebody else's by now.
    const LogFile made(files, config.path, options, config.format);
    RemoveEmpty(config.path, made.file());
  } catch (const Error&) {
    // It is.
  }
}

}  // namespace

std::shared_ptr<Log> Log::Open(const Config& config, io::FileSystem* files) {
  io::FileInfo named;
  const bool is_new = files->StatPath(config.path, &named) == -ENOENT;
  std::unique_ptr<LogFile> file;
  try {
    file = std::make_unique<LogFile>(files, config.path, config.io, config.format);
  } catch (const Error& error) {
    // Direct I/O is asked for when the file is there.
    if (is_new && error.code() == "ERR_SHARDLOG_DIRECT_IO") RemoveMade(config, files);
    throw;
  }
  try {
    return OpenLocked(config, std::move(file));
  } catch (...) {
    file.reset();
    if (is_new) RemoveMade(config, files);
    throw;
  }
}

// Takes the file only if it succeeds.
std::shared_ptr<Log> Log::OpenLocked(const Config& config, std::unique_ptr<LogFile>&& file) {
  const RecoveryReport recovered = Sum(RecoverBeside(file.get(), false, config.arena_dir));
  file->Prepare();
  return std::shared_ptr<Log>(new Log(config, std::move(file), recovered));
}

Log::Log(const Config& config, std::unique_ptr<LogFile>&& file, const RecoveryReport& recovered)
    : config_(config),
      sets_(std::make_shared<BufferSets>(Arena::Create(config, file->info(), RandomStream()))),
      signals_(std::make_shared<Signals>()),
      flusher_(std::make_unique<Flusher>(sets_, signals_, config,
                                         [&](FlushStats* stats, ErrorReporter* errors) {
                                           return std::make_unique<FileSink>(sets_, std::move(file),
                                                                             config, stats, errors);
                                         })),
      recovered_entries_(recovered.entries) {
  Start(recovered);
}

std::shared_ptr<Log> Log::Open(const Config& config, std::unique_ptr<io::Stream> stream) {
  const RecoveryReport recovered = RecoverLines(config);
  return std::shared_ptr<Log>(new Log(config, std::move(stream), recovered));
}

Log::Log(const Config& config, std::unique_ptr<io::Stream> stream, const RecoveryReport& recovered)
    : config_(config),
      sets_(std::make_shared<BufferSets>(
          Arena::Create(ArenaConfig(config), stream->info(), RandomStream()))),
      signals_(std::make_shared<Signals>()),
      flusher_(std::make_unique<Flusher>(sets_, signals_, config,
                                         [&](FlushStats* stats, ErrorReporter* errors) {
                                           return std::make_unique<FdSink>(sets_, std::move(stream),
                                                                           config, stats, errors);
                                         })),
      recovered_entries_(recovered.entries) {
  // The sets of a descriptor are emptied so often that most programs never get beyond the first few
  // segments: the memory of the others is not asked for before it is needed.
  sets_->pages().Stop();
  Start(recovered);
}

void Log::Start(const RecoveryReport& recovered) {
  flusher_->set_count_accepted([this] {
    const std::lock_guard<std::mutex> lock(mutex_);
    return Accepted();
  });
  if (!recovered.set_aside.empty()) {
    flusher_->errors().Report({"ERR_SHARDLOG_ARENA_ASIDE",
                               "an arena was not recovered and is kept as " + recovered.set_aside +
                                   ": " + recovered.reason,
                               recovered.set_aside, 0, ""});
  }
  try {
    flusher_->Start();
  } catch (const std::system_error& error) {
    sets_->arena().Remove();
    throw Error("ERR_SHARDLOG_IO",
                "cannot start the thread that writes " + config_.path + ": " +
                    std::strerror(error.code().value()),
                error.code().value(), "pthread_create", config_.path);
  }
}

Log::~Log() { Close(); }

std::shared_ptr<Producer> Log::Attach() {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto producer = std::make_shared<Producer>(sets_, signals_, config_, next_producer_++,
                                             sets_->arena().wants_stores_in_pages());
  producers_.push_back(producer);
  UpdateLeases();
  return producer;
}

void Log::Detach(const std::shared_ptr<Producer>& producer) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = std::find(producers_.begin(), producers_.end(), producer);
  if (found == producers_.end()) return;
  // After Close the arena may be the memory of a log that is already recovered by somebody else;
  // releasing leases there would be harmless but pointless.
  producer->Detach();
  producers_.erase(found);
  Retire(producer);
  UpdateLeases();
  GiveBackIfUnused();
}

void Log::Retire(const std::shared_ptr<Producer>& producer) {
  retired_.push_back(producer);
  // Whoever only the list keeps counts no more drops.
  std::erase_if(retired_, [this](const std::shared_ptr<Producer>& gone) {
    if (gone.use_count() > 1) return false;
    past_.Add(*gone);
    return true;
  });
}

// A producer that is not detached yet may be in the middle of a call.
void Log::GiveBackIfUnused() {
  if (!is_finished_ || !producers_.empty() || last_.has_value()) return;
  LastWords last{sets_->active(), {}};
  for (uint32_t i = 0; i < config_.num_shards; i++) {
    last.utilization_pct.push_back(sets_->UtilizationPct(i));
  }
  last_ = std::move(last);
  sets_->arena().GiveBack();
}

std::shared_ptr<Producer> Log::AttachDropping() {
  auto producer = std::make_shared<Producer>(sets_, signals_, config_, Producer::kNobody);
  producer->Detach();
  const std::lock_guard<std::mutex> lock(mutex_);
  Retire(producer);
  return producer;
}

size_t Log::producers() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return producers_.size();
}

// A thread that keeps its lease while idle keeps segments (in each shard under round-robin) from
// the others, so only so many may, and runs are as long as leaves seven eighths of the set to
// whoever logs.
void Log::UpdateLeases() {
  const Geometry& g = sets_->geometry();
  const size_t leases =
      producers_.size() *
      (config_.shard_selection == ShardSelection::kAffinity ? 1 : config_.num_shards);
  // [MM counter] relaxed: a policy, not a protocol.
  signals_->crowded.store(leases > g.segments_per_set() / 2, std::memory_order_relaxed);
  // Records are told anew in each lease what they refer to. Entries have nothing to gain, and
  // make a block of each lease, of which a damaged sector costs the whole.
  if (config_.content != Content::kRecords) return;
  const auto run = static_cast<uint32_t>(std::min<size_t>(
      kMaxRunBytes / g.segment_bytes, g.segments_per_set() / (8 * std::max<size_t>(leases, 1))));
  // [MM counter] relaxed: the same.
  signals_->longest_run.store(std::max(run, 1u), std::memory_order_relaxed);
}

IoStatus Log::Close() {
  const std::lock_guard<std::mutex> lock(close_mutex_);
  if (closed_) return close_status_;
  closed_ = true;
  // [MM closed] release: a producer that reads it finds its claim words sealed soon after.
  signals_->closed.store(true, std::memory_order_release);
  close_status_ = flusher_->Stop();
  if (close_status_.ok()) sets_->arena().Remove();
  // JavaScript's buffers may keep the arena long after; neither its next owner nor the disk need
  // wait for that.
  sets_->arena().Unlock();
  const std::lock_guard<std::mutex> producers_lock(mutex_);
  is_finished_ = true;
  finish_status_ = close_status_;
  GiveBackIfUnused();
  return close_status_;
}

void Log::AbandonAfterFork() {
  signals_->closed.store(true, std::memory_order_release);  // [MM closed]
  flusher_->AbandonAfterFork();
  sets_->arena().AbandonAfterFork();
}

LogStats Log::Stats() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  LogStats stats = StatsNow();
  for (const auto& producer : retired_) stats.Add(*producer);
  return stats;
}

// Under the lock.
uint64_t Log::Accepted() const {
  uint64_t accepted = past_.total_logs - past_.dropped_logs;
  for (const auto& producer : producers_) accepted += producer->accepted();
  for (const auto& producer : retired_) accepted += producer->accepted();
  return accepted;
}

// Of an arena that was cut, what was accepted and is neither written nor counted as lost, when
// nothing is on its way any more. Under the lock.
uint64_t Log::LostSince() const {
  const FlushStats& flushed = flusher_->stats();
  if (!is_finished_ || flushed.cuts.Read() == 0) return 0;
  const uint64_t known =
      flushed.written_entries.Read() + flushed.lost_entries.Read() + flushed.left_entries.Read();
  const uint64_t accepted = Accepted();
  return accepted - std::min(accepted, known);
}

// Without those of producers that have retired. Under the lock.
LogStats Log::StatsNow() const {
  const uint64_t swaps = last_.has_value() ? last_->active : sets_->active();
  LogStats stats = past_;
  for (const auto& producer : producers_) stats.Add(*producer);
  stats.producers = producers_.size();
  const FlushStats& flushed = flusher_->stats();
  stats.dropped_logs += flushed.lost_entries.Read() + LostSince();
  stats.bytes_written = flushed.bytes_written.Read();
  stats.payload_bytes = flushed.payload_bytes.Read();
  stats.written_logs = flushed.written_entries.Read();
  stats.flushes = flushed.flushes.Read();
  stats.flush_errors = flushed.flush_errors.Read();
  stats.reopens = flushed.reopens.Read();
  stats.set_swaps = swaps - std::min(swaps, flushed.closing_swaps.Read());
  stats.recovered_logs = recovered_entries_;
  if (!sets_->arena().is_lost()) stats.arena_path = sets_->arena().path();
  stats.io = flusher_->io_mode();
  stats.last_problem = flusher_->errors().last();
  return stats;
}

std::vector<ShardStats> Log::Shards() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return ShardsNow();
}

// Under the lock.
std::vector<ShardStats> Log::ShardsNow() const {
  std::vector<ShardStats> shards;
  for (uint32_t i = 0; i < config_.num_shards; i++) {
    const double used = last_.has_value() ? last_->utilization_pct[i] : sets_->UtilizationPct(i);
    shards.push_back({i, used, flusher_->stats().entries_of_shard[i].Read()});
  }
  return shards;
}

std::shared_ptr<const LogEnd> Log::End() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!last_.has_value()) return nullptr;
  if (end_ == nullptr) {
    end_ = std::make_shared<const LogEnd>(LogEnd::Last{StatsNow(), ShardsNow(), Durations(),
                                                       config_.crash_safe, config_.path,
                                                       finish_status_, retired_});
  }
  return end_;
}

std::vector<RecoveryReport> RecoverLog(const std::string& path, const io::OpenOptions& options,
                                       bool force, io::FileSystem* files,
                                       const std::string& arena_dir) {
  io::FileInfo named;
  const bool is_new = files->StatPath(path, &named) == -ENOENT;
  LogFile file(
      files, path, options, Format::kShard,
      "it writes what it has accepted itself; what is left when it has ended can be recovered");
  std::vector<RecoveryReport> reports = RecoverBeside(&file, force, arena_dir);
  const bool is_of_use = std::any_of(reports.begin(), reports.end(),
                                     [](const auto& report) { return report.set_aside.empty(); });
  if (is_new && !is_of_use) RemoveEmpty(path, file.file());
  if (!is_new || !reports.empty()) return reports;
  // A mistyped path: the file that looking for arenas has made is of no use to anybody.
  throw Error("ERR_SHARDLOG_IO", "there is no log " + path + ", and no arena of one", ENOENT,
              "open", path);
}

}  // namespace shardlog::engine
