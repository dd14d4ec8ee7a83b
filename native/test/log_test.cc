// The whole engine under threads: every accepted entry is in the file once, whole, and in its
// thread's order.
#include "log/log.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "engine/error.h"
#include "log/log_registry.h"
#include "support/child.h"
#include "support/entries.h"
#include "support/rig.h"
#include "support/sanitizers.h"

namespace shardlog::test {
namespace {

constexpr uint32_t kScale = kThreadSanitizer ? 1 : 4;

using engine::Config;
using engine::JsControl;
using engine::Log;
using engine::Producer;

void ExpectExactlyOnce(const std::string& path, const std::vector<uint32_t>& accepted) {
  const PlainLog log = ReadPlainLog(path);
  EXPECT_EQ(log.complaints, std::vector<std::string>{});
  EntryCheck check = CheckEntries(log.Entries());
  EXPECT_EQ(check.complaints, std::vector<std::string>{});
  for (size_t i = 0; i < accepted.size(); i++) {
    EXPECT_EQ(check.count[static_cast<uint32_t>(i)], accepted[i]) << "producer " << i;
  }
  for (const PlainBlock& block : log.blocks) {
    EXPECT_TRUE(block.has_trailer) << "at " << block.offset;
  }
}

// --- the seed's tests ---

TEST(Logger, BasicLogging) {
  TempDir directory;
  const auto log = Log::Open(SmallConfig(directory.File("log"), 2));
  const auto producer = log->Attach();
  ASSERT_TRUE(producer->Append("Test message 1\n", 15));
  ASSERT_TRUE(producer->Append("Test message 2", 14));
  log->Detach(producer);
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(ReadPlainLog(directory.File("log")).Entries(),
            (std::vector<std::string>{"Test message 1\n", "Test message 2"}));
}

TEST(Logger, DoubleClose) {
  TempDir directory;
  const auto log = Log::Open(SmallConfig(directory.File("log"), 1));
  EXPECT_TRUE(log->Close().ok());
  EXPECT_TRUE(log->Close().ok());
  const auto late = log->Attach();
  EXPECT_FALSE(late->Append("x", 1));
  EXPECT_EQ(log->Stats().dropped_logs, 1u);
}

TEST(Logger, Statistics) {
  TempDir directory;
  const auto log = Log::Open(SmallConfig(directory.File("log"), 1));
  const auto producer = log->Attach();
  for (int i = 0; i < 10; i++) ASSERT_TRUE(producer->Append("0123456789", 10));
  EXPECT_FALSE(producer->Append("", 0));
  ASSERT_TRUE(log->Flush().ok());
  const engine::LogStats stats = log->Stats();
  EXPECT_EQ(stats.total_logs, 11u);
  EXPECT_EQ(stats.dropped_logs, 1u);
  EXPECT_EQ(stats.written_logs, 10u);
  EXPECT_EQ(stats.payload_bytes, 100u);
  EXPECT_EQ(stats.bytes_written, 512u);
  EXPECT_EQ(stats.flushes, 1u);
  EXPECT_EQ(stats.set_swaps, 1u);
  EXPECT_EQ(stats.producers, 1u);
  EXPECT_EQ(log->Shards()[0].write_count, 10u);
  log->Detach(producer);
  ASSERT_TRUE(log->Close().ok());
  EXPECT_EQ(log->Stats().total_logs, 11u) << "counts of a producer that is gone are kept";
  EXPECT_EQ(log->Stats().set_swaps, 1u) << "the closing swap is none";
}

TEST(Logger, FileFormatVerification) {
  TempDir directory;
  const auto log = Log::Open(SmallConfig(directory.File("log"), 1));
  const auto producer = log->Attach();
  ASSERT_TRUE(producer->Append("abc", 3));
  ASSERT_TRUE(log->Close().ok());
  const std::string bytes = ReadFile(directory.File("log"));
  ASSERT_EQ(bytes.size(), 512u);
  EXPECT_EQ(bytes.substr(0, 15), std::string("\x00\x10\x00\x00\x07\x00\x00\x00\x03\x00\x00\x00"
                                             "abc",
                                             15));
  EXPECT_EQ(ReadPlainLog(directory.File("log")).complaints, std::vector<std::string>{});
}

TEST(Logger, GracefulShutdownAppendsToWhatWasThere) {
  TempDir directory;
  std::vector<std::string> expected;
  for (int opening = 0; opening < 3; opening++) {
    const auto log = Log::Open(SmallConfig(directory.File("log"), 2));
    const auto producer = log->Attach();
    for (int i = 0; i < 5; i++) {
      expected.push_back("opening " + std::to_string(opening) + " entry " + std::to_string(i));
      ASSERT_TRUE(producer->Append(expected.back().data(), expected.back().size()));
    }
  }
  const PlainLog log = ReadPlainLog(directory.File("log"));
  EXPECT_EQ(log.complaints, std::vector<std::string>{});
  EXPECT_EQ(log.Entries(), expected);
}

// --- threads ---

struct Mix {
  int threads;
  uint32_t shards;
  engine::OnFull on_full;
};

class Stress : public testing::TestWithParam<Mix> {};

// Small buffers, so that swaps, flushes and recycles are constant; some entries larger than a
// segment; flushes asked for meanwhile.
TEST_P(Stress, ExactlyOnceAndInOrder) {
  const Mix mix = GetParam();
  TempDir directory;
  Config config = SmallConfig(directory.File("log"), mix.shards);
  config.on_full = mix.on_full;
  config.block_timeout_ns = UINT64_MAX;
  config.crash_safe = engine::CrashSafe::kFile;
  const auto log = Log::Open(config);
  std::vector<uint32_t> accepted(static_cast<size_t>(mix.threads));
  std::vector<std::thread> threads;
  std::atomic<int> running{mix.threads};
  for (int t = 0; t < mix.threads; t++) {
    threads.emplace_back([&, t] {
      const auto producer = log->Attach();
      Random random(static_cast<uint64_t>(t) + 1);
      for (uint32_t i = 0; i < 1500 * kScale; i++) {
        const size_t size =
            random.Next() % 100 == 0 ? random.Between(4000, 20000) : random.Between(20, 260);
        const std::string entry =
            MakeEntry(static_cast<uint32_t>(t), accepted[static_cast<size_t>(t)], size);
        const bool taken = producer->Append(entry.data(), entry.size());
        if (taken) accepted[static_cast<size_t>(t)]++;
        EXPECT_TRUE(taken || mix.on_full != engine::OnFull::kBlock);
      }
      log->Detach(producer);
      running--;
    });
  }
  while (running > 0) EXPECT_TRUE(log->Flush().ok());
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(log->Close().ok());
  ExpectExactlyOnce(directory.File("log"), accepted);
  EXPECT_FALSE(Exists(directory.File(".log.arena")));
  const engine::LogStats stats = log->Stats();
  uint64_t sum = 0;
  for (const uint32_t n : accepted) sum += n;
  EXPECT_EQ(stats.written_logs, sum);
  EXPECT_EQ(stats.total_logs, stats.written_logs + stats.dropped_logs);
}

INSTANTIATE_TEST_SUITE_P(
    Threads, Stress,
    testing::Values(Mix{2, 1, engine::OnFull::kBlock}, Mix{4, 2, engine::OnFull::kBlock},
                    Mix{8, 2, engine::OnFull::kBlock}, Mix{16, 4, engine::OnFull::kBlock},
                    Mix{4, 1, engine::OnFull::kDrop}, Mix{16, 1, engine::OnFull::kBlock}));

TEST(Stress, RoundRobinLosesAndRepeatsNothing) {
  TempDir directory;
  Config config = SmallConfig(directory.File("log"), 4);
  config.shard_selection = engine::ShardSelection::kRoundRobin;
  config.on_full = engine::OnFull::kBlock;
  config.block_timeout_ns = UINT64_MAX;
  const auto log = Log::Open(config);
  std::vector<std::thread> threads;
  constexpr uint32_t kEntries = 1500 * kScale;
  for (uint32_t t = 0; t < 4; t++) {
    threads.emplace_back([&, t] {
      const auto producer = log->Attach();
      for (uint32_t i = 0; i < kEntries; i++) {
        const std::string entry = MakeEntry(t, i, 20 + i % 200);
        EXPECT_TRUE(producer->Append(entry.data(), entry.size()));
      }
      log->Detach(producer);
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(log->Close().ok());
  const PlainLog read = ReadPlainLog(directory.File("log"));
  EXPECT_EQ(read.complaints, std::vector<std::string>{});
  std::vector<std::string> entries = read.Entries();
  std::sort(entries.begin(), entries.end());
  const EntryCheck check = CheckEntries(entries);
  EXPECT_EQ(check.complaints, std::vector<std::string>{});
  for (uint32_t t = 0; t < 4; t++) EXPECT_EQ(check.count.at(t), kEntries);
}

// What lib/engine/direct-route.ts does, on the same words: a producer that copies and accepts
// without the engine's help.
bool AppendDirectly(Log& log, Producer& producer, const std::string& entry) {
  int32_t* lease = producer.js_words();
  auto* word = reinterpret_cast<int32_t*>(log.arena().control()) + lease[JsControl::kWord];
  int32_t offset = __atomic_load_n(word, __ATOMIC_RELAXED);
  const uint32_t size = static_cast<uint32_t>(entry.size());
  const int64_t end = int64_t{offset} + 4 + size;
  if (offset >= 8 && end <= lease[JsControl::kLimit]) {
    const uint32_t shards = log.config().num_shards;
    const uint32_t index = static_cast<uint32_t>(lease[JsControl::kBuffer]);
    uint8_t* at =
        log.arena().shard_data(index / shards, index % shards) + lease[JsControl::kStart] + offset;
    std::memcpy(at, &size, 4);
    std::memcpy(at + 4, entry.data(), size);
    if (__atomic_compare_exchange_n(word, &offset, static_cast<int32_t>(end), false,
                                    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
      const uint32_t counted = static_cast<uint32_t>(lease[JsControl::kAccepted]);
      __atomic_store_n(&lease[JsControl::kAccepted], static_cast<int32_t>(counted + 1),
                       __ATOMIC_RELAXED);
      return true;
    }
  }
  return producer.Append(entry.data(), entry.size());
}

TEST(Stress, TheDirectRouteAndTheCallRouteMix) {
  TempDir directory;
  Config config = SmallConfig(directory.File("log"), 2);
  config.on_full = engine::OnFull::kBlock;
  config.block_timeout_ns = UINT64_MAX;
  const auto log = Log::Open(config);
  std::vector<uint32_t> accepted(4);
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 4; t++) {
    threads.emplace_back([&, t] {
      const auto producer = log->Attach();
      for (uint32_t i = 0; i < 2000 * kScale; i++) {
        const std::string entry = MakeEntry(t, i, 20 + (i * 7) % 180);
        const bool direct = i % 3 != 0;
        ASSERT_TRUE(direct ? AppendDirectly(*log, *producer, entry)
                           : producer->Append(entry.data(), entry.size()));
        accepted[t]++;
      }
      log->Detach(producer);
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(log->Close().ok());
  ExpectExactlyOnce(directory.File("log"), accepted);
}

// Close while everybody logs: what was accepted is in the file, what was not is counted.
TEST(Close, WhileProducersLog) {
  for (int round = 0; round < 12; round++) {
    TempDir directory;
    Config config = SmallConfig(directory.File("log"), 1);
    config.crash_safe = round % 2 == 0 ? engine::CrashSafe::kFile : engine::CrashSafe::kOff;
    config.on_full = round % 3 == 0 ? engine::OnFull::kBlock : engine::OnFull::kDrop;
    const auto log = Log::Open(config);
    std::vector<uint32_t> accepted(6);
    std::atomic<uint32_t> total{0};
    std::atomic<bool> closed{false};
    std::vector<std::thread> threads;
    for (uint32_t t = 0; t < 6; t++) {
      threads.emplace_back([&, t] {
        const auto producer = log->Attach();
        int refused_after_close = 0;
        while (refused_after_close < 50) {
          const bool closed_before = closed;
          const std::string entry = MakeEntry(t, accepted[t], 20 + accepted[t] % 300);
          const bool taken = t % 2 == 0 ? AppendDirectly(*log, *producer, entry)
                                        : producer->Append(entry.data(), entry.size());
          if (taken) {
            accepted[t]++;
            total++;
          } else if (closed_before) {
            refused_after_close++;
          }
        }
        log->Detach(producer);
      });
    }
    while (total < 500u * static_cast<uint32_t>(round)) std::this_thread::yield();
    EXPECT_TRUE(log->Close().ok());
    closed = true;
    for (std::thread& thread : threads) thread.join();
    ExpectExactlyOnce(directory.File("log"), accepted);
  }
}

TEST(Flush, IsOnTheFileWhenItReturns) {
  TempDir directory;
  const auto log = Log::Open(SmallConfig(directory.File("log"), 2));
  const auto producer = log->Attach();
  std::vector<std::string> expected;
  for (int i = 0; i < 50; i++) {
    expected.push_back("entry " + std::to_string(i));
    ASSERT_TRUE(producer->Append(expected.back().data(), expected.back().size()));
    ASSERT_TRUE(log->Flush().ok());
    EXPECT_EQ(ReadPlainLog(directory.File("log")).Entries(), expected);
  }
  EXPECT_TRUE(log->Flush().ok()) << "with nothing to write";
  EXPECT_EQ(log->Stats().flushes, 50u);
}

TEST(Flush, OfManyThreadsAtOnceAndWhileClosingEnds) {
  TempDir directory;
  const auto log = Log::Open(SmallConfig(directory.File("log"), 1));
  std::vector<std::thread> threads;
  std::atomic<bool> stop{false};
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&] {
      const auto producer = log->Attach();
      while (!stop) {
        producer->Append("x", 1);
        EXPECT_TRUE(log->Flush().ok());
      }
      log->Detach(producer);
    });
  }
  while (log->Stats().flushes < 20) std::this_thread::yield();
  EXPECT_TRUE(log->Close().ok());
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

// Whether this process has a file's memory mapped that is, or was, called `name`.
bool IsMapped(const std::string& name) {
  return ReadFile("/proc/self/maps").find(name) != std::string::npos;
}

// Some are in the middle of a call when the log closes, and leave it when they like.
TEST(Close, GivesTheMemoryBackWhenTheLastProducerHasLeft) {
  for (int round = 0; round < 20; round++) {
    TempDir directory;
    Config config = SmallConfig(directory.File("log"), 2);
    config.crash_safe = engine::CrashSafe::kFile;
    const auto log = Log::Open(config);
    std::atomic<uint32_t> accepted{0};
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (uint32_t t = 0; t < 3; t++) {
      threads.emplace_back([&, t] {
        const auto producer = log->Attach();
        for (uint32_t i = 0; !stop;) {
          const std::string entry = MakeEntry(t, i, 40);
          if (!producer->Append(entry.data(), entry.size())) continue;
          accepted++;
          i++;
        }
        log->Detach(producer);
        EXPECT_FALSE(producer->Append("late", 4));
      });
    }
    while (accepted < 100) std::this_thread::yield();
    EXPECT_TRUE(log->Close().ok());
    const uint64_t swaps = log->Stats().set_swaps;
    stop = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_FALSE(IsMapped(".log.arena"));
    EXPECT_EQ(log->Stats().set_swaps, swaps);
    EXPECT_TRUE(log->Flush().ok());
    const EntryCheck check = CheckEntries(ReadPlainLog(config.path).Entries());
    EXPECT_TRUE(check.complaints.empty());
    uint32_t found = 0;
    for (const auto& [producer, count] : check.count) found += count;
    EXPECT_EQ(found, accepted);
  }
}

// --- more than one log ---

TEST(Lock, ASecondLogOfTheSameFileIsRefused) {
  TempDir directory;
  const auto log = Log::Open(SmallConfig(directory.File("log"), 1));
  try {
    Log::Open(SmallConfig(directory.File("log"), 1));
    FAIL() << "opened twice";
  } catch (const engine::Error& error) {
    EXPECT_EQ(error.code(), "ERR_SHARDLOG_LOCKED");
  }
}

TEST(Lock, IsGivenUpByCloseWhoeverStillKeepsTheLog) {
  TempDir directory;
  Config config = SmallConfig(directory.File("log"), 1);
  for (const auto mode :
       {engine::CrashSafe::kOff, engine::CrashSafe::kFile, engine::CrashSafe::kShm}) {
    config.crash_safe = mode;
    const auto log = Log::Open(config);
    const auto producer = log->Attach();
    const auto arena = log->shared_arena();
    EXPECT_TRUE(producer->Append("x", 1));
    EXPECT_TRUE(log->Close().ok());
    EXPECT_TRUE(Log::Open(config)->Close().ok());
  }
}

// The child of a fork() lives on when its parent is killed.
TEST(Lock, IsNotKeptByAChildThatDidNotOpenTheLog) {
  TempDir directory;
  Config config = SmallConfig(directory.File("log"), 1);
  config.crash_safe = engine::CrashSafe::kFile;
  int grandchild_ends[2];
  ASSERT_EQ(pipe(grandchild_ends), 0);
  EXPECT_TRUE(LiveAndDie([&] {
    const auto log = engine::Join(config);
    log->Attach()->Append("entry", 5);
    int grandchild_runs[2];
    if (pipe(grandchild_runs) != 0) _exit(1);
    char byte = 0;
    if (fork() == 0) {
      // The lock is given up by what runs in the child of fork() before anything else.
      if (write(grandchild_runs[1], &byte, 1) != 1) _exit(1);
      close(grandchild_ends[1]);
      _exit(read(grandchild_ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    if (read(grandchild_runs[0], &byte, 1) != 1) _exit(1);
    Die();
  }));
  const auto log = engine::Join(config);
  EXPECT_EQ(log->Stats().recovered_logs, 1u);
  EXPECT_TRUE(engine::Leave(log).ok());
  close(grandchild_ends[0]);
  close(grandchild_ends[1]);
}

// A child between fork() and exec() has the descriptors, too.
TEST(Lock, IsGivenUpByCloseAlsoWhileAChildHasTheFile) {
  TempDir directory;
  const Config config = SmallConfig(directory.File("log"), 1);
  const auto log = Log::Open(config);
  int until_closed[2];
  ASSERT_EQ(pipe(until_closed), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    close(until_closed[1]);
    char nothing;
    _exit(read(until_closed[0], &nothing, 1) == 0 ? 0 : 1);
  }
  EXPECT_TRUE(log->Close().ok());
  EXPECT_TRUE(Log::Open(config)->Close().ok());
  close(until_closed[0]);
  close(until_closed[1]);
  int status = 1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace shardlog::test
