// The arena moves into another file while producers log, swap and give leases up
// (docs/internals/memory-model.md, Step move).
#include "engine/arena_move.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/error.h"
#include "log/log.h"
#include "support/entries.h"
#include "support/rig.h"
#include "support/sanitizers.h"
#include "support/traffic.h"

namespace shardlog::test {
namespace {

using engine::kNsPerMs;
using engine::MoveArena;

constexpr uint32_t kThreads = 3;
constexpr uint32_t kMoves = kThreadSanitizer ? 60 : 400;

class Moves : public testing::Test {
 protected:
  explicit Moves(uint32_t shards = 2)
      : rig_(shards, engine::ShardSelection::kAffinity, 0, engine::CrashSafe::kFile) {}

  // Whether it moved. `may_make`: whether there may be a file in its place.
  bool Move(bool may_make = true) {
    const std::string& path = rig_.arena().path();
    unlink(path.c_str());
    if (!may_make) symlink("/nowhere", path.c_str());
    try {
      engine::MoveLosses losses;
      MoveArena(
          &rig_.sets(), io::FileInfo{}, [](uint64_t) { return false; }, &losses);
      EXPECT_TRUE(may_make);
      EXPECT_FALSE(losses.control || losses.entries);
      return true;
    } catch (const engine::Error&) {
      EXPECT_FALSE(may_make);
      return false;
    }
  }

  // Logs until `ended_`, by leases of one segment that are given up now and then.
  void Log(uint32_t thread, engine::Producer* producer) {
    Random random(thread);
    uint32_t said = 0;
    while (!ended_) {
      const std::string entry = MakeEntry(thread, said, random.Between(20, 1500));
      if (producer->Append(entry.data(), entry.size())) said++;
      rig_.signals().crowded = random.Between(0, 3) == 0;
    }
    accepted_[thread] = said;
  }

  // Moves, now and then in vain, and flushes meanwhile.
  void MoveOften(uint32_t times) {
    uint32_t moves = 0;
    for (uint32_t round = 0; moves < times; round++) {
      moves += Move(round % 5 != 4) ? 1 : 0;
      while (rig_.sets().recycled() < rig_.sets().active()) rig_.FlushOldest();
    }
    ended_ = true;
  }

  Rig rig_;
  std::atomic<bool> ended_{false};
  std::vector<uint32_t> accepted_ = std::vector<uint32_t>(kThreads);
};

TEST_F(Moves, LoseAndRepeatNothingWhileProducersLog) {
  std::vector<std::unique_ptr<engine::Producer>> producers;
  for (uint32_t t = 0; t < kThreads; t++) producers.push_back(rig_.NewProducer());
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < kThreads; t++) {
    threads.emplace_back([this, t, &producers] { Log(t, producers[t].get()); });
  }
  MoveOften(kMoves);
  for (std::thread& thread : threads) thread.join();
  rig_.Flush();
  rig_.Flush();
  std::vector<std::string> entries = rig_.Log().Entries();
  EntryCheck check = CheckEntries(entries);
  EXPECT_EQ(check.complaints, std::vector<std::string>{});
  for (uint32_t t = 0; t < kThreads; t++) EXPECT_EQ(check.count[t], accepted_[t]);
}

TEST_F(Moves, TakeAGenerationThatWaitsAlong) {
  const auto producer = rig_.NewProducer();
  ASSERT_TRUE(producer->Append("one", 3));
  rig_.Swap(0);
  ASSERT_TRUE(producer->Append("two", 3));
  EXPECT_TRUE(Move());
  EXPECT_EQ(rig_.sets().active(), 1u);
  ASSERT_TRUE(producer->Append("three", 5));
  rig_.Flush();
  EXPECT_EQ(rig_.Log().Entries(), (std::vector<std::string>{"one", "two", "three"}));
}

TEST_F(Moves, ThatFailLeaveTheActiveGenerationOpen) {
  const auto producer = rig_.NewProducer();
  ASSERT_TRUE(producer->Append("one", 3));
  EXPECT_FALSE(Move(false));
  EXPECT_EQ(rig_.sets().active(), 0u);
  ASSERT_TRUE(producer->Append("two", 3));
  rig_.Flush();
  EXPECT_EQ(rig_.Log().Entries(), (std::vector<std::string>{"one", "two"}));
}

// With so many shards there are enough slots for others to get in between while they are copied.
class LeasesOverMoves : public Moves {
 protected:
  LeasesOverMoves() : Moves(kShards), holders_(size_t{2} * rig_.geometry().segments_per_set()) {}

  std::atomic<uint32_t>& HolderOf(const engine::Lease& lease, uint32_t i) {
    const engine::Geometry& g = rig_.geometry();
    const uint64_t set = lease.generation & 1;
    return holders_[set * g.segments_per_set() + lease.shard * g.segments_per_shard +
                    lease.segment + i];
  }

