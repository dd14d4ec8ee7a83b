// docs/record-format.md, section 4.
#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>
#include <unordered_map>

#include "record/dictionary.h"
#include "support/record_builder.h"

namespace shardlog::record {
namespace {

using test::Bytes;
using test::Definition;
using test::ShapeDefinition;
using test::StringDefinition;

class Definitions : public testing::Test {
 protected:
  // Keeps the bytes, for definitions point into them. Whether they were taken, and to the end.
  bool Define(const Bytes& bytes) {
    Bytes& kept = kept_.emplace_back(bytes);
    const uint8_t* const end = kept.data() + kept.size();
    return dictionary_.Define(kept.data(), end) == end;
  }
  std::string String(uint32_t id) const {
    const record::Definition* const found = dictionary_.String(id);
    if (found == nullptr) return "none";
    return {reinterpret_cast<const char*>(found->bytes), found->size};
  }

  Dictionary dictionary_;
  std::deque<Bytes> kept_;
};

TEST_F(Definitions, AreFoundByTheirIds) {
  for (const uint32_t id : {1u, 2u, 1023u, 1024u, 5000000u, 0x80000000u, 0xFFFFFFFEu}) {
    EXPECT_EQ(String(id), "none");
    ASSERT_TRUE(Define(StringDefinition(id, "text " + std::to_string(id))));
    EXPECT_EQ(String(id), "text " + std::to_string(id));
  }
}

TEST_F(Definitions, TellShapesFromStrings) {
  ASSERT_TRUE(Define(ShapeDefinition(7, {",\"a\":", ",\"b\":"})));
  EXPECT_EQ(dictionary_.String(7), nullptr);
  ASSERT_NE(dictionary_.Shape(7), nullptr);
  EXPECT_EQ(dictionary_.Shape(7)->keys, 2u);
  ASSERT_TRUE(Define(StringDefinition(8, "")));
  EXPECT_EQ(dictionary_.Shape(8), nullptr);
  EXPECT_EQ(String(8), "");
}

TEST_F(Definitions, ReplaceEarlierOnesOfTheSameId) {
  for (const uint32_t id : {3u, 70000u}) {
    ASSERT_TRUE(Define(StringDefinition(id, "old")));
    ASSERT_TRUE(Define(StringDefinition(id, "new")));
    EXPECT_EQ(String(id), "new");
    ASSERT_TRUE(Define(ShapeDefinition(id, {})));
    EXPECT_EQ(String(id), "none");
    EXPECT_EQ(dictionary_.Shape(id)->keys, 0u);
  }
}

TEST_F(Definitions, AreForgottenWithTheSegment) {
  for (const uint32_t id : {3u, 70000u}) ASSERT_TRUE(Define(StringDefinition(id, "x")));
  dictionary_.Reset();
  for (const uint32_t id : {3u, 70000u}) EXPECT_EQ(String(id), "none");
}

TEST_F(Definitions, AreRefusedIfTheyBreakThePage) {
  EXPECT_FALSE(Define(StringDefinition(0, "x")));
  EXPECT_FALSE(Define(StringDefinition(0xFFFFFFFF, "x")));
  EXPECT_FALSE(Define(Definition(1, static_cast<Defines>(0), "x")));
  EXPECT_FALSE(Define(Definition(1, static_cast<Defines>(3), "x")));
  EXPECT_FALSE(Define(Definition(1, Defines::kShape, std::string_view("\x01", 1))));
  EXPECT_FALSE(Define(Definition(1, Defines::kShape, std::string_view("\x02\0a", 3))));
  EXPECT_FALSE(Define(Definition(1, Defines::kShape, std::string_view("\x01\0ab", 4))));
  EXPECT_EQ(String(1), "none");
  EXPECT_EQ(dictionary_.Shape(1), nullptr);
}

TEST_F(Definitions, AreRefusedAtEveryLengthTheyAreCutOffAt) {
  Bytes whole = ShapeDefinition(1, {",\"key\":"});
  for (size_t size = 0; size < whole.size(); size++) {
    EXPECT_FALSE(Define(Bytes().Add(whole.view().substr(0, size)))) << size;
  }
}

TEST_F(Definitions, AreFoundAmongManyWithAnyIds) {
  std::mt19937 random(3);
  for (int segment = 0; segment < 4; segment++) {
    std::unordered_map<uint32_t, std::string> expected;
    for (uint32_t i = 0; i < 20000; i++) {
      // In a row, with equal low bits, and at random.
      const uint32_t ids[] = {2000 + i, (i + 1) << 14, static_cast<uint32_t>(random()) | 1};
      const uint32_t id = ids[segment % 3];
      if (id == 0xFFFFFFFF) continue;
      expected[id] = std::to_string(i);
      ASSERT_TRUE(Define(StringDefinition(id, expected[id])));
    }
    for (const auto& [id, text] : expected) ASSERT_EQ(String(id), text);
    EXPECT_EQ(String(1999), "none");
    dictionary_.Reset();
  }
}

TEST_F(Definitions, TakeMemoryByTheirNumberAndGiveMuchOfItBack) {
  for (uint32_t i = 0; i < 100; i++) ASSERT_TRUE(Define(StringDefinition(0xF0000000u + i, "x")));
  EXPECT_LE(dictionary_.slots(), 512u);
  for (uint32_t i = 0; i < 20000; i++) ASSERT_TRUE(Define(StringDefinition(4096 + i, "x")));
  EXPECT_GT(dictionary_.slots(), Dictionary::kKeptSlots);
  dictionary_.Reset();
  EXPECT_LE(dictionary_.slots(), Dictionary::kKeptSlots);
  EXPECT_EQ(String(4096), "none");
}

}  // namespace
}  // namespace shardlog::record
