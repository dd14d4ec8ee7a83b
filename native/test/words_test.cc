// The bits of the words (docs/reference/log-format.md 2.2, 2.3).
#include "engine/words.h"

#include <gtest/gtest.h>

#include <cstring>

namespace shardlog::engine {
namespace {

class SegmentWord : public testing::Test {
 protected:
  void SetUp() override { std::memset(static_cast<void*>(&slot_), 0, sizeof slot_); }
  SegmentSlot slot_;
};

TEST_F(SegmentWord, IsOpenedAtTheEndOfTheBlockHeader) {
  ASSERT_TRUE(slot_.Open());
  EXPECT_EQ(slot_.Peek().bits, 8u);
  EXPECT_FALSE(slot_.Peek().has_entries());
}

TEST(Lessee, IsOneOnly) {
  LesseeWord word;
  ASSERT_TRUE(word.TakeLease(1));
  EXPECT_FALSE(word.TakeLease(2));
  EXPECT_EQ(word.Lessee(), 1u);
  word.Release();
  EXPECT_TRUE(word.TakeLease(2));
}

TEST_F(SegmentWord, AcceptsOnlyFromTheOffsetThatWasSeen) {
  slot_.Open();
  const OffsetState at = slot_.Peek();
  ASSERT_TRUE(slot_.Accept(at, 20));
  EXPECT_FALSE(slot_.Accept(at, 40));
  EXPECT_EQ(slot_.Peek().offset(), 20u);
}

TEST_F(SegmentWord, SealedAcceptsNothingAndKeepsItsOffset) {
  slot_.Open();
  const OffsetState at = slot_.Peek();
  slot_.Accept(at, 100);
  const OffsetState before = slot_.Peek();
  EXPECT_EQ(slot_.Seal().offset(), 100u);
  EXPECT_FALSE(slot_.Accept(before, 120));
  EXPECT_FALSE(slot_.Reopen());
  EXPECT_EQ(slot_.Peek().offset(), 100u);
  EXPECT_EQ(slot_.Seal().offset(), 100u) << "sealing twice changes nothing";
}

TEST_F(SegmentWord, SealedCannotBeOpened) {
  slot_.Seal();
  EXPECT_FALSE(slot_.Open());
}

TEST_F(SegmentWord, ASegmentWithEntriesCannotBeOpenedAgain) {
  slot_.Open();
  slot_.Accept(slot_.Peek(), 64);
  EXPECT_FALSE(slot_.Open());
  EXPECT_EQ(slot_.Peek().offset(), 64u);
}

TEST_F(SegmentWord, UnopenKeepsTheSeal) {
  slot_.Open();
  slot_.Seal();
  slot_.UndoOpen();
  EXPECT_TRUE(slot_.Peek().sealed());
  EXPECT_EQ(slot_.Peek().offset(), 0u);
}

TEST_F(SegmentWord, IsFreeWhenItIsRecycled) {
  slot_.Open();
  slot_.Accept(slot_.Peek(), 50);
  slot_.Seal();
  slot_.Recycle();
  EXPECT_EQ(slot_.Peek().bits, 0u);
}

TEST_F(SegmentWord, AnAcceptFromBeforeTheRecycleFails) {
  slot_.Open();
  const OffsetState stale = slot_.Peek();
  slot_.Seal();
  slot_.Recycle();
  EXPECT_FALSE(slot_.Accept(stale, 50));
}

TEST_F(SegmentWord, OffsetReachesTheWidthOfItsField) {
  slot_.Open();
  ASSERT_TRUE(slot_.Accept(slot_.Peek(), 0x7FFFFFFFu));
  EXPECT_FALSE(slot_.Peek().sealed());
  EXPECT_EQ(slot_.Seal().offset(), 0x7FFFFFFFu);
}

TEST_F(SegmentWord, TheNullSlotRefusesEveryAccept) {
  slot_.InitSealed();
  EXPECT_LT(static_cast<int32_t>(slot_.Peek().bits), 8);
}

TEST(ClaimWordBits, FieldsDoNotRunIntoEachOther) {
  ClaimState state = ClaimState::Fresh(0xABCDEF0123456789u);
  EXPECT_EQ(state.bits >> 32, 0x23456789u);
  state = state.WithClaimed(0xFFFF).WithFull(0x3FFF);
  EXPECT_EQ(state.claimed(), 0xFFFFu);
  EXPECT_EQ(state.full_order(), 0x3FFFu);
  EXPECT_TRUE(state.full());
  EXPECT_FALSE(state.sealed());
  EXPECT_EQ(state.bits >> 32, 0x23456789u);
  EXPECT_EQ(state.WithFull(0x4000).bits >> 32, 0x23456789u)
      << "an order too large stays in its field";
  EXPECT_EQ(state.WithClaimed(3).claimed(), 3u);
}

TEST(ClaimWordBits, GenerationsAreComparedInTheWidthOfTheField) {
  using Narrow = BasicClaimState<4>;
  for (uint64_t g = 0; g < 64; g++) {
    const Narrow state = Narrow::Fresh(g);
    EXPECT_TRUE(state.Accepts(g));
    EXPECT_TRUE(state.Accepts(g + 16)) << "wraps after 2^4";
    for (uint64_t other = g + 1; other < g + 16; other++) EXPECT_FALSE(state.Accepts(other));
  }
  EXPECT_TRUE(ClaimState::Fresh(uint64_t{1} << 32).Accepts(uint64_t{1} << 32));
  EXPECT_FALSE(ClaimState::Fresh(0xFFFFFFFF).Accepts(uint64_t{1} << 32));
}

TEST(ClaimWordBits, SealedAcceptsNoGeneration) {
  ClaimWord word;
  word.Reset(5);
  ClaimState seen = word.Read();
  ASSERT_TRUE(word.Change(&seen, seen.WithClaimed(1)));
  EXPECT_EQ(word.Seal().claimed(), 1u);
  EXPECT_FALSE(word.Read().Accepts(5));
  EXPECT_FALSE(word.Change(&seen, seen.WithClaimed(2))) << "a claim from before the seal fails";
  word.Reset(7);
  EXPECT_TRUE(word.Read().Accepts(7));
  EXPECT_EQ(word.Read().claimed(), 0u);
}

}  // namespace
}  // namespace shardlog::engine
