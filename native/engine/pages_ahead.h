// Which pages of the shards have been touched by this process, and which are wanted soon: the
// flusher faults them in before producers get there, and nothing is touched that is not needed.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "engine/arena.h"

namespace shardlog::engine {

class PagesAhead {
 public:
  // `arena` outlives it.
  explicit PagesAhead(const Arena& arena);

  // A producer that has leased segments of a shard up to `end`: whether the flusher is to be woken
  // to touch those behind them. Touches nothing itself.
  bool Want(uint64_t generation, uint32_t shard, uint32_t end);

  // The flusher: touches what is wanted.
  void Touch();

  // The flusher: there are other pages now.
  void Forget();

  // Nobody touches pages ahead; producers fault theirs in one by one.
  void Stop();

 private:
  struct Shard {
    std::atomic<uint32_t> wanted{0};   // segments from the first on
    std::atomic<uint32_t> touched{0};  // of those
  };

  bool Raise(Shard* shard, uint32_t wanted) const;

  const Arena& arena_;
  const uint32_t ahead_;       // segments
  std::vector<Shard> shards_;  // of set 0, then of set 1
};

}  // namespace shardlog::engine