  void GiveUpOldest(std::deque<engine::Lease>* leases) {
    engine::Lease& oldest = leases->front();
    for (uint32_t i = 0; i < oldest.span; i++) HolderOf(oldest, i) = 0;
    rig_.sets().Release(&oldest);
    leases->pop_front();
  }

  // Leases runs of segments until `ended_`, and keeps each over a few others.
  void Lease(uint32_t id) {
    Random random(id);
    std::deque<engine::Lease> leases;
    while (!ended_) {
      const uint64_t generation = rig_.sets().active();
      const auto shard = static_cast<uint32_t>(random.Between(0, kShards - 1));
      engine::Lease lease;
      switch (rig_.sets().Claim(generation, shard, {1, 3}, id, &lease)) {
        case engine::ClaimResult::kLeased:
          for (uint32_t i = 0; i < lease.span; i++) shared_ += HolderOf(lease, i).exchange(id) != 0;
          leases.push_back(lease);
          break;
        case engine::ClaimResult::kShardFull:
          rig_.sets().TrySwap(generation);
          break;
        case engine::ClaimResult::kStartOver:
          // Some are to be left for later in a move.
          if (random.Between(0, 63) != 0) continue;
          break;
      }
      if (leases.size() > random.Between(0, 12)) GiveUpOldest(&leases);
    }
    while (!leases.empty()) GiveUpOldest(&leases);
  }

  static constexpr uint32_t kShards = 32;
  std::vector<std::atomic<uint32_t>> holders_;  // of each segment, in set 0, then in set 1
  std::atomic<uint32_t> shared_{0};             // leases of segments that somebody else had
};

TEST_F(LeasesOverMoves, AreOfOneAtATimeAndEnd) {
  std::vector<std::thread> threads;
  for (uint32_t t = 1; t <= kThreads; t++) {
    threads.emplace_back([this, t] { Lease(t); });
  }
  MoveOften(kMoves / 4);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shared_, 0u);
  const engine::Geometry& g = rig_.geometry();
  for (uint32_t i = 0; i < 2 * g.segments_per_set(); i++) {
    const uint32_t in_set = i % g.segments_per_set();
    const engine::LesseeWord& word = rig_.arena().lessee(
        i / g.segments_per_set(), in_set / g.segments_per_shard, in_set % g.segments_per_shard);
    EXPECT_EQ(word.Lessee(), 0u);
  }
}

// A whole log, whose arena's file is deleted again and again while threads come and go.
class LogOverMoves : public testing::TestWithParam<engine::CrashSafe> {
 protected:
  // What was accepted before a flush is written after it.
  void FlushOften(engine::Log* log, const Traffic& traffic) {
    while (!traffic.has_ended()) {
      const engine::LogStats before = log->Stats();
      if (!log->Flush().ok()) failed_++;
      if (log->Stats().written_logs < before.total_logs - before.dropped_logs) unwritten_++;
    }
  }

  // As often as there is one: a new one may be deleted before the log goes on in it.
  static void DeleteArena(engine::Log* log, uint32_t times) {
    for (uint32_t deleted = 0; deleted < times;) {
      if (unlink(log->arena().path().c_str()) == 0) deleted++;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  TempDir directory_;
  std::atomic<uint32_t> failed_{0};     // flushes
  std::atomic<uint32_t> unwritten_{0};  // flushes after which something accepted was not written
};

TEST_P(LogOverMoves, HasEachEntryOnceAndItsCountersAreExact) {
  const engine::Config config = PatientConfig(directory_.File("log"), GetParam());
  const auto log = engine::Log::Open(config);
  Traffic traffic(log);
  std::thread flushing([&] { FlushOften(log.get(), traffic); });
  DeleteArena(log.get(), 20);
  traffic.End();
  flushing.join();
  EXPECT_TRUE(log->Close().ok());
  EXPECT_EQ(traffic.refused(), 0u);
  EXPECT_EQ(failed_, 0u);
  EXPECT_EQ(unwritten_, 0u);
  const engine::LogStats stats = log->Stats();
  EXPECT_EQ(stats.total_logs, traffic.accepted());
  EXPECT_EQ(stats.dropped_logs, 0u);
  EXPECT_EQ(stats.written_logs, traffic.accepted());
  const PlainLog plain = ReadPlainLog(config.path);
  EXPECT_EQ(plain.complaints, std::vector<std::string>{});
  EntryCheck check = CheckEntries(plain.Entries());
  EXPECT_EQ(check.complaints, std::vector<std::string>{});
  uint64_t found = 0;
  for (const auto& [id, count] : check.count) found += count;
  EXPECT_EQ(found, traffic.accepted());
}

INSTANTIATE_TEST_SUITE_P(Of, LogOverMoves,
                         testing::Values(engine::CrashSafe::kFile, engine::CrashSafe::kShm));

}  // namespace
}  // namespace shardlog::test
