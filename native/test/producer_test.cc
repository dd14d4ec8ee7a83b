// What a producer accepts, where it goes, and what it drops.
#include "engine/producer.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "platform/clock.h"
#include "support/entries.h"
#include "support/rig.h"

namespace shardlog::test {
namespace {

using engine::JsControl;
using engine::Producer;
using engine::Renewal;

constexpr uint32_t kShardBytes = 65536;

bool Append(Producer& producer, const std::string& entry) {
  return producer.Append(entry.data(), entry.size());
}

// --- the seed's tests ---

TEST(Buffer, Write) {
  Rig rig;
  const auto producer = rig.NewProducer();
  ASSERT_TRUE(Append(*producer, "Hello, World!\n"));
  const uint8_t* segment = rig.arena().segment(0, 0, 0);
  uint32_t length = 0;
  std::memcpy(&length, segment + 8, 4);
  EXPECT_EQ(length, 14u) << "the first 8 bytes are the block header's";
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(segment) + 12, 14), "Hello, World!\n");
  EXPECT_EQ(rig.arena().slot(0, 0, 0).Peek().offset(), 8u + 4 + 14);
}

TEST(Buffer, FillAndFlush) {
  Rig rig;
  const auto producer = rig.NewProducer();
  const std::string entry(1000, 'x');
  size_t accepted = 0;
  while (!rig.sets().NearlyFull(0)) {
    ASSERT_TRUE(Append(*producer, entry));
    accepted++;
  }
  EXPECT_GE(rig.arena().claim(0, 0).Read().claimed() * 100, 16u * 90);
  EXPECT_EQ(rig.sets().active(), 1u) << "at 90 % of a shard the producer swaps the sets";
  rig.FlushOldest();
  EXPECT_EQ(rig.Log().Entries().size(), accepted);
  EXPECT_FALSE(rig.sets().NearlyFull(1));
}

