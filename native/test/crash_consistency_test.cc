// Whatever the moment at which a process, or the machine, ends, and whatever others do to the log
// then: each entry that was accepted is in the log once, whole, and nothing of anybody else's is
// lost. Random programs on a model of a file system; recoveries end half way, too.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "engine/error.h"
#include "log/recovery.h"
#include "sink/file_sink.h"
#include "support/entries.h"
#include "support/model_files.h"
#include "support/record_builder.h"
#include "support/rig.h"

namespace shardlog::test {
namespace {

using engine::Content;
using engine::Format;

struct Kind {
  const char* name;
  Content content;
  Format format;
};

// What happens between the end of the process and the recovery.
enum class Between {
  kNothing,
  kForeignAppends,
  kRename,
  kCopyTruncate,
  kOtherInode,
  kTwoRenames,
  kPowerFails
};
constexpr Between kEvents[] = {Between::kNothing,    Between::kForeignAppends,
                               Between::kRename,     Between::kCopyTruncate,
                               Between::kOtherInode, Between::kTwoRenames};

class CrashConsistency : public testing::TestWithParam<Kind> {
 protected:
  static constexpr int kSeeds = 10;

  std::string path() const { return directory_.File("log"); }

  engine::Config NewConfig(bool dsync) const {
    engine::Config config = SmallConfig(path(), 2);
    config.crash_safe = engine::CrashSafe::kFile;
    config.content = GetParam().content;
    config.format = GetParam().format;
    config.io.dsync = dsync;
    return config;
  }

  // Numbers in their order; what is behind them makes lines of all lengths.
  std::string NextLine(Random* random) {
    const size_t size =
        random->Next() % 9 == 0 ? random->Between(600, 9000) : random->Between(20, 300);
    std::string line = "{\"n\":" + std::to_string(accepted_) + ",\"pad\":\"";
    line += std::string(size, static_cast<char>('a' + accepted_ % 26)) + "\"}\n";
    return line;
  }

  void AppendTo(engine::Producer* producer, Random* random) {
    const std::string line = NextLine(random);
    const Bytes record = TextLine(static_cast<double>(accepted_), line);
    const bool records = GetParam().content == Content::kRecords;
    const bool ok = records ? producer->Append(record.view().data(), record.size())
                            : producer->Append(line.data(), line.size());
    if (!ok) return;
    lines_.push_back(line);
    accepted_++;
  }

  // A process that logs, flushes, and is disturbed, until its world ends.
  void Live(Random* random, bool dsync) {
    const engine::Config config = NewConfig(dsync);
    auto file = std::make_unique<engine::LogFile>(&files_, path(), config.io, config.format);
    file->Prepare();
    auto sets =
        std::make_shared<engine::BufferSets>(engine::Arena::Create(config, file->info(), 4711));
    arena_ = sets->arena().path();
    auto signals = std::make_shared<engine::Signals>();
    engine::FlushStats stats;
    stats.entries_of_shard = std::vector<engine::Counter>(config.num_shards);
    engine::ErrorReporter errors;
    engine::FileSink writer(sets, std::move(file), config, &stats, &errors);
    engine::Producer first(sets, signals, config, 1);
    engine::Producer second(sets, signals, config, 2);
    files_.EndAt(static_cast<int>(random->Between(0, 25)), random->Between(0, 12000));
    try {
      for (int i = 0; i < 400; i++) {
        AppendTo(random->Next() % 2 == 0 ? &first : &second, random);
        Disturb(random);
        if (random->Next() % 12 != 0) continue;
        sets->TrySwap(sets->active());
        while (sets->recycled() < sets->active()) writer.Write(sets->recycled(), true);
        if (random->Next() % 4 == 0) older_ = ReadFile(arena_);
      }
    } catch (const WorldEnds&) {
    }
    files_.GoOn();
  }

  void Disturb(Random* random) {
    const uint64_t what = random->Next() % 60;
    if (what == 0) Foreign();
    if (what == 1) files_.Rename(path(), NextRotated());
    if (what == 2) files_.CopyAndTruncate(path(), NextRotated());
  }

