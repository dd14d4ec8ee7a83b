// Claiming, swapping, sealing and recycling, one interleaving at a time
// (docs/internals/memory-model.md, Steps).
#include "engine/buffer_sets.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/entries.h"
#include "support/rig.h"

namespace shardlog::test {
namespace {

using engine::ClaimResult;
using engine::ClaimState;
using engine::Lease;
using engine::OffsetState;

constexpr uint32_t kSegments = 16;  // of a 64 KiB shard

// What a producer does with a lease, spelt out.
bool Put(const Lease& lease, const std::string& entry) {
  const OffsetState at = lease.slot->Peek();
  const uint32_t size = static_cast<uint32_t>(entry.size());
  if (static_cast<int32_t>(at.bits) < 8) return false;
  std::memcpy(lease.data + at.offset(), &size, 4);
  std::memcpy(lease.data + at.offset() + 4, entry.data(), size);
  return lease.slot->Accept(at, at.offset() + 4 + size);
}

Lease MustClaim(Rig& rig, uint64_t generation, uint32_t shard, uint32_t segments,
                uint32_t producer) {
  Lease lease;
  EXPECT_EQ(rig.sets().Claim(generation, shard, {segments, segments}, producer, &lease),
            ClaimResult::kLeased);
  return lease;
}

TEST(Claim, HandsOutSegmentsInOrderUntilTheShardIsFull) {
  Rig rig;
  for (uint32_t i = 0; i < kSegments; i++) EXPECT_EQ(MustClaim(rig, 0, 0, 1, i + 1).segment, i);
  Lease lease;
  EXPECT_EQ(rig.sets().Claim(0, 0, {1, 1}, 99, &lease), ClaimResult::kShardFull);
  EXPECT_TRUE(rig.arena().claim(0, 0).Read().full());
}

TEST(Claim, OfAnotherGenerationStartsOver) {
  Rig rig;
  Lease lease;
  EXPECT_EQ(rig.sets().Claim(1 + 1, 0, {1, 1}, 1, &lease), ClaimResult::kStartOver);
  rig.sets().Seal(0, 0);
  EXPECT_EQ(rig.sets().Claim(0, 0, {1, 1}, 1, &lease), ClaimResult::kStartOver);
  EXPECT_FALSE(lease.held());
}

TEST(Claim, OfALargeEntryTakesARunAndAWholeShardAtMost) {
  Rig rig;
  const Lease whole = MustClaim(rig, 0, 0, kSegments, 1);
  EXPECT_EQ(whole.limit, 65536u);
  Rig other;
  EXPECT_EQ(MustClaim(other, 0, 0, 3, 1).limit, 3 * 4096u - 64u) << "room for the trailer";
  EXPECT_EQ(other.sets().SegmentsFor(4096 - 8 - 4 - 64), 1u);
  EXPECT_EQ(other.sets().SegmentsFor(4096 - 8 - 4 - 64 + 1), 2u);
  EXPECT_EQ(other.sets().SegmentsFor(65536 - 12), kSegments);
}

TEST(Claim, ThatIsTooLargeForTheRestMarksTheShardFull) {
  Rig rig(2);
  MustClaim(rig, 0, 0, 10, 1);
  Lease lease;
  EXPECT_EQ(rig.sets().Claim(0, 0, {7, 7}, 2, &lease), ClaimResult::kShardFull);
  EXPECT_EQ(rig.sets().Claim(0, 0, {1, 1}, 3, &lease), ClaimResult::kShardFull);
  EXPECT_EQ(MustClaim(rig, 0, 1, 7, 2).shard, 1u);
}

// --- runs: more segments than the entry takes ---

Lease MustClaimRun(Rig& rig, uint64_t generation, uint32_t most, uint32_t producer) {
  Lease lease;
  EXPECT_EQ(rig.sets().Claim(generation, 0, {1, most}, producer, &lease), ClaimResult::kLeased);
  return lease;
}

TEST(Run, TakesAsManySegmentsAsAreAllowedAndNoneBothBelowAndBeyondTheThreshold) {
  Rig rig;  // Of 16 segments, 14 are below the threshold of 90 %.
  for (const uint32_t first : {0u, 6u}) {
    const Lease lease = MustClaimRun(rig, 0, 6, 1);
    EXPECT_EQ(lease.segment, first);
    EXPECT_EQ(lease.span, 6u);
    EXPECT_EQ(lease.limit, 6 * 4096u - 64u);
  }
  EXPECT_EQ(MustClaimRun(rig, 0, 6, 2).span, 2u) << "up to the threshold";
  EXPECT_EQ(MustClaimRun(rig, 0, 6, 2).span, 2u) << "what is left";
  Lease lease;
  EXPECT_EQ(rig.sets().Claim(0, 0, {1, 6}, 3, &lease), ClaimResult::kShardFull);
}

TEST(Run, EndsBeforeASegmentThatSomebodyStillLeases) {
  Rig rig;
  MustClaim(rig, 0, 0, 1, 1);
  Lease passing = MustClaim(rig, 0, 0, 2, 2);
  MustClaim(rig, 0, 0, 1, 3);
  rig.sets().Release(&passing);
  rig.Flush();
  rig.Flush();
  const Lease run = MustClaimRun(rig, 2, 8, 4);
  EXPECT_EQ(run.segment, 1u);
  EXPECT_EQ(run.span, 2u);
  EXPECT_EQ(MustClaimRun(rig, 2, 8, 4).segment, 4u);
}

TEST(Run, HoldsEntriesAcrossItsSegmentsAndIsOneBlock) {
  Rig rig;
  Lease run = MustClaimRun(rig, 0, 3, 1);
  std::string expected;
  uint32_t count = 0;
  while (Put(run, MakeEntry(1, count, 1000))) {
    if (++count == 12) break;
  }
  EXPECT_GT(run.slot->Peek().offset(), 2 * 4096u);
  for (uint32_t i = 1; i < 3; i++) EXPECT_FALSE(rig.arena().slot(0, 0, i).Peek().has_entries());
  const std::vector<engine::SealedSegment> sealed = rig.sets().Seal(0, 0);
  ASSERT_EQ(sealed.size(), 1u);
  EXPECT_EQ(sealed[0].valid, 12 * (4 + MakeEntry(1, 0, 1000).size()));
  rig.sets().Release(&run);
  for (uint32_t i = 0; i < 3; i++) EXPECT_EQ(rig.arena().lessee(0, 0, i).Lessee(), 0u);
}

TEST(Run, WithoutEntriesIsNotWaitedForAsALargeEntryIs) {
  Rig rig;
  MustClaimRun(rig, 0, 3, 1);
  MustClaim(rig, 0, 0, 1, 2);
  EXPECT_EQ(rig.arena().slot(0, 0, 0).needed.load(), 1u);
  // Would not return for a day.
  EXPECT_TRUE(rig.sets().Seal(0, uint64_t{86'400} * 1'000'000'000).empty());
}

TEST(FullOrder, NumbersFollowTheOrderInWhichShardsBecameFull) {
  Rig rig(4);
  const uint32_t order[] = {2, 0, 3};
  for (const uint32_t shard : order) {
    MustClaim(rig, 0, shard, kSegments, shard + 1);
    Lease lease;
    ASSERT_EQ(rig.sets().Claim(0, shard, {1, 1}, 9, &lease), ClaimResult::kShardFull);
  }
  EXPECT_EQ(rig.arena().claim(0, 2).Read().full_order(), 1u);
  EXPECT_EQ(rig.arena().claim(0, 0).Read().full_order(), 2u);
  EXPECT_EQ(rig.arena().claim(0, 3).Read().full_order(), 3u);
  EXPECT_FALSE(rig.arena().claim(0, 1).Read().full());
}

TEST(FullOrder, BlocksAreFullShardsByNumberThenTheOthersByIndex) {
  Rig rig(4);
  std::vector<Lease> leases;
  for (const uint32_t shard : {3u, 1u}) {
    leases.push_back(MustClaim(rig, 0, shard, kSegments, shard));
    Lease lease;
    rig.sets().Claim(0, shard, {1, 1}, 9, &lease);
  }
  leases.push_back(MustClaim(rig, 0, 2, 1, 2));
  leases.push_back(MustClaim(rig, 0, 0, 1, 4));
  for (const Lease& lease : leases) ASSERT_TRUE(Put(lease, "x"));
  std::vector<uint32_t> shards;
  for (const engine::SealedSegment& segment : rig.sets().Seal(0, 0))
    shards.push_back(segment.shard);
  EXPECT_EQ(shards, (std::vector<uint32_t>{3, 1, 0, 2}));
}

TEST(Swap, GoesOnlyToAFreeSet) {
  Rig rig;
  EXPECT_TRUE(rig.sets().TrySwap(0));
  EXPECT_EQ(rig.sets().active(), 1u);
  EXPECT_FALSE(rig.sets().TrySwap(1)) << "generation 0 is not written";
  rig.Write(0);
  rig.sets().MarkWritten(0);
  EXPECT_FALSE(rig.sets().TrySwap(1)) << "written, but not yet recycled";
  rig.sets().Recycle(0);
  EXPECT_TRUE(rig.sets().TrySwap(1));
  EXPECT_EQ(rig.sets().active(), 2u);
  EXPECT_TRUE(rig.sets().TrySwap(0)) << "somebody else has moved on: start over, do not drop";
}

TEST(Recycle, LateAcceptOfAnIdleLesseeFails) {
  Rig rig;
  const Lease lease = MustClaim(rig, 0, 0, 1, 1);
  ASSERT_TRUE(Put(lease, "one"));
  const OffsetState stale = lease.slot->Peek();
  rig.Flush();
  EXPECT_FALSE(lease.slot->Accept(stale, stale.offset() + 10));
  EXPECT_FALSE(Put(lease, "two")) << "offset 0 is nothing to accept at";
}

TEST(Recycle, ALeasedSegmentIsPassedOverInLaterGenerations) {
  Rig rig;
  Lease idle = MustClaim(rig, 0, 0, 1, 1);
  for (int round = 0; round < 3; round++) {
    rig.Flush();
    rig.Flush();
    const uint64_t generation = rig.sets().active();
    Lease other = MustClaim(rig, generation, 0, 1, 2);
    EXPECT_EQ(other.segment, 1u);
    rig.sets().Release(&other);
    EXPECT_EQ(rig.arena().claim(generation, 0).Read().claimed(), 2u);
  }
  rig.sets().Release(&idle);
  rig.Flush();
  rig.Flush();
  EXPECT_EQ(MustClaim(rig, rig.sets().active(), 0, 1, 3).segment, 0u);
}

TEST(Recycle, EverySegmentOfALargeLeaseIsPassedOver) {
  Rig rig;
  Lease large = MustClaim(rig, 0, 0, 5, 1);
  rig.Flush();
  rig.Flush();
  EXPECT_EQ(MustClaim(rig, 2, 0, 1, 2).segment, 5u);
  rig.sets().Release(&large);
  for (uint32_t i = 0; i < 5; i++) EXPECT_EQ(rig.arena().lessee(0, 0, i).Lessee(), 0u);
}

TEST(Recycle, ARunSkipsBehindTheLastLeasedSegmentInItsWay) {
  Rig rig;
  MustClaim(rig, 0, 0, 2, 1);
  MustClaim(rig, 0, 0, 1, 2);
  Lease third = MustClaim(rig, 0, 0, 1, 3);
  rig.sets().Release(&third);
  rig.Flush();
  rig.Flush();
  EXPECT_EQ(MustClaim(rig, 2, 0, 4, 4).segment, 3u);
}

TEST(Reacquire, GoesOnWhereTheLeaseWasGivenUp) {
  Rig rig;
  Lease lease = MustClaim(rig, 0, 0, 1, 1);
  ASSERT_TRUE(Put(lease, "one"));
  const Lease remembered = lease;
  rig.sets().Release(&lease);
  EXPECT_FALSE(lease.held());
  ASSERT_TRUE(rig.sets().Reacquire(remembered, 1));
  ASSERT_TRUE(Put(remembered, "two"));
  rig.Flush();
  EXPECT_EQ(rig.Log().Entries(), (std::vector<std::string>{"one", "two"}));
}

TEST(Reacquire, FailsOnceTheSetIsSealedRecycledOrOfAnotherGeneration) {
  Rig rig;
  Lease lease = MustClaim(rig, 0, 0, 1, 1);
  ASSERT_TRUE(Put(lease, "one"));
  const Lease remembered = lease;
  rig.sets().Release(&lease);
  rig.Swap(0);
  rig.Write(0);
  EXPECT_FALSE(rig.sets().Reacquire(remembered, 1));
  rig.sets().MarkWritten(0);
  rig.sets().Recycle(0);
  EXPECT_FALSE(rig.sets().Reacquire(remembered, 1));
  rig.Flush();
  Lease other = MustClaim(rig, 2, 0, 1, 2);
  ASSERT_TRUE(Put(other, "two"));
  rig.sets().Release(&other);
  EXPECT_FALSE(rig.sets().Reacquire(remembered, 1)) << "the segment is another producer's by now";
  EXPECT_EQ(rig.arena().lessee(remembered.generation, 0, remembered.segment).Lessee(), 0u);
  EXPECT_EQ(remembered.slot->Peek().offset(), 8u + 4 + 3);
}

TEST(Seal, TellsWhichLesseesMayStillScribble) {
  Rig rig;
  Lease first = MustClaim(rig, 0, 0, 1, 1);
  const Lease second = MustClaim(rig, 0, 0, 1, 2);
  Put(first, "a");
  Put(second, "b");
  rig.sets().Release(&first);
  const std::vector<engine::SealedSegment> sealed = rig.sets().Seal(0, 0);
  ASSERT_EQ(sealed.size(), 2u);
  EXPECT_FALSE(sealed[0].leased);
  EXPECT_TRUE(sealed[1].leased);
}

TEST(Seal, AScribblingLesseeDoesNotReachTheFile) {
  Rig rig;
  const Lease lease = MustClaim(rig, 0, 0, 1, 1);
  ASSERT_TRUE(Put(lease, "kept"));
  rig.Swap(0);
  // The entry that was being copied when the set was sealed.
  std::memset(lease.data + lease.slot->Peek().offset(), 0xEE, 2000);
  rig.Write(0);
  EXPECT_EQ(rig.Log().Entries(), std::vector<std::string>{"kept"});
}

TEST(Seal, LeavesTheMemoryBehindALesseesEntriesAsItIs) {
  Rig rig;
  const Lease lease = MustClaim(rig, 0, 0, 1, 1);
  ASSERT_TRUE(Put(lease, "kept"));
  rig.Swap(0);
  uint8_t* const behind = lease.data + lease.slot->Peek().offset();
  const std::vector<uint8_t> copied(2000, 0xEE);
  std::memcpy(behind, copied.data(), copied.size());
  rig.Write(0);
  EXPECT_EQ(std::memcmp(behind, copied.data(), copied.size()), 0)
      << "padding or trailer in what the lessee is copying";
}

TEST(Seal, OfAnEmptySetFindsNothing) {
  Rig rig(3);
  MustClaim(rig, 0, 1, 1, 1);
  EXPECT_TRUE(rig.sets().Seal(0, 0).empty());
}

TEST(Generations, WrapInTheClaimWordWithoutAnybodyNoticing) {
  const uint64_t start = (uint64_t{1} << 32) - 3;
  Rig rig(2, engine::ShardSelection::kAffinity, start);
  const auto producer = rig.NewProducer();
  std::vector<std::string> expected;
  for (uint32_t i = 0; i < 8; i++) {
    expected.push_back(MakeEntry(1, i, 100));
    ASSERT_TRUE(producer->Append(expected.back().data(), expected.back().size()));
    rig.Flush();
  }
  EXPECT_EQ(rig.sets().active(), start + 8);
  const PlainLog log = rig.Log();
  EXPECT_EQ(log.Entries(), expected);
  EXPECT_EQ(log.blocks[0].trailer.generation, 0xFFFFFFFDu);
  EXPECT_EQ(log.blocks[7].trailer.generation, 4u);
}

// --- the seed's tests ---

TEST(BufferSet, HasData) {
  Rig rig(2);
  EXPECT_FALSE(rig.sets().HasEntries(0));
  const Lease lease = MustClaim(rig, 0, 1, 1, 1);
  EXPECT_FALSE(rig.sets().HasEntries(0)) << "a claim is no entry";
  Put(lease, "x");
  EXPECT_TRUE(rig.sets().HasEntries(0));
  EXPECT_FALSE(rig.sets().HasEntries(1));
  EXPECT_EQ(rig.sets().CountWaiting(0), 1u);
  rig.Flush();
  EXPECT_FALSE(rig.sets().HasEntries(0));
}

TEST(BufferSet, RoundRobin) {
  Rig rig(4, engine::ShardSelection::kRoundRobin);
  const auto producer = rig.NewProducer();
  for (uint32_t i = 0; i < 12; i++) ASSERT_TRUE(producer->Append("entry", 5));
  for (uint32_t shard = 0; shard < 4; shard++) {
    EXPECT_EQ(rig.arena().slot(0, shard, 0).Peek().offset(), 8u + 3 * 9) << "shard " << shard;
  }
}

}  // namespace
}  // namespace shardlog::test
