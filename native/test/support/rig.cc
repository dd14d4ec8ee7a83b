#include "support/rig.h"

#include <gtest/gtest.h>

#include <utility>

#include "platform/clock.h"

namespace shardlog::test {

using engine::Arena;
using engine::BufferSets;
using engine::Producer;

engine::Config SmallConfig(const std::string& path, uint32_t shards) {
  engine::Config config;
  config.path = path;
  config.num_shards = shards;
  config.buffer_bytes = uint64_t{2} * shards * engine::kMinShardBytes;
  config.flush_interval_ns = 0;
  config.crash_safe = engine::CrashSafe::kOff;
  config.io.direct = io::DirectIo::kOff;
  config.io.dsync = false;
  return config;
}

Rig::Rig(uint32_t shards, engine::ShardSelection selection, uint64_t first_generation,
         engine::CrashSafe crash_safe)
    : config_(SmallConfig(directory_.File("log"), shards)) {
  config_.shard_selection = selection;
  config_.crash_safe = crash_safe;
  sets_ = std::make_shared<BufferSets>(Arena::Create(config_, io::FileInfo{}, 77));
  signals_ = std::make_shared<engine::Signals>();
  file_ = std::make_unique<engine::LogFile>(&io::PosixFileSystem(), config_.path, config_.io);
  file_->Prepare();
  if (first_generation == 0) return;
  engine::ArenaHeader& header = arena().header();
  header.active.store(first_generation);
  header.written.store(first_generation);
  header.recycled.store(first_generation);
  for (uint32_t shard = 0; shard < shards; shard++) {
    arena().claim(first_generation, shard).Reset(first_generation);
    arena().claim(first_generation + 1, shard).Reset(first_generation + 1);
  }
}

std::unique_ptr<Producer> Rig::NewProducer(bool in_pages, engine::Content content) {
  engine::Config config = config_;
  config.content = content;
  return std::make_unique<engine::Producer>(sets_, signals_, config, next_id_++, in_pages);
}

void Rig::Write(uint64_t generation) {
  const std::vector<engine::SealedSegment> sealed = sets_->Seal(generation, 0);
  engine::BlockEncoder writer(geometry());
  engine::BlockContext context;
  context.generation = generation;
  context.stream = 77;
  context.sequence = sequence_;
  context.sealed_time = platform::RealtimeNs();
  engine::WriteProgress progress(nullptr);
  const engine::IoStatus status = writer.Write(file_.get(), context, sealed, &progress, nullptr);
  ASSERT_TRUE(status.ok()) << status.call;
  ASSERT_EQ(progress.totals().blocks, sealed.size());
  sequence_ += sealed.size();
}

void Rig::FlushOldest() {
  const uint64_t generation = sets_->recycled();
  Write(generation);
  sets_->MarkWritten(generation);
  sets_->Recycle(generation);
}

void Rig::Flush() {
  while (sets_->recycled() < sets_->active()) FlushOldest();
  Swap(sets_->active());
  FlushOldest();
}

PlainLog Rig::Log() {
  PlainLog log = ReadPlainLog(config_.path);
  EXPECT_EQ(log.complaints, std::vector<std::string>{});
  return log;
}

}  // namespace shardlog::test