  void Foreign() {
    const std::string line = "a line of another program, number " + std::to_string(foreign_) + "\n";
    // What is appended to half a line cannot be told from it.
    const std::string log = files_.Read(path());
    if (log.empty() || (GetParam().format == Format::kNdjson && log.back() != '\n')) return;
    foreign_++;
    files_.AppendForeign(path(), line);
  }

  std::string NextRotated() { return path() + "." + std::to_string(++rotated_); }

  void Happen(Between event) {
    switch (event) {
      case Between::kForeignAppends:
        return Foreign();
      case Between::kRename:
        return files_.Rename(path(), NextRotated());
      case Between::kCopyTruncate:
        return files_.CopyAndTruncate(path(), NextRotated());
      case Between::kOtherInode:
        return files_.Copy(path());
      case Between::kTwoRenames:
        files_.Rename(path(), NextRotated());
        files_.AppendForeign(path(), "");
        return;
      case Between::kNothing:
      case Between::kPowerFails:
        return;
    }
  }

  // Recovers; the first attempts end half way.
  void Recover(Random* random, bool dsync, bool force) {
    for (int attempt = 3; attempt >= 0; attempt--) {
      const engine::Config config = NewConfig(dsync);
      if (attempt > 0) {
        files_.EndAt(static_cast<int>(random->Between(0, 4)), random->Between(0, 6000));
      }
      try {
        engine::LogFile log(&files_, path(), config.io, config.format);
        const engine::RecoveryReport report = engine::RecoverArena(arena_, &log, force);
        set_aside_ = report.set_aside;
      } catch (const WorldEnds&) {
      }
      files_.GoOn();
    }
  }

  void MixPages(Random* random) {
    std::string bytes = ReadFile(arena_);
    for (size_t at = 0; older_.size() == bytes.size() && at < bytes.size(); at += 4096) {
      if (random->Next() % 3 == 0) bytes.replace(at, 4096, older_, at, 4096);
    }
    bytes[88] = static_cast<char>(bytes[88] + 1);
    WriteFile(arena_, bytes);
  }

  // Lines of ours in all files of the log, by number; and others' lines.
  void ReadAll() {
    found_.clear();
    foreign_found_ = 0;
    complaints_.clear();
    for (const std::string& name : files_.Paths()) {
      const std::string bytes = files_.Read(name);
      if (GetParam().format == Format::kNdjson) {
        ReadText(bytes);
      } else {
        ReadBlocks(bytes);
      }
    }
  }

  void Take(const std::string& line) {
    int number = -1;
    const bool ours = std::sscanf(line.c_str(), "{\"n\":%d,", &number) == 1 && number >= 0 &&
                      number < accepted_ && lines_[static_cast<size_t>(number)] == line;
    if (ours) {
      found_[number]++;
    } else if (line.rfind("a line of another", 0) == 0 && line.back() == '\n') {
      foreign_found_++;
    } else {
      complaints_.push_back("neither ours nor theirs: " + line.substr(0, 60));
    }
  }

  void ReadText(const std::string& bytes) {
    for (size_t at = 0; at < bytes.size();) {
      const size_t end = bytes.find('\n', at);
      Take(bytes.substr(at, end == std::string::npos ? end : end + 1 - at));
      at = end == std::string::npos ? bytes.size() : end + 1;
    }
  }

  static uint32_t Word(const std::string& bytes, size_t at) {
    uint32_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    return word;
  }

