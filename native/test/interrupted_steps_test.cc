// Threads that are stopped between two stores of a step while others go on
// (docs/internals/memory-model.md).
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "engine/arena_layout.h"
#include "log/log.h"
#include "support/faulty_files.h"
#include "support/first_store.h"
#include "support/record_builder.h"
#include "support/rig.h"
#include "support/sanitizers.h"

namespace shardlog::test {
namespace {

using engine::ClaimResult;
using engine::Config;
using engine::Lease;
using engine::Log;

// With so many shards the slots have pages of their own.
constexpr uint32_t kShards = 32;

TEST(Claim, ThatSleptThroughASealAndARecycleStartsOver) {
  if (kThreadSanitizer) GTEST_SKIP() << "not under ThreadSanitizer: see FirstStore";
  Rig rig(kShards);
  const engine::Geometry& geometry = rig.geometry();
  const uint64_t offset = engine::SlotsOffset(geometry);
  ASSERT_EQ(offset % engine::kPageBytes, 0u);
  uint8_t* const control = reinterpret_cast<uint8_t*>(&rig.arena().header());
  Lease lease;
  ClaimResult result = ClaimResult::kLeased;
  {
    // The word is claimed and the segment leased, the slot not yet opened.
    const FirstStore stop(control + offset, engine::DataOffset(geometry) - offset, [&] {
      rig.Swap(0);
      rig.FlushOldest();
    });
    result = rig.sets().Claim(0, 3, {1, 1}, 1, &lease);
    EXPECT_TRUE(FirstStore::HasCome());
  }
  EXPECT_EQ(rig.sets().recycled(), 1u);
  EXPECT_EQ(result, ClaimResult::kStartOver);
  EXPECT_EQ(rig.arena().lessee(0, 3, 0).Lessee(), 0u) << "the slot is nobody's again";
  EXPECT_EQ(rig.arena().slot(0, 3, 0).Peek().bits, 0u) << "and closed";
}

TEST(Flush, SaysThatAGenerationIsWrittenBeforeItRecyclesIt) {
  if (kThreadSanitizer) GTEST_SKIP() << "not under ThreadSanitizer: see FirstStore";
  TempDir directory;
  FaultyFiles files;
  Config config = SmallConfig(directory.File("log"), 1);
  config.content = engine::Content::kRecords;
  config.format = engine::Format::kNdjson;
  const auto log = Log::Open(config, &files);
  const auto producer = log->Attach();
  const Bytes entry = TextLine(1, "{\"n\":1}\n");
  ASSERT_TRUE(producer->Append(entry.view().data(), entry.size()));
  engine::ArenaHeader& header = log->arena().header();
  const uint64_t bytes = engine::DataOffset(log->arena().geometry()) - engine::kPageBytes;
  const uint64_t generation = header.written.load();
  uint64_t written = generation;
  std::unique_ptr<FirstStore> stop;
  // The set is sealed when it is written: claim words and slots are not touched before Recycle.
  files.At(0, 0, [&] {
    stop = std::make_unique<FirstStore>(reinterpret_cast<uint8_t*>(&header) + engine::kPageBytes,
                                        bytes, [&] { written = header.written.load(); });
  });
  EXPECT_TRUE(log->Flush().ok());
  EXPECT_TRUE(stop != nullptr && FirstStore::HasCome());
  EXPECT_EQ(written, generation + 1);
  stop.reset();
  EXPECT_TRUE(log->Close().ok());
  EXPECT_EQ(ReadFile(config.path), "{\"n\":1}\n");
}

}  // namespace
}  // namespace shardlog::test
