#include "engine/arena_move.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "engine/arena_file.h"
#include "engine/error.h"

namespace shardlog::engine {
namespace {

// A second view of a file, for as long as the move takes.
class View {
 public:
  View(int fd, uint64_t bytes, int protection, const std::string& path) : bytes_(bytes) {
    void* at = mmap(nullptr, bytes, protection, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
      throw Error("ERR_SHARDLOG_IO", "mmap of arena " + path + " failed: " + std::strerror(errno),
                  errno, "mmap", path);
    }
    at_ = static_cast<uint8_t*>(at);
  }
  ~View() { munmap(at_, bytes_); }
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  uint8_t* at() const { return at_; }

 private:
  const uint64_t bytes_;
  uint8_t* at_;
};

// Word by word, so that none is torn that a producer changes meanwhile: a lessee that is given up,
// of which the last look of MoveArena takes care, and times that nobody reads of sealed segments.
// MM counter: relaxed, what others had done before the seal is seen by it.
__attribute__((no_sanitize("thread"))) void CopyWords(uint8_t* to, const uint8_t* from,
                                                      uint64_t bytes) {
  for (uint64_t at = 0; at < bytes; at += sizeof(uint64_t)) {
    const uint64_t word =
        __atomic_load_n(reinterpret_cast<const uint64_t*>(from + at), __ATOMIC_RELAXED);
    std::memcpy(to + at, &word, sizeof word);
  }
}

class Move {
 public:
  Move(BufferSets* sets, const io::FileInfo& log)
      : sets_(*sets),
        arena_(sets->arena()),
        generation_(sets->active()),
        file_(arena_.path(), arena_.header().total_bytes, log),
        copy_(file_.fd(), arena_.header().total_bytes, PROT_READ | PROT_WRITE, arena_.path()),
        before_(arena_.fd(), arena_.control_bytes(), PROT_READ, arena_.path()) {}

  void Run() {
    const std::vector<SealedSegment> sealed = SealBoth();
    ArenaFd before;
    try {
      Copy(sealed);
      before.Reset(arena_.Adopt(file_.Publish()));
    } catch (const Error&) {
      Reopen();
      throw;
    }
    ReleaseWhatWasReleased();
    // Wherever it is now, it must not be taken for ours again.
    static_cast<void>(ftruncate(before.get(), 0));
    sets_.pages().Forget();
  }

 private:
  uint32_t shards() const { return sets_.geometry().num_shards; }

  // Nothing is claimed or accepted from here on, in either set. The free one has nothing claimed.
  std::vector<SealedSegment> SealBoth() {
    for (uint32_t i = 0; i < shards(); i++) arena_.claim(generation_ + 1, i).Seal();
    return sets_.Seal(generation_, 0);
  }

  // The sealed generation waits for the flusher in the copy; producers go on with the next one.
  void Copy(const std::vector<SealedSegment>& sealed) {
    CopyWords(copy_.at(), arena_.control(), arena_.control_bytes());
    auto& header = *reinterpret_cast<ArenaHeader*>(copy_.at());
    // [MM init] relaxed: no other thread knows of the copy yet.
    header.active.store(generation_ + 1, std::memory_order_relaxed);
    auto* claims = reinterpret_cast<ClaimWord*>(copy_.at() + ClaimWordsOffset());
    for (uint32_t i = 0; i < shards(); i++) {
      claims[((generation_ + 1) & 1) * shards() + i].Reset(generation_ + 1);
    }
    for (const SealedSegment& segment : sealed) {
      std::memcpy(copy_.at() + (segment.data - arena_.control()), segment.data,
                  format::kBlockHeaderBytes + segment.valid);
    }
  }

  // The move has failed: producers go on with the free set of the old file.
  void Reopen() {
    for (uint32_t i = 0; i < shards(); i++) arena_.claim(generation_ + 1, i).Reset(generation_ + 1);
    sets_.TrySwap(generation_);
  }

  // Leases that were given up after they had been copied: nobody else gives them up.
  void ReleaseWhatWasReleased() {
    const auto* before =
        reinterpret_cast<const SegmentSlot*>(before_.at() + SlotsOffset(sets_.geometry()));
    const uint32_t per_set = sets_.geometry().segments_per_set();
    const uint32_t per_shard = sets_.geometry().segments_per_shard;
    for (uint32_t set = 0; set < 2; set++) {
      for (uint32_t i = 0; i < per_set; i++) {
        SegmentSlot& now = arena_.slot(set, i / per_shard, i % per_shard);
        if (now.Lessee() != 0 && before[set * per_set + i].Lessee() == 0) now.Release();
      }
    }
  }

  BufferSets& sets_;
  Arena& arena_;
  const uint64_t generation_;
  NewArenaFile file_;
  const View copy_;
  const View before_;
};

}  // namespace

bool MoveArena(BufferSets* sets, const io::FileInfo& log) {
  if (sets->recycled() != sets->active()) return false;
  Move(sets, log).Run();
  return true;
}

}  // namespace shardlog::engine