  // By the words of docs/reference/log-format.md: a block counts if its entries fill it; elsewhere
  // the reader goes on at the next sector, where others' lines may stand.
  void ReadBlocks(const std::string& bytes) {
    for (size_t at = 0; at + 8 <= bytes.size();) {
      const uint32_t capacity = Word(bytes, at);
      const uint32_t valid = Word(bytes, at + 4);
      const bool possible = capacity % 512 == 0 && capacity >= 8 && valid <= capacity - 8 &&
                            valid != 0 && at + 8 + valid <= bytes.size();
      std::vector<std::string> entries;
      size_t entry = at + 8;
      while (possible && entry + 4 < at + 8 + valid) {
        const uint32_t length = Word(bytes, entry);
        if (length == 0 || entry + 4 + length > at + 8 + valid) break;
        entries.push_back(bytes.substr(entry + 4, length));
        entry += 4 + length;
      }
      if (!possible || entry != at + 8 + valid) {
        at += 512;
        continue;
      }
      for (const std::string& text : entries) Take(text);
      at += (8 + valid + 511) / 512 * 512;
    }
    size_t from = 0;
    for (size_t at; (at = bytes.find("a line of another", from)) != std::string::npos;) {
      from = bytes.find('\n', at);
      if (from == std::string::npos) break;
      foreign_found_++;
    }
  }

  void ExpectOnce(const std::string& trace) {
    ReadAll();
    EXPECT_EQ(complaints_, std::vector<std::string>{}) << trace;
    for (int i = 0; i < accepted_; i++) {
      const int times = found_.count(i) == 0 ? 0 : found_[i];
      ASSERT_EQ(times, 1) << trace << ": number " << i << " of " << accepted_;
    }
  }

  void Reset() {
    files_ = ModelFiles();
    for (const std::string& name : {arena_, set_aside_}) {
      if (!name.empty()) std::remove(name.c_str());
    }
    accepted_ = foreign_ = rotated_ = 0;
    lines_.clear();
    older_.clear();
    set_aside_.clear();
  }

  TempDir directory_;
  ModelFiles files_;
  std::string arena_;
  std::string older_;  // the arena at some earlier moment
  std::string set_aside_;
  std::vector<std::string> lines_;
  int accepted_ = 0;
  int foreign_ = 0;
  int rotated_ = 0;
  std::map<int, int> found_;
  int foreign_found_ = 0;
  std::vector<std::string> complaints_;
};

TEST_P(CrashConsistency, EachEntryIsThereOnceAfterTheEndOfAProcess) {
  for (const Between event : kEvents) {
    for (int seed = 0; seed < kSeeds; seed++) {
      const std::string trace =
          "event " + std::to_string(static_cast<int>(event)) + ", seed " + std::to_string(seed);
      Reset();
      Random random(static_cast<uint64_t>(seed) * 16 + static_cast<uint64_t>(event) + 1);
      Live(&random, true);
      Happen(event);
      Recover(&random, true, false);
      EXPECT_EQ(set_aside_, "") << trace;
      ExpectOnce(trace);
      EXPECT_EQ(foreign_found_, foreign_) << trace;
      if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
  }
}

// The log keeps what was durable and some of what was not; of the arena, each page is as it was at
// one of two moments, and the boot is another.
TEST_P(CrashConsistency, NothingIsThereTwiceAfterAPowerFailure) {
  for (const bool dsync : {true, false}) {
    for (const bool force : {false, true}) {
      for (int seed = 0; seed < kSeeds; seed++) {
        const std::string trace = std::string(dsync ? "dsync" : "no dsync") +
                                  (force ? ", by force" : "") + ", seed " + std::to_string(seed);
        Reset();
        Random random(static_cast<uint64_t>(seed) * 4 + (dsync ? 1 : 0) + (force ? 2 : 0));
        Live(&random, dsync);
        files_.FailPower(random.Between(0, 3) * 512);
        MixPages(&random);
        Recover(&random, dsync, force);
        ReadAll();
        for (const auto& [number, times] : found_) {
          ASSERT_EQ(times, 1) << trace << ": number " << number;
        }
        if (HasFatalFailure()) return;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Of, CrashConsistency,
                         testing::Values(Kind{"Entries", Content::kEntries, Format::kShard},
                                         Kind{"RecordsInBlocks", Content::kRecords, Format::kShard},
                                         Kind{"RecordsAsText", Content::kRecords, Format::kNdjson}),
                         [](const testing::TestParamInfo<Kind>& info) { return info.param.name; });

}  // namespace
}  // namespace shardlog::test
