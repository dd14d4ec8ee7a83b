// docs/reference/record-format.md, section 3.3.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "record/json_text.h"

namespace shardlog::record {
namespace {

// The text of `bytes`, which end where memory ends, or are followed by `behind` bytes of quotes.
std::string Json(const std::string& bytes, size_t behind = 0) {
  std::vector<uint8_t> memory(bytes.begin(), bytes.end());
  memory.resize(bytes.size() + behind, '"');
  std::string text(2 + kEscapedBytes * bytes.size() + 16, '\0');
  const char* const end =
      WriteJsonString(text.data(), memory.data(), bytes.size(), memory.data() + memory.size());
  text.resize(static_cast<size_t>(end - text.data()));
  return text;
}

// Section 3.3, word for word.
std::string Expected(const std::string& bytes) {
  std::string text = "\"";
  for (const char c : bytes) {
    static const std::string kNamed = "\b\t\n\f\r\"\\";
    static const std::string kNames = "btnfr\"\\";
    const size_t named = kNamed.find(c);
    if (named != std::string::npos) {
      text += std::string("\\") + kNames[named];
    } else if (static_cast<uint8_t>(c) < 0x20) {
      text += std::string("\\u00") + (c < 0x10 ? '0' : '1') + "0123456789abcdef"[c & 15];
    } else {
      text += c;
    }
  }
  return text + "\"";
}

std::string Utf8(uint32_t code) {
  const auto tail = [code](int shift) { return static_cast<char>(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80) return {static_cast<char>(code)};
  if (code < 0x800) return {static_cast<char>(0xC0 | code >> 6), tail(0)};
  if (code < 0x10000) return {static_cast<char>(0xE0 | code >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | code >> 18), tail(12), tail(6), tail(0)};
}

TEST(JsonText, EscapesWhatItHasTo) {
  EXPECT_EQ(Json(""), "\"\"");
  EXPECT_EQ(Json("plain"), "\"plain\"");
  EXPECT_EQ(Json("\"\\/"), "\"\\\"\\\\/\"");
  EXPECT_EQ(Json("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\"");
  EXPECT_EQ(Json(std::string("\0\x0b\x1f\x7f", 4)), "\"\\u0000\\u000b\\u001f\x7f\"");
}

TEST(JsonText, PrintsEveryCharacterOfUnicode) {
  for (uint32_t code = 0; code <= 0x10FFFF; code++) {
    if (code >= 0xD800 && code <= 0xDFFF) continue;
    const std::string character = Utf8(code);
    ASSERT_EQ(Json(character, 32), Expected(character)) << code;
    if (code < 0x3000) {
      ASSERT_EQ(Json(character), Expected(character)) << code;
    }
  }
}

TEST(JsonText, CopiesBytesThatAreNotUtf8) {
  for (int byte = 0x80; byte <= 0xFF; byte++) {
    const std::string bytes{'a', static_cast<char>(byte), 'b'};
    EXPECT_EQ(Json(bytes), "\"" + bytes + "\"");
  }
}

TEST(JsonText, EscapesAtEveryPlaceOfEveryLength) {
  for (size_t length = 0; length <= 40; length++) {
    for (size_t at = 0; at < length; at++) {
      for (const char c : {'\n', '"', '\\', '\x1f', '\0'}) {
        std::string bytes(length, '\xe9');
        bytes[at] = c;
        for (const size_t behind : {0, 1, 15, 16, 40}) {
          ASSERT_EQ(Json(bytes, behind), Expected(bytes));
        }
      }
    }
  }
}

TEST(JsonText, IsTheSameForRandomBytes) {
  std::mt19937 random(1);
  for (int round = 0; round < 20000; round++) {
    std::string bytes(random() % 100, '\0');
    // Half of the rounds from a small alphabet, so that escapes stand side by side.
    const uint32_t below = round % 2 ? 256 : 40;
    for (char& c : bytes) c = static_cast<char>(random() % below);
    ASSERT_EQ(Json(bytes, random() % 40), Expected(bytes));
  }
}

TEST(JsonText, FindsTheFirstEscapedByteInAnyForm) {
  std::mt19937 random(2);
  for (int round = 0; round < 100000; round++) {
    uint8_t bytes[16];
    for (uint8_t& byte : bytes)
      byte = static_cast<uint8_t>(round % 2 ? random() : 0x1e + random() % 6);
    size_t first = 0;
    while (first < 16 && bytes[first] >= 0x20 && bytes[first] != '"' && bytes[first] != '\\')
      first++;
    ASSERT_EQ(FirstEscaped(bytes), first);
    ASSERT_EQ(FirstEscapedPortable(bytes), first);
  }
}

TEST(JsonText, CountsWhatIsEscaped) {
  const std::string bytes = "a\"b\\c\n\x1f\x20\x7f\xff";
  EXPECT_EQ(CountEscaped(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()), 4u);
}

}  // namespace
}  // namespace shardlog::record
