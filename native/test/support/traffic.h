// Threads that come, log and go, for as long as a test does something to their log.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "log/log.h"
#include "support/entries.h"
#include "support/rig.h"

namespace shardlog::test {

// Of a small log that waits for room for as long as it takes, and is flushed each millisecond.
inline engine::Config PatientConfig(const std::string& path, engine::CrashSafe crash_safe) {
  engine::Config config = SmallConfig(path, 2);
  config.crash_safe = crash_safe;
  config.flush_interval_ns = engine::kNsPerMs;
  config.on_full = engine::OnFull::kBlock;
  config.block_timeout_ns = UINT64_MAX;
  return config;
}

class Traffic {
 public:
  explicit Traffic(std::shared_ptr<engine::Log> log) : log_(std::move(log)) {
    constexpr uint32_t kThreads = 3;
    for (uint32_t t = 0; t < kThreads; t++) threads_.emplace_back([this, t] { LogAndLeave(t); });
  }
  ~Traffic() { End(); }
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  bool has_ended() const { return ended_; }
  // Returns when the threads have gone.
  void End() {
    ended_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  uint64_t accepted() const { return accepted_; }
  uint64_t refused() const { return refused_; }

 private:
  // By one producer after the other.
  void LogAndLeave(uint32_t thread) {
    Random random(thread);
    while (!ended_) {
      const uint32_t id = next_id_++;
      const auto producer = log_->Attach();
      const auto count = static_cast<uint32_t>(random.Between(1, 3000));
      for (uint32_t i = 0; i < count; i++) {
        const std::string entry = MakeEntry(id, i, random.Between(20, 9000));
        if (!producer->Append(entry.data(), entry.size())) refused_++;
        accepted_++;
      }
      log_->Detach(producer);
    }
  }

  const std::shared_ptr<engine::Log> log_;
  std::atomic<bool> ended_{false};
  std::atomic<uint32_t> next_id_{0};
  std::atomic<uint64_t> accepted_{0};
  std::atomic<uint64_t> refused_{0};
  std::vector<std::thread> threads_;
};

}  // namespace shardlog::test
