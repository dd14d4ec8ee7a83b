#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "engine/error.h"
#include "platform/clock.h"
#include "record/wire.h"
#include "recorder/ring.h"
#include "recorder/ring_image.h"
#include "recorder/ring_producer.h"
#include "support/child.h"
#include "support/ring_events.h"
#include "support/sanitizers.h"
#include "support/temp_dir.h"

namespace shardlog::recorder {
namespace {

using test::ByWriter;
using test::IsUnbroken;
using test::PutEvent;
using test::ReadRing;
using test::ReadRingFile;
using test::RingContent;
using test::TempDir;

constexpr size_t kEventBytes = 60;

std::shared_ptr<Ring> InMemory(uint32_t segments) {
  return std::make_shared<Ring>(RingOptions{"", segments, "{}"});
}

TEST(RecorderRing, KeepsAllEventsUntilItIsFull) {
  const auto ring = InMemory(64);
  RingProducer producer(ring, 0);
  for (uint64_t n = 1; n <= 1000; n++) ASSERT_TRUE(PutEvent(&producer, 1, n, kEventBytes));
  const RingContent content = ReadRing(*ring);
  ASSERT_EQ(content.events.size(), 1000u);
  EXPECT_TRUE(IsUnbroken(ByWriter(content)[1]));
  EXPECT_EQ(ring->Stats().recorded, 1000u);
  EXPECT_EQ(ring->Stats().overwritten, 0u);
}

TEST(RecorderRing, OverwritesTheOldestAndCountsEach) {
  const auto ring = InMemory(64);
  RingProducer producer(ring, 0);
  for (uint64_t n = 1; n <= 100'000; n++) {
    ASSERT_TRUE(PutEvent(&producer, 1, n, 13 + n % 200));
    if (n % 977 != 0) continue;
    const RingContent content = ReadRing(*ring);
    const auto numbers = ByWriter(content)[1];
    ASSERT_TRUE(IsUnbroken(numbers));
    ASSERT_EQ(numbers.back(), n);
    ASSERT_EQ(content.recorded, n);
    ASSERT_EQ(content.overwritten + numbers.size(), n);
  }
  EXPECT_EQ(ring->Stats().recorded, 100'000u);
}

// What a ring is laid out for: all but an eighth, which is being filled.
TEST(RecorderRing, KeepsSevenEighthsOfItsBytes) {
  const auto ring = InMemory(1024);
  RingProducer producer(ring, 0);
  uint64_t least = UINT64_MAX;
  for (uint64_t n = 1; n <= 300'000; n++) {
    ASSERT_TRUE(PutEvent(&producer, 1, n, kEventBytes));
    const RingStats stats = ring->Stats();
    if (stats.overwritten > 0 && n % 100 == 0) least = std::min(least, n - stats.overwritten);
  }
  EXPECT_GE(least * (kEventBytes + 4), uint64_t{1024 - kMostRun - 1} * kSegmentBytes);
}

// What a reader of the ring's slots finds of its runs, to drain.
std::vector<DrainedRun> RunsOf(const Ring& ring) {
  std::vector<DrainedRun> runs;
  for (uint32_t i = 0; i < ring.segments(); i++) {
    const Slot& slot = ring.slot(i);
    const Owner owner{slot.owner.load()};
    if (owner.sequence() == 0 || owner.closed()) continue;
    const uint32_t end = slot.offset.load();
    runs.push_back({owner.sequence(), end, (end - kFirstOffset) / uint32_t{kEventBytes + 4}});
  }
  return runs;
}

TEST(RecorderRing, CountsApartWhatWasDrainedAndWhatWasOverwrittenBefore) {
  const auto ring = InMemory(64);
  RingProducer producer(ring, 0);
  for (uint64_t n = 1; n <= 100; n++) ASSERT_TRUE(PutEvent(&producer, 1, n, kEventBytes));
  const std::vector<DrainedRun> first = RunsOf(*ring);
  ring->Drain(first);
  ring->Drain(first);
  EXPECT_EQ(ring->Stats().drained, 100u);
  EXPECT_EQ(ring->Stats().used_bytes, 0u);
  for (uint64_t n = 101; n <= 50'000; n++) ASSERT_TRUE(PutEvent(&producer, 1, n, kEventBytes));
  ring->Drain(first);  // too late for all of them
  const RingStats stats = ring->Stats();
  EXPECT_EQ(stats.recorded, 50'000u);
  EXPECT_EQ(stats.drained, 100u);
  EXPECT_EQ(stats.overwritten, 49'900u - ReadRing(*ring).events.size());
}

TEST(RecorderRing, IsDrainedWhileItIsWritten) {
  const auto ring = InMemory(256);
  std::atomic<bool> done{false};
  std::vector<std::thread> drainers;
  for (int i = 0; i < 2; i++) {
    drainers.emplace_back([&] {
      while (!done) ring->Drain(RunsOf(*ring));
    });
  }
  const uint64_t events = test::kThreadSanitizer ? 20'000 : 200'000;
  std::vector<std::thread> writers;
  for (uint32_t w = 1; w <= 2; w++) {
    writers.emplace_back([&, w] {
      RingProducer producer(ring, w);
      for (uint64_t n = 1; n <= events; n++) PutEvent(&producer, w, n, kEventBytes);
    });
  }
  for (std::thread& writer : writers) writer.join();
  done = true;
  for (std::thread& drainer : drainers) drainer.join();
  ring->Drain(RunsOf(*ring));
  const RingStats stats = ring->Stats();
  EXPECT_EQ(stats.recorded, 2 * events);
  EXPECT_EQ(stats.recorded, stats.drained + stats.overwritten);
  EXPECT_EQ(stats.used_bytes, 0u);
}

TEST(RecorderRing, ALeasedRunIsPassedBy) {
  const auto ring = InMemory(64);
  RingProducer idle(ring, 0);
  RingProducer busy(ring, 1);
  ASSERT_TRUE(PutEvent(&idle, 1, 1, kEventBytes));
  for (uint64_t n = 1; n <= 50'000; n++) ASSERT_TRUE(PutEvent(&busy, 2, n, kEventBytes));
  ASSERT_TRUE(PutEvent(&idle, 1, 2, kEventBytes));
  const auto numbers = ByWriter(ReadRing(*ring));
  EXPECT_EQ(numbers.at(1), (std::vector<uint64_t>{1, 2}));
  EXPECT_TRUE(IsUnbroken(numbers.at(2)));
  EXPECT_EQ(numbers.at(2).back(), 50'000u);
}

TEST(RecorderRing, AProducerThatEndsLeavesItsEventsAndItsPlace) {
  const auto ring = InMemory(64);
  {
    RingProducer gone(ring, 0);
    ASSERT_TRUE(PutEvent(&gone, 1, 1, kEventBytes));
  }
  EXPECT_EQ(ring->producers(), 0u);
  RingProducer next(ring, 0);
  ASSERT_TRUE(PutEvent(&next, 2, 1, kEventBytes));
  EXPECT_EQ(ReadRing(*ring).events.size(), 2u);
  for (uint64_t n = 2; n <= 50'000; n++) ASSERT_TRUE(PutEvent(&next, 2, n, kEventBytes));
  EXPECT_FALSE(ByWriter(ReadRing(*ring)).contains(1));
}

TEST(RecorderRing, LargeEventsTakeSeveralSegmentsAndTooLargeOnesAreDropped) {
  const auto ring = InMemory(64);
  RingProducer producer(ring, 0);
  const size_t most = ring->MostBytes() - 4;
  for (uint64_t n = 1; n <= 100; n++) ASSERT_TRUE(PutEvent(&producer, 1, n, n % 3 ? 100 : most));
  EXPECT_FALSE(PutEvent(&producer, 1, 101, most + 1));
  EXPECT_EQ(ring->Stats().dropped, 1u);
  const auto numbers = ByWriter(ReadRing(*ring))[1];
  EXPECT_TRUE(IsUnbroken(numbers));
  EXPECT_EQ(numbers.back(), 100u);
  EXPECT_EQ(ring->Stats().recorded, 100u);
}

TEST(RecorderRing, MoreThreadsThanItHasRoomFor) {
  const auto ring = InMemory(64);
  std::vector<std::unique_ptr<RingProducer>> producers;
  for (uint32_t i = 0; i < 300; i++) producers.push_back(std::make_unique<RingProducer>(ring, i));
  for (uint64_t n = 1; n <= 50; n++) {
    for (uint32_t i = 0; i < 300; i++) ASSERT_TRUE(PutEvent(producers[i].get(), i, n, kEventBytes));
  }
  const RingContent content = ReadRing(*ring);
  EXPECT_EQ(content.torn, 0u);
  EXPECT_EQ(content.recorded, 15'000u);
  EXPECT_EQ(content.overwritten + content.events.size(), 15'000u);
  EXPECT_EQ(ring->Stats().dropped, 0u);
}

TEST(RecorderRing, AThousandThreadsTearNothingAndEachOverwriteIsCounted) {
  constexpr uint32_t kThreads = 1024;
  const uint64_t events = test::kThreadSanitizer ? 300 : 2'000;
  const auto ring = InMemory(1986);
  std::vector<std::thread> threads;
  std::atomic<uint64_t> accepted{0};
  for (uint32_t i = 0; i < kThreads; i++) {
    threads.emplace_back([&, i] {
      RingProducer producer(ring, i);
      uint64_t mine = 0;
      for (uint64_t n = 1; n <= events; n++) mine += PutEvent(&producer, i, n, kEventBytes) ? 1 : 0;
      accepted += mine;
    });
  }
  for (std::thread& thread : threads) thread.join();
  const RingContent content = ReadRing(*ring);
  const RingStats stats = ring->Stats();
  EXPECT_EQ(content.torn, 0u);
  EXPECT_EQ(stats.recorded, accepted);
  EXPECT_EQ(stats.recorded + stats.dropped, kThreads * events);
  EXPECT_EQ(content.overwritten + content.events.size(), stats.recorded);
  EXPECT_EQ(stats.overwritten, content.overwritten);
}

TEST(RecorderRing, ReadersSeeWholeEventsInOrderWhileItIsWritten) {
  constexpr uint32_t kWriters = 4;
  const auto ring = InMemory(64);
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (uint32_t i = 0; i < kWriters; i++) {
    writers.emplace_back([&, i] {
      RingProducer producer(ring, i);
      for (uint64_t n = 1; !stop.load(); n++) PutEvent(&producer, i, n, 13 + n % 90);
    });
  }
  // Each of them, and the ring has been overwritten.
  while (ring->producers() < kWriters || ring->Stats().overwritten == 0) std::this_thread::yield();
  std::vector<uint8_t> image(ring->file_bytes());
  uint64_t runs = 0;
  for (int i = 0; i < (test::kThreadSanitizer ? 100 : 500); i++) {
    runs += CopyImage(*ring, image.data()).runs;
    const RingContent content = ReadRing(image);
    ASSERT_EQ(content.torn, 0u);
    for (const auto& [writer, numbers] : ByWriter(content)) {
      for (size_t at = 1; at < numbers.size(); at++) ASSERT_LT(numbers[at - 1], numbers[at]);
    }
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
  EXPECT_GT(runs, 0u);
  const RingContent content = ReadRing(*ring);
  EXPECT_EQ(content.torn, 0u);
  EXPECT_EQ(content.overwritten + content.events.size(), ring->Stats().recorded);
}

TEST(RecorderRing, TouchesNoPageBeforeItIsUsed) {
  const auto ring = InMemory(2000);
  RingProducer producer(ring, 0);
  for (uint64_t n = 1; n <= 100; n++) ASSERT_TRUE(PutEvent(&producer, 1, n, kEventBytes));
  std::vector<unsigned char> resident(ring->data_bytes() / kSegmentBytes);
  ASSERT_EQ(mincore(ring->data(), ring->data_bytes(), resident.data()), 0);
  size_t pages = 0;
  for (const unsigned char page : resident) pages += page & 1u;
  EXPECT_LE(pages, 3u);
}

TEST(RecorderRing, TimesAreInNanosecondsUnlessAnotherClockWasPutInPlace) {
  const auto ring = InMemory(64);
  RingProducer producer(ring, 0);
  uint8_t text[record::kTextLineOffset + 1] = {static_cast<uint8_t>(record::Kind::kText)};
  const uint64_t before = platform::RealtimeNs();
  format::Store(text + 1, static_cast<double>(before / 1'000'000));
  ASSERT_TRUE(producer.Append(text, sizeof text));
  format::Store(text + 1, 1234.0);
  ASSERT_TRUE(producer.Append(text, sizeof text));
  const uint8_t* const run = ring->data() + kFirstOffset;
  const auto now = format::Load<uint64_t>(run + 5);
  EXPECT_GE(now, before - 1'000'000);
  EXPECT_LE(now, platform::RealtimeNs() + 1'000'000);
  EXPECT_EQ(format::Load<double>(run + 4 + sizeof text + 5), 1234.0);
}

// A record of `bytes` whose time is told, and nothing else that is looked at.
std::vector<uint8_t> RecordOf(size_t bytes, double time) {
  std::vector<uint8_t> record(bytes, 7);
  record[0] = static_cast<uint8_t>(record::Kind::kRecord);
  format::Store(record.data() + record::kRecordTimeOffset, time);
  return record;
}

TEST(RecorderRing, TakesACopyOfARecordThatLiesElsewhere) {
  using engine::JsControl;
  const auto ring = InMemory(64);
  RingProducer producer(ring, 0);
  int32_t* const words = producer.js_words();
  words[JsControl::kEnd] = 100;
  EXPECT_EQ(producer.PayloadBytes(), 0u) << "there is no lease";
  ASSERT_EQ(producer.Renew(1), engine::Renewal::kRenewed);
  const uint8_t* const data = ring->data() + words[JsControl::kStart];
  const std::vector<uint8_t> record = RecordOf(40, 1.5);

  words[JsControl::kEnd] = 8 + 4 + 40;
  ASSERT_EQ(producer.PayloadBytes(), 40u);
  producer.PublishCopy(record.data(), 40, 123);
  EXPECT_EQ(words[JsControl::kEnd], 0);
  EXPECT_EQ(format::Load<uint32_t>(data + 8), 40u);
  EXPECT_EQ(format::Load<uint64_t>(data + 12 + record::kRecordTimeOffset), 123u);
  EXPECT_EQ(data[12 + 39], 7);

  // A clock of somebody's own.
  words[JsControl::kEnd] = 52 + 4 + 40;
  producer.PublishCopy(record.data(), producer.PayloadBytes(), 0);
  EXPECT_EQ(format::Load<double>(data + 56 + record::kRecordTimeOffset), 1.5);
  EXPECT_EQ(ring->Stats().recorded, 2u);

  words[JsControl::kEnd] = words[JsControl::kLimit] + 1;
  EXPECT_EQ(producer.PayloadBytes(), 0u) << "beyond the lease";
  words[JsControl::kEnd] = 96;
  EXPECT_EQ(producer.PayloadBytes(), 0u) << "nothing behind the last entry";
}

TEST(RecorderFile, IsLockedWhileItsRecorderLives) {
  const TempDir dir;
  const Ring ring({dir.File("a"), 64, "{}"});
  try {
    const Ring second({dir.File("a"), 64, "{}"});
    FAIL() << "a second ring at the same path";
  } catch (const engine::Error& error) {
    EXPECT_EQ(error.code(), "ERR_SHARDLOG_LOCKED");
  }
}

TEST(RecorderFile, IsRemovedWhenClosedUnlessItIsKept) {
  const TempDir dir;
  Ring(RingOptions{dir.File("a"), 64, "{}"}).Close(false);
  EXPECT_FALSE(test::Exists(dir.File("a")));
  Ring(RingOptions{dir.File("a"), 64, "{}"}).Close(true);
  EXPECT_TRUE(test::Exists(dir.File("a")));
  const Ring next({dir.File("a"), 64, "{}"});
  EXPECT_EQ(next.left(), dir.File("a.left-1"));
  EXPECT_TRUE(test::Exists(next.left()));
}

TEST(RecorderFile, WhatIsNoArenaIsLeftAlone) {
  const TempDir dir;
  test::WriteFile(dir.File("a"), "somebody's notes");
  EXPECT_THROW(Ring({dir.File("a"), 64, "{}"}), engine::Error);
  EXPECT_EQ(test::ReadFile(dir.File("a")), "somebody's notes");
}

// Another program cuts the file: to nothing, behind the slots, and as zeroes that come back.
TEST(RecorderFile, ThatIsCutTakesNoMoreAndCountsWhatItDrops) {
  if (test::kThreadSanitizer) GTEST_SKIP() << test::kNoFaultsInAtomics;
  const TempDir directory;
  for (const auto& [to, again] :
       std::vector<std::pair<uint64_t, bool>>{{0, false}, {DataAt(256) + 100, false}, {0, true}}) {
    const std::string path = directory.File("ring" + std::to_string(to) + (again ? "again" : ""));
    const auto ring = std::make_shared<Ring>(RingOptions{path, 256, "{}"});
    RingProducer producer(ring, 0);
    RingProducer other(ring, 1);
    for (uint64_t n = 1; n <= 1000; n++) ASSERT_TRUE(PutEvent(&producer, 1, n, kEventBytes));
    ASSERT_EQ(truncate(path.c_str(), static_cast<off_t>(to)), 0);
    if (again) ASSERT_EQ(truncate(path.c_str(), static_cast<off_t>(ring->file_bytes())), 0);
    uint64_t dropped = 0;
    std::vector<std::thread> threads;
    threads.emplace_back([&] {
      for (uint64_t n = 1; n <= 20'000; n++) PutEvent(&other, 2, n, kEventBytes);
    });
    for (uint64_t n = 1001; n <= 20'000; n++) {
      dropped += PutEvent(&producer, 1, n, kEventBytes) ? 0 : 1;
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_GT(dropped, 0u);
    EXPECT_GE(ring->Stats().dropped, dropped);
    std::vector<uint8_t> image(ring->file_bytes());
    CopyImage(*ring, image.data());
  }
}

TEST(RecorderFile, AKillAtAnyMomentLeavesTheLastEventsWhole) {
  const int kills = test::kThreadSanitizer ? 10 : 60;
  constexpr uint32_t kThreads = 2;
  std::mt19937 random(std::random_device{}());
  for (int kill_number = 0; kill_number < kills; kill_number++) {
    const TempDir dir;
    auto* const told = static_cast<std::atomic<uint64_t>*>(
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(told, MAP_FAILED);
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      const auto ring = std::make_shared<Ring>(RingOptions{dir.File("a"), 128, "{}"});
      std::vector<std::thread> threads;
      for (uint32_t i = 0; i < kThreads; i++) {
        threads.emplace_back([&, i] {
          RingProducer producer(ring, i);
          for (uint64_t n = 1;; n++) {
            PutEvent(&producer, i, n, 13 + n % 60);
            told[i].store(n);
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
    }
    while (told[0].load() == 0 || told[1].load() == 0) usleep(100);
    usleep(random() % 20'000);
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    const RingContent content = ReadRingFile(dir.File("a"));
    EXPECT_EQ(content.torn, 0u);
    const auto numbers = ByWriter(content);
    for (uint32_t i = 0; i < kThreads; i++) {
      // A thread that slept between two runs while the other went round the ring has nothing there.
      if (!numbers.contains(i)) {
        EXPECT_GE(content.overwritten, told[i].load());
        continue;
      }
      EXPECT_TRUE(IsUnbroken(numbers.at(i)));
      EXPECT_GE(numbers.at(i).back(), told[i].load());
      EXPECT_LE(numbers.at(i).back(), told[i].load() + 1);
    }
    // An event may be accepted and not counted yet, one of each thread.
    EXPECT_LE(content.recorded, content.overwritten + content.events.size());
    EXPECT_GE(content.recorded + kThreads, content.overwritten + content.events.size());
    munmap(told, 4096);
  }
}

}  // namespace
}  // namespace shardlog::recorder
