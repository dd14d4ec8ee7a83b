// The arena moves into another file while producers log, swap and give leases up
// (docs/internals/memory-model.md, Step move).
#include "engine/arena_move.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/error.h"
#include "support/entries.h"
#include "support/rig.h"
#include "support/sanitizers.h"

namespace shardlog::test {
namespace {

using engine::MoveArena;

constexpr uint32_t kThreads = 3;
constexpr uint32_t kMoves = kThreadSanitizer ? 60 : 400;

class Moves : public testing::Test {
 protected:
  // Whether it moved. `may_make`: whether there may be a file in its place.
  bool Move(bool may_make = true) {
    const std::string& path = rig_.arena().path();
    unlink(path.c_str());
    if (!may_make) symlink("/nowhere", path.c_str());
    try {
      const bool moved = MoveArena(&rig_.sets(), io::FileInfo{});
      EXPECT_TRUE(may_make || !moved);
      return moved;
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

  Rig rig_{2, engine::ShardSelection::kAffinity, 0, engine::CrashSafe::kFile};
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
  uint32_t moves = 0;
  for (uint32_t round = 0; moves < kMoves; round++) {
    moves += Move(round % 5 != 4) ? 1 : 0;
    while (rig_.sets().recycled() < rig_.sets().active()) rig_.FlushOldest();
  }
  ended_ = true;
  for (std::thread& thread : threads) thread.join();
  rig_.Flush();
  rig_.Flush();
  std::vector<std::string> entries = rig_.Log().Entries();
  EntryCheck check = CheckEntries(entries);
  EXPECT_EQ(check.complaints, std::vector<std::string>{});
  for (uint32_t t = 0; t < kThreads; t++) EXPECT_EQ(check.count[t], accepted_[t]);
}

TEST_F(Moves, WaitForASetThatHasBeenSwappedTo) {
  const auto producer = rig_.NewProducer();
  ASSERT_TRUE(producer->Append("entry", 5));
  rig_.Swap(0);
  EXPECT_FALSE(Move());
  rig_.FlushOldest();
  EXPECT_TRUE(Move());
  EXPECT_EQ(rig_.sets().active(), 2u);
}

}  // namespace
}  // namespace shardlog::test
