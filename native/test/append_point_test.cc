// Appending to files that somebody else wrote, or that a kill tore (docs/reference/log-format.md,
// R6, D1, D4).
#include "sink/append_point.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz/memory_files.h"
#include "log/log.h"
#include "support/rig.h"

namespace shardlog::test {
namespace {

class AppendTo : public testing::Test {
 protected:
  std::string path() const { return directory_.File("log"); }

  // A log of one block with these entries, as the engine writes it.
  std::string Block(const std::vector<std::string>& entries) {
    const std::string other = directory_.File("other");
    std::remove(other.c_str());
    const auto log = engine::Log::Open(SmallConfig(other, 1));
    const auto producer = log->Attach();
    for (const std::string& entry : entries) producer->Append(entry.data(), entry.size());
    EXPECT_TRUE(log->Close().ok());
    return ReadFile(other);
  }

  void Append(const std::string& entry) {
    const auto log = engine::Log::Open(SmallConfig(path(), 1));
    const auto producer = log->Attach();
    ASSERT_TRUE(producer->Append(entry.data(), entry.size()));
    ASSERT_TRUE(log->Close().ok());
  }

  TempDir directory_;
};

TEST_F(AppendTo, ATornBlockIsCutToItsWholeEntries) {
  const std::string block =
      Block({std::string(400, 'a'), std::string(400, 'b'), std::string(400, 'c')});
  for (size_t size = 8; size < block.size(); size += 37) {
    WriteFile(path(), block.substr(0, size));
    Append("next");
    const PlainLog log = ReadPlainLog(path());
    // What may be somebody else's is in no block.
    for (const std::string& complaint : log.complaints) {
      EXPECT_NE(complaint.find(": not a block"), std::string::npos) << size << ' ' << complaint;
    }
    std::vector<std::string> expected;
    if (size >= 8 + 404) expected.push_back(std::string(400, 'a'));
    if (size >= 8 + 808) expected.push_back(std::string(400, 'b'));
    if (size >= 8 + 1212) expected.push_back(std::string(400, 'c'));
    expected.push_back("next");
    EXPECT_EQ(log.Entries(), expected) << size;
  }
}

TEST_F(AppendTo, ATornBlockBehindSoundOnesLeavesThemAlone) {
  const std::string sound = Block({"one", "two"});
  WriteFile(path(), sound + Block({std::string(3000, 'x')}).substr(0, 1700));
  Append("next");
  EXPECT_EQ(ReadFile(path()).substr(0, sound.size()), sound);
  EXPECT_EQ(ReadPlainLog(path()).Entries(), (std::vector<std::string>{"one", "two", "next"}));
}

// Entries of the block at the beginning of some bytes, as far as its header says.
std::vector<std::string> EntriesAt(const std::vector<uint8_t>& bytes, size_t at) {
  const format::BlockHeader header = format::DecodeHeader(bytes.data() + at);
  std::vector<std::string> entries;
  const size_t end = at + format::kBlockHeaderBytes + header.valid;
  for (at += format::kBlockHeaderBytes; at < end;) {
    const auto length = format::Load<uint32_t>(bytes.data() + at);
    const auto* text = reinterpret_cast<const char*>(bytes.data() + at + format::kEntryPrefixBytes);
    entries.emplace_back(text, length);
    at += format::kEntryPrefixBytes + length;
  }
  return entries;
}

// A line of `size` bytes.
std::string NoteOf(size_t size, bool ended) {
  std::string note;
  while (note.size() < size) note += "note of another program " + std::to_string(size) + ' ';
  note.resize(size);
  if (ended) note.back() = '\n';
  return note;
}

// All lengths up to two sectors, and behind them those near a sector's end and some in between.
bool IsTried(size_t size) {
  constexpr size_t kSeldom = 193;
  const size_t in_sector = (size + 2) % 512;
  return size <= 1100 || in_sector <= 4 || size % kSeldom == 0;
}

// Wherever the kill was.
TEST_F(AppendTo, WhatOthersHaveAppendedToATornBlockStaysAsItIs) {
  const std::string sound = Block({"one"});
  const std::vector<std::string> entries = {std::string(40, 'a'),  std::string(700, 'b'),
                                            std::string(5, 'c'),   std::string(1600, 'd'),
                                            std::string(470, 'e'), std::string(130, 'f')};
  const std::string block = Block(entries);
  constexpr size_t kLongest = 20 * 1024;
  size_t kept = 0;
  for (size_t torn = 512; torn < block.size(); torn += 512) {
    for (size_t size = 1; size <= kLongest; size++) {
      if (!IsTried(size)) continue;
      const std::string note = NoteOf(size, (size + torn / 512) % 2 == 0);
      const std::string file = sound + block.substr(0, torn) + note;
      std::vector<uint8_t> bytes(file.begin(), file.end());
      fuzz::MemoryFile log(&bytes, 512);
      uint64_t end = 0;
      ASSERT_TRUE(engine::PrepareAppend(&log, &end).ok());
      const auto* noted = reinterpret_cast<const char*>(bytes.data() + sound.size() + torn);
      ASSERT_EQ(std::string(noted, note.size()), note) << torn << ' ' << note.size();
      if (sound.size() + block.size() <= file.size()) continue;  // a block of wrong checksum
      const std::vector<std::string> found = EntriesAt(bytes, sound.size());
      ASSERT_LE(found.size(), entries.size());
      ASSERT_TRUE(std::equal(found.begin(), found.end(), entries.begin()))
          << torn << ' ' << note.size();
      kept += found.size();
    }
  }
  EXPECT_GT(kept, 0u);
}

TEST_F(AppendTo, TextInThePaddingOfATornBlockStaysAsItIs) {
  const std::string block = Block({std::string(300, 'a')});
  for (const size_t size : {size_t{312}, size_t{340}, size_t{440}}) {
    WriteFile(path(), block.substr(0, size) + "a note\n");
    Append("next");
    EXPECT_NE(ReadFile(path()).find("a note\n"), std::string::npos) << size;
    EXPECT_EQ(ReadPlainLog(path()).Entries(),
              (std::vector<std::string>{std::string(300, 'a'), "next"}))
        << size;
  }
}

// What a hole holds is not read: this one would take minutes.
TEST_F(AppendTo, ATornBlockBehindAHoleIsFound) {
  constexpr uint64_t kHole = uint64_t{64} << 30;
  const std::string sound = Block({"one"});
  WriteFile(path(), sound);
  ASSERT_EQ(truncate(path().c_str(), kHole), 0);
  const std::string torn = Block({std::string(400, 'a'), std::string(400, 'b')}).substr(0, 600);
  std::ofstream(path(), std::ios::app) << torn;
  Append("next");
  std::ifstream log(path());
  EXPECT_TRUE(log.seekg(kHole));
  const std::string behind{std::istreambuf_iterator<char>(log), {}};
  const std::string again = directory_.File("again");
  WriteFile(again, behind);
  EXPECT_EQ(ReadPlainLog(again).Entries(),
            (std::vector<std::string>{std::string(400, 'a'), "next"}));
}

TEST_F(AppendTo, TextStaysAsItIs) {
  std::string text;
  for (int i = 0; i < 100; i++) text += "line " + std::to_string(i) + " of somebody else\n";
  WriteFile(path(), text);
  Append("next");
  EXPECT_EQ(ReadFile(path()).substr(0, text.size()), text);
  EXPECT_EQ(ReadPlainLog(path()).Entries(), std::vector<std::string>{"next"});
}

TEST_F(AppendTo, AFileOfOtherSectorsIsFilledUpWithZeroes) {
  const std::string block = Block({"one"});
  WriteFile(path(), block + std::string(100, '\0'));
  Append("next");
  EXPECT_EQ(ReadPlainLog(path()).Entries(), (std::vector<std::string>{"one", "next"}));
  EXPECT_EQ(ReadFile(path()).size() % 512, 0u);
}

}  // namespace
}  // namespace shardlog::test
