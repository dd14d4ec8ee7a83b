// Another program cuts the arena's file while its log is open (docs/internals/memory-model.md, Step
// Move): what lay in other parts is written, what is lost is counted, nothing is torn.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/arena_move.h"
#include "engine/error.h"
#include "log/log.h"
#include "support/entries.h"
#include "support/rig.h"
#include "support/sanitizers.h"
#include "support/traffic.h"

namespace shardlog::test {
namespace {

using engine::kNsPerMs;
using engine::MoveLosses;

void PunchHole(const std::string& path, uint64_t from, uint64_t bytes) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  EXPECT_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(from),
                      static_cast<off_t>(bytes)),
            0);
  close(fd);
}

// How a file may be cut. `control`: bytes of the control part; `all`: of the file.
struct Cut {
  const char* name;
  void (*cut)(const std::string& path, uint64_t control, uint64_t all);
  bool loses_control;
};

const Cut kCuts[] = {
    {"ToNothing", [](const std::string& path, uint64_t, uint64_t) { truncate(path.c_str(), 0); },
     true},
    {"ToAByte", [](const std::string& path, uint64_t, uint64_t) { truncate(path.c_str(), 1); },
     true},
    {"ToThePageOfTheHeader",
     [](const std::string& path, uint64_t, uint64_t) { truncate(path.c_str(), 4096); }, true},
    {"InTheControlPart",
     [](const std::string& path, uint64_t control, uint64_t) {
       truncate(path.c_str(), static_cast<off_t>(control - 64));
     },
     true},
    {"InTheData",
     [](const std::string& path, uint64_t control, uint64_t all) {
       truncate(path.c_str(), static_cast<off_t>(control + (all - control) / 3 + 1234));
     },
     false},
    {"AHoleInTheData",
     [](const std::string& path, uint64_t control, uint64_t all) {
       PunchHole(path, control + 8192, (all - control) / 2);
     },
     false},
    {"AHoleInTheControlPart",
     [](const std::string& path, uint64_t, uint64_t) { PunchHole(path, 4096, 4096); }, true},
    {"AHoleFromTheBeginning",
     [](const std::string& path, uint64_t control, uint64_t) {
       PunchHole(path, 0, control + 8192);
     },
     true},
    {"ToNothingAndGrownAgain",
     [](const std::string& path, uint64_t, uint64_t all) {
       truncate(path.c_str(), 0);
       truncate(path.c_str(), static_cast<off_t>(all));
     },
     true},
    {"InTheDataAndGrownAgain",
     [](const std::string& path, uint64_t control, uint64_t all) {
       truncate(path.c_str(), static_cast<off_t>(control + 20000));
       truncate(path.c_str(), static_cast<off_t>(all));
     },
     false},
};

// Entries by their producers, each of which has to be whole, and come once and in order.
struct Found {
  std::map<uint32_t, std::vector<uint32_t>> numbers;
  std::vector<std::string> complaints;
  uint64_t count = 0;
};

Found Find(const std::vector<std::string>& entries) {
  Found found;
  for (const std::string& entry : entries) {
    unsigned producer = 0;
    unsigned number = 0;
    if (std::sscanf(entry.c_str(), "%5u/%8u/", &producer, &number) != 2 ||
        entry != MakeEntry(producer, number, entry.size())) {
      found.complaints.push_back("torn: " + entry.substr(0, 40));
      continue;
    }
    std::vector<uint32_t>& numbers = found.numbers[producer];
    if (!numbers.empty() && number <= numbers.back()) {
      found.complaints.push_back(std::to_string(producer) + ": " + std::to_string(number) +
                                 " behind " + std::to_string(numbers.back()));
    }
    numbers.push_back(number);
    found.count++;
  }
  return found;
}

class AnArena : public testing::TestWithParam<Cut> {
 protected:
  AnArena() : rig_(2, engine::ShardSelection::kAffinity, 0, engine::CrashSafe::kFile) {}

  void SetUp() override {
    if (kThreadSanitizer) GTEST_SKIP() << kNoFaultsInAtomics;
  }

  void CutIt() {
    GetParam().cut(rig_.arena().path(), rig_.arena().control_bytes(), rig_.arena().bytes());
  }

  // Whether a claim finds out.
  static bool IsMet() {
    return GetParam().loses_control || std::string(GetParam().name) == "InTheData";
  }

  MoveLosses Mend() {
    MoveLosses losses;
    EXPECT_TRUE(rig_.arena().IsCut());
    engine::MoveArena(
        &rig_.sets(), io::FileInfo{}, [](uint64_t) { return false; }, &losses);
    EXPECT_FALSE(rig_.arena().IsCut());
    EXPECT_TRUE(rig_.arena().HasItsName());
    return losses;
  }

