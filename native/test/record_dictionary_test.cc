// docs/reference/record-format.md, section 4.
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
using test::StringDefinition;
using test::TemplateDefinition;

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
  for (const uint32_t id : {1u, 2u, 1023u, 1024u, 5000000u, 0x80000000u, 0xFFFFFFFFu}) {
    EXPECT_EQ(String(id), "none");
    ASSERT_TRUE(Define(StringDefinition(id, "text " + std::to_string(id))));
    EXPECT_EQ(String(id), "text " + std::to_string(id));
  }
}

TEST_F(Definitions, TellTemplatesFromStrings) {
  ASSERT_TRUE(Define(TemplateDefinition(7, {.keys = {",\"a\":", ",\"b\":"}})));
  EXPECT_EQ(dictionary_.String(7), nullptr);
  ASSERT_NE(dictionary_.Template(7), nullptr);
  EXPECT_EQ(dictionary_.Template(7)->keys, 2u);
  ASSERT_TRUE(Define(StringDefinition(8, "")));
  EXPECT_EQ(dictionary_.Template(8), nullptr);
  EXPECT_EQ(String(8), "");
}

TEST_F(Definitions, ReplaceEarlierOnesOfTheSameId) {
  for (const uint32_t id : {3u, 70000u}) {
    ASSERT_TRUE(Define(StringDefinition(id, "old")));
    ASSERT_TRUE(Define(StringDefinition(id, "new")));
    EXPECT_EQ(String(id), "new");
    ASSERT_TRUE(Define(TemplateDefinition(id, {})));
    EXPECT_EQ(String(id), "none");
    EXPECT_EQ(dictionary_.Template(id)->keys, 0u);
  }
}

TEST_F(Definitions, AreForgottenWithTheSegment) {
  for (const uint32_t id : {3u, 70000u}) ASSERT_TRUE(Define(StringDefinition(id, "x")));
  dictionary_.Reset();
  for (const uint32_t id : {3u, 70000u}) EXPECT_EQ(String(id), "none");
}

TEST_F(Definitions, AreRefusedIfTheyBreakThePage) {
  EXPECT_FALSE(Define(StringDefinition(0, "x")));
  EXPECT_FALSE(Define(Definition(1, static_cast<Defines>(0), "x")));
  EXPECT_FALSE(Define(Definition(1, static_cast<Defines>(3), "x")));
  EXPECT_EQ(String(1), "none");
}

TEST_F(Definitions, OfTemplatesAreRefusedIfTheyBreakThePage) {
  const auto refused = [this](std::string_view body) {
    return !Define(Definition(1, Defines::kTemplate, body)) && dictionary_.Template(1) == nullptr;
  };
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused(std::string_view("\5\0\0\0\0\0", 6)));  // no such timeForm
  EXPECT_TRUE(refused(std::string_view("\0\3\0\0\0\0", 6)));  // no such messageForm
  EXPECT_TRUE(refused(std::string_view("\377\0\0\0\0\0", 6)));
  EXPECT_TRUE(refused(std::string_view("\0\377\0\0\0\0", 6)));
  EXPECT_TRUE(refused(std::string_view("\0\0", 2)));                 // no head
  EXPECT_TRUE(refused(std::string_view("\0\0\0\0", 4)));             // no message
  EXPECT_TRUE(refused(std::string_view("\0\0\2\0{", 5)));            // a head cut off
  EXPECT_TRUE(refused(std::string_view("\0\1\0\0\2\0m", 7)));        // a message cut off
  EXPECT_TRUE(refused(std::string_view("\0\0\0\0\1\0m", 7)));        // a message without a form
  EXPECT_TRUE(refused(std::string_view("\0\0\0\0\0\0\1", 7)));       // half a length
  EXPECT_TRUE(refused(std::string_view("\0\0\0\0\0\0\2\0a", 9)));    // a key cut off
  EXPECT_TRUE(refused(std::string_view("\0\0\0\0\0\0\1\0ab", 10)));  // more than a key
  EXPECT_FALSE(refused(std::string_view("\4\2\0\0\0\0\1\0a", 9)));
}

TEST_F(Definitions, AreRefusedAtEveryLengthTheyAreCutOffAt) {
  Bytes whole = TemplateDefinition(1, {.keys = {",\"key\":"}});
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
  EXPECT_GT(dictionary_.slots(), Dictionary::kRetainedSlots);
  dictionary_.Reset();
  EXPECT_LE(dictionary_.slots(), Dictionary::kRetainedSlots);
  EXPECT_EQ(String(4096), "none");
}

}  // namespace
}  // namespace shardlog::record
