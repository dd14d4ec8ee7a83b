// A stream whose reader the test plays.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "io/stream.h"

namespace shardlog::test {

class FakeReader {
 public:
  static constexpr size_t kEndless = SIZE_MAX;

  // A stream to this reader, which outlives it.
  std::unique_ptr<io::Stream> Stream();

  // What has arrived, and the sizes of the writes that brought it.
  std::string received() const;
  std::vector<size_t> writes() const;

  // Room for so many bytes more. None at first.
  void Read(size_t bytes);
  // Writes take no more than this.
  void TakeAtMost(size_t bytes);
  // Up to this, a write is taken whole or not at all.
  void SetAtomic(size_t bytes);
  // The next `times` writes fail by `error`. MayPass says so if it does.
  void Fail(int error, int times, bool may_pass);
  // The next `times` writes take nothing, though there is room.
  void Vex(int times);
  // Until a write has found no room, or the stream is closed.
  void AwaitStall();

 private:
  friend class FakeStream;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string received_;
  std::vector<size_t> writes_;
  size_t room_ = 0;
  size_t refused_at_ = 0;  // the room that was too little
  size_t most_ = kEndless;
  size_t atomic_ = 4096;
  int error_ = 0;
  int failures_ = 0;
  int vexed_ = 0;
  bool may_pass_ = false;
  bool interrupted_ = false;
  bool stalled_ = false;
};

}  // namespace shardlog::test