  void Say(engine::Producer* producer, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
      const std::string entry = MakeEntry(1, said_++, 300);
      ASSERT_TRUE(producer->Append(entry.data(), entry.size()));
    }
  }

  Rig rig_;
  uint32_t said_ = 0;
};

TEST_P(AnArena, GoesOnInANewFile) {
  const auto producer = rig_.NewProducer();
  Say(producer.get(), 100);
  rig_.Flush();
  Say(producer.get(), 100);
  rig_.Swap(rig_.sets().active());
  Say(producer.get(), 100);
  const uint64_t seen = rig_.sets().active();
  CutIt();
  const MoveLosses losses = Mend();
  EXPECT_EQ(losses.control, GetParam().loses_control);
  if (losses.control) {
    EXPECT_GT(rig_.sets().active(), seen + 1) << "nobody has read that as active, nor is about to";
  }
  Say(producer.get(), 100);
  rig_.Flush();
  rig_.Flush();
  const Found found = Find(rig_.Log().Entries());
  EXPECT_EQ(found.complaints, std::vector<std::string>{});
  const std::vector<uint32_t>& numbers = found.numbers.at(1);
  EXPECT_GE(numbers.size(), 200u);
  EXPECT_EQ(numbers[99], 99u) << "what was in the log is there";
  EXPECT_EQ(numbers[numbers.size() - 100], 300u) << "so is all that came afterwards";
}

TEST_P(AnArena, MayBeStoredToBeforeItIsNoticed) {
  const auto producer = rig_.NewProducer();
  Say(producer.get(), 50);
  CutIt();
  // Whether it is accepted or not, it is not torn.
  const std::string entry = MakeEntry(2, 0, 3000);
  rig_.signals().closed = true;
  producer->Append(entry.data(), entry.size());
  rig_.signals().closed = false;
  Mend();
  Say(producer.get(), 50);
  rig_.Flush();
  rig_.Flush();
  EXPECT_EQ(Find(rig_.Log().Entries()).complaints, std::vector<std::string>{});
}

// Who finds words that are not as they were made waits for the flusher, and loses nothing. Where
// all words are there, it may be accepted and lost.
TEST_P(AnArena, TakesNothingInThePlaceOfWordsThatAreGone) {
  if (!IsMet()) return;
  const auto producer = rig_.NewProducer();
  Say(producer.get(), 20);
  rig_.Flush();
  CutIt();
  const uint32_t epoch = rig_.signals().work.Epoch();
  std::thread caller([&] { Say(producer.get(), 50); });
  while (rig_.signals().work.Epoch() == epoch) std::this_thread::yield();
  Mend();
  caller.join();
  rig_.Flush();
  EXPECT_EQ(Find(rig_.Log().Entries()).count, 70u);
}

// Nobody mends it: calls are refused after a while, each of the others at once.
TEST_P(AnArena, RefusesWhatItCannotTake) {
  if (!IsMet()) return;
  const auto producer = rig_.NewProducer();
  CutIt();
  for (int i = 0; i < 1000; i++) EXPECT_FALSE(producer->Append("entry", 5));
  EXPECT_EQ(producer->accepted(), 0u);
  EXPECT_EQ(producer->dropped(), 1000u);
}

