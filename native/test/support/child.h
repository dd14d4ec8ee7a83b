// A process that dies on purpose.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

namespace shardlog::test {

// Memory that a child and its parent share.
class SharedCounters {
 public:
  static constexpr int kCount = 64;
  SharedCounters();
  ~SharedCounters();
  SharedCounters(const SharedCounters&) = delete;
  SharedCounters& operator=(const SharedCounters&) = delete;

  std::atomic<uint32_t>& operator[](int i) { return counters_[i]; }

 private:
  std::atomic<uint32_t>* counters_;
};

// Runs `life` in a forked child, which is killed with SIGKILL when it returns, or earlier. Waits.
// True if it died of that.
bool LiveAndDie(const std::function<void()>& life);

// SIGKILL to the calling process.
void Die();

}  // namespace shardlog::test