TEST(Shard, ConcurrentWrites) {
  Rig rig;
  constexpr int kThread = 8;
  constexpr uint32_t kEntries = 40;
  std::vector<std::unique_ptr<Producer>> producers;
  for (int i = 0; i < kThread; i++) producers.push_back(rig.NewProducer());
  std::vector<std::thread> threads;
  for (int i = 0; i < kThread; i++) {
    threads.emplace_back([&, i] {
      for (uint32_t n = 0; n < kEntries; n++) {
        EXPECT_TRUE(Append(*producers[i], MakeEntry(static_cast<uint32_t>(i), n, 60)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  rig.Flush();
  const EntryCheck check = CheckEntries(rig.Log().Entries());
  EXPECT_EQ(check.complaints, std::vector<std::string>{});
  for (int i = 0; i < kThread; i++) EXPECT_EQ(check.count.at(static_cast<uint32_t>(i)), kEntries);
}

// --- sizes ---

TEST(Sizes, AnEmptyEntryIsDroppedAndCounted) {
  Rig rig;
  const auto producer = rig.NewProducer();
  EXPECT_FALSE(producer->Append("", 0));
  EXPECT_EQ(producer->empty(), 1u);
  EXPECT_EQ(producer->dropped(), 1u);
  ASSERT_TRUE(Append(*producer, "x"));
  EXPECT_FALSE(producer->Append("", 0)) << "also with a lease in hand";
  EXPECT_EQ(producer->accepted(), 1u);
}

TEST(Sizes, TheLargestEntryFillsAShardAndOneByteMoreIsOversized) {
  Rig rig;
  const auto producer = rig.NewProducer();
  const std::string largest(kShardBytes - 12, 'L');
  EXPECT_FALSE(Append(*producer, largest + "!"));
  EXPECT_EQ(producer->oversized(), 1u);
  EXPECT_EQ(rig.sets().active(), 0u) << "an oversized entry swaps nothing";
  ASSERT_TRUE(Append(*producer, largest));
  rig.Flush();
  const PlainLog log = rig.Log();
  ASSERT_EQ(log.blocks.size(), 1u);
  EXPECT_EQ(log.blocks[0].valid, kShardBytes - 8);
  EXPECT_EQ(log.blocks[0].capacity, kShardBytes);
  EXPECT_TRUE(log.blocks[0].has_trailer) << "in a carrier";
  EXPECT_EQ(log.blocks[0].trailer.flags & 1, 1);
  EXPECT_EQ(log.Entries()[0], largest);
}

class EveryLength : public testing::TestWithParam<size_t> {};

// Lengths around everything that is aligned: sector, sector less header, less trailer, segment,
// page, shard.
TEST_P(EveryLength, IsReadBack) {
  const size_t around = GetParam();
  Rig rig;
  const auto producer = rig.NewProducer();
  std::vector<std::string> expected;
  for (size_t size = around > 90 ? around - 90 : 1; size <= around + 20 && size <= kShardBytes - 12;
       size++) {
    expected.push_back(std::string(size, static_cast<char>('a' + size % 26)));
    ASSERT_TRUE(Append(*producer, expected.back())) << size;
    rig.Flush();
  }
  EXPECT_EQ(rig.Log().Entries(), expected);
}

INSTANTIATE_TEST_SUITE_P(AroundAlignmentEdges, EveryLength,
                         testing::Values(1, 512, 1024, 4096, 8192, 3 * 4096, 32768,
                                         kShardBytes - 512, kShardBytes - 12));

TEST(Sizes, ASegmentIsFilledToTheRoomForItsTrailer) {
  for (uint32_t last = 1; last < 140; last++) {
    Rig rig;
    const auto producer = rig.NewProducer();
    ASSERT_TRUE(Append(*producer, std::string(4096 - 64 - 12 - 150, 'a')));
    ASSERT_TRUE(Append(*producer, std::string(last, 'b')));
    ASSERT_TRUE(Append(*producer, "after"));
    rig.Flush();
    EXPECT_EQ(rig.Log().Entries().size(), 3u) << last;
  }
}

TEST(Sizes, LargeEntriesBetweenSmallOnesKeepTheirOrder) {
  Rig rig(2);
  const auto producer = rig.NewProducer();
  Random random(5);
  for (uint32_t n = 0; n < 300; n++) {
    const size_t size = n % 7 == 3 ? random.Between(4000, 30000) : random.Between(20, 300);
    const std::string entry = MakeEntry(1, n, size);
    if (!Append(*producer, entry)) {
      // Both sets are used up: the flusher's turn.
      rig.FlushOldest();
      ASSERT_TRUE(Append(*producer, entry));
    }
  }
  rig.Flush();
  const EntryCheck check = CheckEntries(rig.Log().Entries());
  EXPECT_EQ(check.complaints, std::vector<std::string>{});
  EXPECT_EQ(check.count.at(1), 300u);
}

// --- full sets ---

TEST(Full, OneThreadUsesEveryShardOfTheActiveSetAndThenTheOtherSet) {
  Rig rig(4);
  const auto producer = rig.NewProducer();
  const std::string entry(4096 - 64 - 12, 'x');  // one segment
  size_t accepted = 0;
  while (Append(*producer, entry)) accepted++;
  // 15 of the first shard, which is its 90 %: swap while there is room. Then all of the other set,
  // which nobody may swap.
  EXPECT_EQ(accepted, 15u + 4 * 16);
  EXPECT_EQ(producer->dropped(), 1u);
  rig.FlushOldest();
  EXPECT_TRUE(Append(*producer, entry)) << "a free set again";
}

TEST(Full, NothingIsDroppedWhileASetIsFree) {
  Rig rig(2);
  const auto producer = rig.NewProducer();
  for (uint32_t n = 0; n < 3000; n++) {
    if (rig.sets().recycled() < rig.sets().active()) rig.FlushOldest();
    ASSERT_TRUE(Append(*producer, MakeEntry(1, n, 200)));
  }
  EXPECT_EQ(producer->dropped(), 0u);
}

TEST(Full, IdleLeasesAreNoRoomButNoEndlessLoopEither) {
  Rig rig;
  std::vector<std::unique_ptr<Producer>> idle;
  // Every segment of both sets pinned by a thread that logged once.
  for (int set = 0; set < 2; set++) {
    for (int i = 0; i < 16; i++) {
      idle.push_back(rig.NewProducer());
      ASSERT_TRUE(Append(*idle.back(), "x"));
    }
    rig.Flush();
  }
  const auto late = rig.NewProducer();
  EXPECT_FALSE(Append(*late, "y"));
  EXPECT_EQ(late->dropped(), 1u);
  idle[0]->Detach();
  idle[20]->Detach();
  rig.Flush();
  EXPECT_TRUE(Append(*late, "y"));
}

TEST(Full, CrowdedThreadsGiveTheirLeaseUpAfterEachCall) {
  Rig rig;
  rig.signals().crowded = true;
  std::vector<std::unique_ptr<Producer>> producers;
  for (uint32_t i = 0; i < 10; i++) producers.push_back(rig.NewProducer());
  for (uint32_t n = 0; n < 20; n++) {
    for (uint32_t i = 0; i < 10; i++) ASSERT_TRUE(Append(*producers[i], MakeEntry(i, n, 40)));
    for (uint32_t s = 0; s < 10; s++) EXPECT_EQ(rig.arena().lessee(0, 0, s).Lessee(), 0u);
  }
  EXPECT_EQ(rig.arena().claim(0, 0).Read().claimed(), 10u) << "each went on in the segment it had";
  rig.Flush();
  EXPECT_EQ(CheckEntries(rig.Log().Entries()).complaints, std::vector<std::string>{});
}

TEST(Full, ARunThatIsGivenUpWhileCrowdedIsNotTakenBack) {
  Rig rig;
  rig.signals().longest_run = 4;
  rig.signals().crowded = true;
  const auto producer = rig.NewProducer();
  for (const uint32_t claimed : {4u, 8u}) {
    ASSERT_TRUE(Append(*producer, MakeEntry(0, claimed, 40)));
    EXPECT_EQ(rig.arena().claim(0, 0).Read().claimed(), claimed);
  }
  rig.signals().longest_run = 1;
  for (uint32_t n = 0; n < 5; n++) ASSERT_TRUE(Append(*producer, MakeEntry(0, 9 + n, 40)));
  EXPECT_EQ(rig.arena().claim(0, 0).Read().claimed(), 9u);
  for (uint32_t s = 0; s < 16; s++) EXPECT_EQ(rig.arena().lessee(0, 0, s).Lessee(), 0u);
  rig.Flush();
  EXPECT_EQ(rig.Log().Entries().size(), 7u);
}

TEST(Run, IsFilledAndLeftOverManyGenerations) {
  Rig rig;
  rig.signals().longest_run = 4;
  const auto producer = rig.NewProducer();
  uint32_t count = 0;
  for (; rig.sets().active() < 3; count++) {
    ASSERT_TRUE(Append(*producer, MakeEntry(1, count, 100)));
    if (rig.sets().recycled() < rig.sets().active()) rig.FlushOldest();
  }
  rig.Flush();
  const std::vector<std::string> entries = rig.Log().Entries();
  EXPECT_EQ(entries.size(), count);
  EXPECT_EQ(CheckEntries(entries).complaints, std::vector<std::string>{});
}

TEST(Run, IsNotBegunAtTheThresholdButInTheOtherSetIfThatIsFree) {
  Rig rig;
  rig.signals().longest_run = 16;
  const auto producer = rig.NewProducer();
  const std::string entry(1000, 'x');
  while (rig.sets().active() == 0) ASSERT_TRUE(Append(*producer, entry));
  EXPECT_EQ(rig.arena().claim(0, 0).Read().claimed(), 14u);
  EXPECT_EQ(rig.arena().claim(1, 0).Read().claimed(), 14u);
  // The other set is not free now: what is left of this one is a run, too.
  while (rig.arena().claim(1, 0).Read().claimed() == 14) ASSERT_TRUE(Append(*producer, entry));
  EXPECT_EQ(rig.sets().active(), 1u);
  EXPECT_EQ(rig.arena().claim(1, 0).Read().claimed(), 16u);
  rig.FlushOldest();
  EXPECT_TRUE(rig.sets().NearlyFull(1)) << "the flusher swaps";
}

TEST(Run, GrowsAsItIsFilledAndShrinksWhereLittleIsUsed) {
  TempDir directory;
  engine::Config config = SmallConfig(directory.File("log"), 1);
  config.buffer_bytes = 1 << 20;  // 32 segments of 16 KiB, 28 of them below the threshold
  const auto sets = std::make_shared<engine::BufferSets>(engine::Arena::Create(config, {}, 77));
  const auto signals = std::make_shared<engine::Signals>();
  signals->longest_run = 32;
  Producer producer(sets, signals, config, 1, false);
  const std::string entry(1000, 'x');
  const auto claimed = [&](uint64_t generation) {
    return sets->arena().claim(generation, 0).Read().claimed();
  };
  const auto flush = [&](uint64_t generation) {
    sets->TrySwap(generation);
    sets->Seal(generation, 0);
    sets->MarkWritten(generation);
    sets->Recycle(generation);
  };
  std::vector<uint32_t> seen{0};
  while (sets->active() == 0) {
    ASSERT_TRUE(Append(producer, entry));
    if (sets->active() == 0 && claimed(0) != seen.back()) seen.push_back(claimed(0));
  }
  EXPECT_EQ(seen, (std::vector<uint32_t>{0, 4, 12, 28}));
  EXPECT_EQ(claimed(1), 28u);
  // However often it is filled, it is no longer than a shard.
  for (uint64_t generation = 0; generation < 20; generation++) {
    flush(generation);
    while (sets->active() == generation + 1) ASSERT_TRUE(Append(producer, entry));
  }
  std::vector<uint32_t> later;
  for (uint64_t generation = 20; generation < 26; generation++) {
    flush(generation);
    ASSERT_TRUE(Append(producer, entry));
    later.push_back(claimed(sets->active()));
  }
  EXPECT_EQ(later, (std::vector<uint32_t>{28, 16, 8, 4, 4, 4}));
}

TEST(Run, OfAnIdleThreadDoesNotMakeAnotherOneSwapTheSetsAgainAndAgain) {
  Rig rig(2);
  rig.signals().longest_run = 16;
  const auto idle = rig.NewProducer();
  const auto other = rig.NewProducer();
  const auto busy = rig.NewProducer();
  ASSERT_TRUE(Append(*idle, "x"));
  rig.Flush();
  rig.Flush();
  ASSERT_EQ(rig.sets().active(), 2u) << "the set that the idle thread leases 14 segments of";
  const std::string entry(1000, 'x');
  while (rig.arena().claim(2, 1).Read().claimed() == 0) ASSERT_TRUE(Append(*busy, entry));
  EXPECT_EQ(rig.sets().active(), 2u) << "of its own shard only two segments were to be had";
  while (rig.sets().active() == 2) ASSERT_TRUE(Append(*busy, entry));
  EXPECT_EQ(rig.arena().claim(2, 1).Read().claimed(), 16u);
}

// --- the end ---

TEST(Detach, ReleasesTheLeaseAndDropsFromThenOn) {
  Rig rig;
  const auto producer = rig.NewProducer();
  ASSERT_TRUE(Append(*producer, "x"));
  EXPECT_EQ(rig.arena().lessee(0, 0, 0).Lessee(), 1u);
  producer->Detach();
  EXPECT_EQ(rig.arena().lessee(0, 0, 0).Lessee(), 0u);
  EXPECT_FALSE(Append(*producer, "y"));
  EXPECT_EQ(producer->dropped(), 1u);
}

TEST(Closed, EverythingIsDroppedAndCounted) {
  Rig rig;
  const auto producer = rig.NewProducer();
  rig.signals().closed = true;
  EXPECT_FALSE(Append(*producer, "x"));
  EXPECT_EQ(producer->dropped(), 1u);
}

TEST(Block, WaitsNoLongerThanTheTimeout) {
  Rig rig;
  engine::Config config = SmallConfig("unused", 1);
  config.on_full = engine::OnFull::kBlock;
  config.block_timeout_ns = 2'000'000;
  auto sets = std::shared_ptr<engine::BufferSets>(&rig.sets(), [](engine::BufferSets*) {});
  auto signals = std::shared_ptr<engine::Signals>(&rig.signals(), [](engine::Signals*) {});
  Producer producer(sets, signals, config, 1);
  const std::string entry(4000, 'x');
  while (Append(producer, entry)) {
  }
  EXPECT_EQ(producer.blocked(), 1u);
  EXPECT_EQ(producer.dropped(), 1u);
}

TEST(Block, WhileWritingFailsOneCallWaitsAndTheOthersDoNot) {
  Rig rig;
  engine::ErrorReporter errors;
  rig.signals().errors = &errors;
  engine::Config config = SmallConfig("unused", 1);
  config.on_full = engine::OnFull::kBlock;
  config.block_timeout_ns = 1'000'000;
  auto sets = std::shared_ptr<engine::BufferSets>(&rig.sets(), [](engine::BufferSets*) {});
  auto signals = std::shared_ptr<engine::Signals>(&rig.signals(), [](engine::Signals*) {});
  Producer producer(sets, signals, config, 1);
  const std::string entry(4000, 'x');
  // Slow, but not failing: each waits.
  while (Append(producer, entry)) {
  }
  EXPECT_FALSE(Append(producer, entry));
  EXPECT_EQ(producer.blocked(), 2u);
  errors.ReportFailure({"ERR_SHARDLOG_WRITE", "no room", "unused", ENOSPC, "write"});
  for (int i = 0; i < 10; i++) EXPECT_FALSE(Append(producer, entry));
  EXPECT_EQ(producer.blocked(), 3u);
  errors.ReportSuccess();
  EXPECT_FALSE(Append(producer, entry));
  EXPECT_EQ(producer.blocked(), 4u);
  EXPECT_EQ(producer.dropped(), 13u);
}

// --- the direct route ---

TEST(DirectRoute, TheLeaseTellsWhereJavaScriptMayWrite) {
  Rig rig(2);
  const auto producer = rig.NewProducer();
  const auto* words = reinterpret_cast<const int32_t*>(rig.arena().control());
  EXPECT_LT(words[producer->js_words()[JsControl::kWord]], 8)
      << "no lease yet: a word that refuses";
  ASSERT_TRUE(Append(*producer, "x"));
  EXPECT_EQ(words[producer->js_words()[JsControl::kWord]], 8 + 4 + 1);
  EXPECT_EQ(producer->js_words()[JsControl::kLimit], 4096 - 64);
  const int32_t lease = producer->js_words()[JsControl::kSerial];
  ASSERT_TRUE(Append(*producer, std::string(3000, 'x')));
  EXPECT_EQ(producer->js_words()[JsControl::kSerial], lease) << "the same lease";
  ASSERT_TRUE(Append(*producer, std::string(3000, 'x')));
  EXPECT_NE(producer->js_words()[JsControl::kSerial], lease) << "the next segment";
  rig.Flush();
  EXPECT_LT(words[producer->js_words()[JsControl::kWord]], 8);
}

// Writes into a renewed lease as JavaScript does.
class JavaScript {
 public:
  JavaScript(Rig& rig, Producer* producer)
      : producer_(producer),
        words_(reinterpret_cast<const int32_t*>(rig.arena().control())),
        lease_(producer->js_words()) {
    EXPECT_EQ(producer->Renew(1), Renewal::kRenewed);
    segment_ =
        rig.arena().shard_data(lease_[JsControl::kBuffer] / 2, lease_[JsControl::kBuffer] % 2) +
        lease_[JsControl::kStart];
  }

  // Behind the last entry, then what Publish is to know.
  bool Publish(const std::string& payload, int32_t time_at = 0) {
    const int32_t start = offset() + 4;
    if (offset() < 8) return false;
    std::memcpy(segment_ + start, payload.data(), payload.size());
    lease_[JsControl::kEnd] = start + static_cast<int32_t>(payload.size());
    lease_[JsControl::kTime] = time_at == 0 ? 0 : start + time_at;
    producer_->Publish();
    return lease_[JsControl::kEnd] == 0;
  }

  int32_t offset() const { return words_[lease_[JsControl::kWord]]; }
  const uint8_t* first_entry() const { return segment_ + 8; }

 private:
  Producer* const producer_;
  const int32_t* const words_;
  int32_t* const lease_;
  uint8_t* segment_;
};

TEST(DirectRoute, PublishesWhatJavaScriptHasWritten) {
  Rig rig(2);
  const auto producer = rig.NewProducer();
  JavaScript script(rig, producer.get());
  EXPECT_TRUE(script.Publish("first"));
  EXPECT_TRUE(script.Publish("second"));
  EXPECT_EQ(producer->accepted(), 2u);
  EXPECT_EQ(script.offset(), 8 + 4 + 5 + 4 + 6);
  EXPECT_EQ(format::Load<uint32_t>(script.first_entry()), 5u);
  EXPECT_EQ(std::memcmp(script.first_entry() + 4, "first", 5), 0);
}

TEST(DirectRoute, PutsTheTimeWhereItIsToldTo) {
  Rig rig(2);
  const auto producer = rig.NewProducer();
  JavaScript script(rig, producer.get());
  const double before = std::floor(static_cast<double>(platform::RealtimeNs()) / 1e6);
  ASSERT_TRUE(script.Publish(std::string(20, 'x'), 3));
  const double after = std::floor(static_cast<double>(platform::RealtimeNs()) / 1e6);
  const uint8_t* payload = script.first_entry() + 4;
  const auto time = format::Load<double>(payload + 3);
  // A reading of another counter may be a moment ahead.
  EXPECT_GE(time, before - 1);
  EXPECT_LE(time, after + 1);
  EXPECT_EQ(payload[2], 'x');
  EXPECT_EQ(payload[11], 'x');
}

TEST(DirectRoute, TellsWhatIsBeingPublishedAndTakesTheTimeFromWhomItIsTold) {
  Rig rig(2);
  const auto producer = rig.NewProducer();
  JavaScript script(rig, producer.get());
  int32_t* const lease = producer->js_words();
  std::memcpy(const_cast<uint8_t*>(script.first_entry()) + 4, "some payload", 12);
  lease[JsControl::kEnd] = 8 + 4 + 12;
  lease[JsControl::kTime] = 8 + 4;
  EXPECT_EQ(producer->Written(12), script.first_entry() + 4);
  producer->PublishAt([] { return 2.5; });
  EXPECT_EQ(lease[JsControl::kEnd], 0);
  EXPECT_EQ(format::Load<double>(script.first_entry() + 4), 2.5);
  EXPECT_EQ(std::memcmp(script.first_entry() + 12, "load", 4), 0);
  lease[JsControl::kEnd] = lease[JsControl::kLimit] + 1;
  EXPECT_EQ(producer->Written(1), nullptr) << "beyond the lease";
  lease[JsControl::kEnd] = 10;
  EXPECT_EQ(producer->Written(11), nullptr) << "before it";
}

TEST(DirectRoute, PublishesNothingOnceTheSegmentIsSealed) {
  Rig rig(2);
  const auto producer = rig.NewProducer();
  ASSERT_EQ(producer->Renew(1), Renewal::kRenewed);
  int32_t* lease = producer->js_words();
  rig.Flush();
  lease[JsControl::kEnd] = 20;
  producer->Publish();
  EXPECT_EQ(lease[JsControl::kEnd], 20);
  EXPECT_EQ(producer->accepted(), 0u);
}

TEST(DirectRoute, PublishesNothingBeyondTheLease) {
  Rig rig(2);
  const auto producer = rig.NewProducer();
  ASSERT_EQ(producer->Renew(1), Renewal::kRenewed);
  int32_t* lease = producer->js_words();
  for (const int32_t end : {lease[JsControl::kLimit] + 1, 12, 11, 8, 0, -1}) {
    lease[JsControl::kEnd] = end;
    producer->Publish();
    EXPECT_EQ(lease[JsControl::kEnd], end);
  }
  EXPECT_EQ(producer->accepted(), 0u);
}

TEST(DirectRoute, NativeCodeWritesBehindTheLastEntryAndWithinTheLease) {
  Rig rig(2);
  const auto producer = rig.NewProducer();
  int32_t* lease = producer->js_words();
  lease[JsControl::kEnd] = 20;
  EXPECT_EQ(producer->WritePlace().at, nullptr) << "no lease";
  JavaScript script(rig, producer.get());
  ASSERT_TRUE(script.Publish("first"));
  const int32_t offset = script.offset();
  for (const int32_t outside :
       {-1, 0, 8, offset, lease[JsControl::kLimit], lease[JsControl::kLimit] + 1}) {
    lease[JsControl::kEnd] = outside;
    EXPECT_EQ(producer->WritePlace().at, nullptr) << outside;
  }
  lease[JsControl::kEnd] = offset + 4;
  EXPECT_EQ(producer->WritePlace().at, script.first_entry() - 8 + offset + 4);
  EXPECT_EQ(producer->WritePlace().bytes,
            static_cast<size_t>(lease[JsControl::kLimit] - offset - 4));
  rig.Flush();
  lease[JsControl::kEnd] = 20;
  EXPECT_NE(producer->WritePlace().at, nullptr) << "sealed, but nobody else's";
  producer->Reply(7);
  EXPECT_EQ(lease[JsControl::kEnd], 7);
}

TEST(DirectRoute, PutsTextsInTheirPlacesWithinTheEntryThatIsBeingWritten) {
  Rig rig(2);
  const auto producer = rig.NewProducer();
  int32_t* lease = producer->js_words();
  const std::u16string text = u"said by many";
  const auto put = [&](size_t index, const std::u16string& units, int32_t at) {
    lease[JsControl::kTexts + index] = at;
    return producer->PutText(index, units.data(), units.size());
  };
  EXPECT_FALSE(put(0, text, 20)) << "no lease";
  JavaScript script(rig, producer.get());
  auto* const segment = const_cast<uint8_t*>(script.first_entry()) - 8;
  const auto leave = [&](int32_t at, size_t length) {
    segment[at - 1] = static_cast<uint8_t>(length);
  };
  for (const size_t index : {size_t{0}, JsControl::kMostTexts - 1}) {
    leave(20, text.size());
    std::memset(segment + 20, '-', text.size() + 1);
    EXPECT_TRUE(put(index, text, 20));
    EXPECT_EQ(std::memcmp(segment + 20, "said by many-", 13), 0);
  }
  const int32_t limit = lease[JsControl::kLimit];
  leave(limit - 12, text.size());
  EXPECT_TRUE(put(0, text, limit - 12)) << "up to the end";
  leave(limit - 11, text.size());
  for (const int32_t outside : {-1, 0, 8, limit - 11, limit, limit + 1, INT32_MAX, INT32_MIN}) {
    EXPECT_FALSE(put(0, text, outside)) << outside;
  }
  leave(30, text.size() - 1);
  EXPECT_FALSE(put(0, text, 30)) << "of another length than there is room for";
  for (const char16_t unit : {u'\x80', u'\u00e9', u'\u0141', u'\u4e41', u'\xd800'}) {
    std::u16string other = text;
    other[5] = unit;
    leave(40, other.size());
    EXPECT_FALSE(put(0, other, 40)) << static_cast<int>(unit);
  }
  leave(50, 0);
  EXPECT_TRUE(put(0, u"", 50));
  leave(60, 255);
  EXPECT_TRUE(put(0, std::u16string(255, u'\x7f'), 60));
  rig.Flush();
  EXPECT_FALSE(put(0, text, 20)) << "sealed";
}

TEST(DirectRoute, TextsOfAllLengthsAreWrittenAsTheyAreIfEveryUnitIsAscii) {
  Rig rig(2);
  const auto producer = rig.NewProducer();
  JavaScript script(rig, producer.get());
  auto* const segment = const_cast<uint8_t*>(script.first_entry()) - 8;
  constexpr int32_t kPlace = 21;
  producer->js_words()[JsControl::kTexts] = kPlace;
  for (size_t length = 0; length <= UINT8_MAX; length++) {
    std::u16string text;
    for (size_t i = 0; i < length; i++) text += static_cast<char16_t>((i * 7 + length) % 0x80);
    segment[kPlace - 1] = static_cast<uint8_t>(length);
    std::memset(segment + kPlace, 0xee, UINT8_MAX + 1);
    ASSERT_TRUE(producer->PutText(0, text.data(), length)) << length;
    for (size_t i = 0; i < length; i++) ASSERT_EQ(segment[kPlace + i], text[i]) << length;
    ASSERT_EQ(segment[kPlace + length], 0xee) << "nothing behind it, " << length;
    for (size_t i = 0; i < length; i++) {
      for (const char16_t unit : {u'\x80', u'\x0100', u'\xd83d'}) {
        std::u16string other = text;
        other[i] = unit;
        ASSERT_FALSE(producer->PutText(0, other.data(), length)) << length << ", " << i;
      }
    }
  }
}

TEST(DirectRoute, RenewingWithoutRoomCountsADrop) {
  Rig rig(2);
  const auto producer = rig.NewProducer();
  while (producer->Renew(1) == Renewal::kRenewed) {
    // Leaves nothing in a segment that would keep the next one from being leased.
    int32_t* lease = producer->js_words();
    lease[JsControl::kEnd] = lease[JsControl::kLimit];
    producer->Publish();
  }
  EXPECT_EQ(producer->dropped(), 1u);
  producer->Detach();
  EXPECT_EQ(producer->Renew(1), Renewal::kTakeCall);
}

TEST(DirectRoute, JavaScriptsCountMayPassItsThirtyTwoBits) {
  Rig rig(2);
  const auto producer = rig.NewProducer();
  uint64_t direct = 0;
  for (uint64_t calls = 1; calls <= 5; calls++) {
    constexpr uint32_t kStep = 0x7000'0000;
    direct += kStep;
    producer->js_words()[JsControl::kAccepted] =
        static_cast<int32_t>(static_cast<uint32_t>(direct));
    EXPECT_EQ(producer->accepted(), direct + calls - 1);
    // Makes the next call look for a lease, which is when the count is taken over.
    rig.Flush();
    ASSERT_TRUE(Append(*producer, "x"));
    EXPECT_EQ(producer->accepted(), direct + calls);
  }
}

}  // namespace
}  // namespace shardlog::test