std::string NameOf(const testing::TestParamInfo<Cut>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(ThatIsCut, AnArena, testing::ValuesIn(kCuts), NameOf);

TEST(AnArenaThatIsCut, KeepsWhatLiesBeforeTheCut) {
  Rig rig(1, engine::ShardSelection::kAffinity, 0, engine::CrashSafe::kFile);
  const auto producer = rig.NewProducer();
  constexpr uint32_t kEntries = 100;
  for (uint32_t i = 0; i < kEntries; i++) {
    const std::string entry = MakeEntry(1, i, 300);
    ASSERT_TRUE(producer->Append(entry.data(), entry.size()));
  }
  // 13 entries of 304 bytes fit into a segment of 4096.
  const uint64_t end =
      rig.arena().control_bytes() + 3 * uint64_t{rig.geometry().segment_bytes} + 1000;
  truncate(rig.arena().path().c_str(), static_cast<off_t>(end));
  MoveLosses losses;
  engine::MoveArena(
      &rig.sets(), io::FileInfo{}, [](uint64_t) { return false; }, &losses);
  EXPECT_FALSE(losses.control);
  EXPECT_TRUE(losses.entries);
  rig.Flush();
  const Found found = Find(rig.Log().Entries());
  EXPECT_EQ(found.complaints, std::vector<std::string>{});
  EXPECT_EQ(found.count, 3u * 13 + (1000 - 8) / 304);
}

TEST(AnArenaThatIsCut, GoesOnInMemoryWhereNoFileCanBeMade) {
  Rig rig(1, engine::ShardSelection::kAffinity, 0, engine::CrashSafe::kFile);
  const auto producer = rig.NewProducer();
  const std::string first = MakeEntry(1, 0, 300);
  ASSERT_TRUE(producer->Append(first.data(), first.size()));
  truncate(rig.arena().path().c_str(),
           static_cast<off_t>(rig.arena().control_bytes() + rig.geometry().segment_bytes));
  MoveLosses losses;
  engine::MoveArenaToMemory(
      &rig.sets(), [](uint64_t) { return false; }, &losses);
  EXPECT_FALSE(losses.control || losses.entries);
  EXPECT_FALSE(rig.arena().IsCut());
  EXPECT_FALSE(rig.arena().HasItsName());
  const std::string second = MakeEntry(1, 1, 300);
  ASSERT_TRUE(producer->Append(second.data(), second.size()));
  rig.Flush();
  EXPECT_EQ(Find(rig.Log().Entries()).count, 2u);
}

// A whole log, whose arena is cut again and again while threads come and go.
class ALog : public testing::TestWithParam<std::pair<engine::CrashSafe, Cut>> {
 protected:
  void SetUp() override {
    if (kThreadSanitizer) GTEST_SKIP() << kNoFaultsInAtomics;
  }

  // As often as it is noticed.
  static void CutOften(engine::Log* log, uint32_t times) {
    std::atomic<uint32_t> told{0};
    log->flusher().errors().AddListener(&told, [&told](const engine::FlushError& problem) {
      if (problem.code == "ERR_SHARDLOG_ARENA_LOST") told++;
    });
    const uint64_t control = log->arena().control_bytes();
    const uint64_t all = log->arena().bytes();
    for (uint32_t i = 0; i < times; i++) {
      const uint32_t before = told;
      GetParam().second.cut(log->arena().path(), control, all);
      while (told == before) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    log->flusher().errors().RemoveListener(&told);
  }

  TempDir directory_;
};

TEST_P(ALog, HasEachEntryOnceOrCountsItAsLost) {
  const engine::Config config = PatientConfig(directory_.File("log"), GetParam().first);
  const auto log = engine::Log::Open(config);
  Traffic traffic(log);
  CutOften(log.get(), 20);
  traffic.End();
  // What comes when it has been mended for the last time is in the log.
  const auto last = log->Attach();
  constexpr uint32_t kLast = 99999;
  for (uint32_t i = 0; i < 100; i++) {
    const std::string entry = MakeEntry(kLast, i, 100);
    EXPECT_TRUE(last->Append(entry.data(), entry.size()));
  }
  log->Detach(last);
  EXPECT_TRUE(log->Close().ok());
  EXPECT_EQ(traffic.refused(), 0u);
  const engine::LogStats stats = log->Stats();
  EXPECT_EQ(stats.total_logs, traffic.accepted() + 100);
  EXPECT_EQ(stats.written_logs, stats.total_logs - stats.dropped_logs);
  const PlainLog plain = ReadPlainLog(config.path);
  EXPECT_EQ(plain.complaints, std::vector<std::string>{});
  const Found found = Find(plain.Entries());
  EXPECT_EQ(found.complaints, std::vector<std::string>{});
  EXPECT_EQ(found.count, stats.written_logs);
  EXPECT_EQ(found.numbers.at(kLast).size(), 100u);
  EXPECT_FALSE(Exists(log->arena().path()));
}

std::vector<std::pair<engine::CrashSafe, Cut>> Kinds() {
  std::vector<std::pair<engine::CrashSafe, Cut>> kinds;
  for (const Cut& cut : kCuts) {
    // Data that came back as zeroes and were stored to again before the flusher looks are not
    // noticed: these buffers are small, and filled within a millisecond.
    const std::string name = cut.name;
    if (name == "AHoleInTheData" || name == "InTheDataAndGrownAgain") continue;
    kinds.emplace_back(engine::CrashSafe::kFile, cut);
    kinds.emplace_back(engine::CrashSafe::kShm, cut);
  }
  return kinds;
}

INSTANTIATE_TEST_SUITE_P(WhoseArenaIsCut, ALog, testing::ValuesIn(Kinds()), [](const auto& info) {
  return std::string(info.param.first == engine::CrashSafe::kShm ? "Shm" : "File") +
         info.param.second.name;
});

}  // namespace
}  // namespace shardlog::test
