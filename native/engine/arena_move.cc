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
void CopyWords(uint8_t* to, const uint8_t* from, uint64_t bytes) {
  for (uint64_t at = 0; at < bytes; at += sizeof(uint64_t)) {
    const uint64_t word =
        __atomic_load_n(reinterpret_cast<const uint64_t*>(from + at), __ATOMIC_RELAXED);
    std::memcpy(to + at, &word, sizeof word);
  }
}

// A segment that somebody leased when the free ones were taken.
struct Leased {
  SegmentSlot* slot;
  uint32_t lessee;
};

class Move {
 public:
  Move(BufferSets* sets, const io::FileInfo& log)
      : sets_(*sets),
        arena_(sets->arena()),
        // Only the flusher changes it: what is swapped to meanwhile is this one's follower.
        generation_(sets->written()),
        file_(arena_.path(), arena_.header().total_bytes, log),
        copy_(file_.fd(), arena_.header().total_bytes, PROT_READ | PROT_WRITE, arena_.path()),
        before_(arena_.fd(), arena_.control_bytes(), PROT_READ, arena_.path()) {}

  // False: producers have begun with the other set.
  bool Run() {
    // As long as the other set is not recycled, nobody can swap to it.
    const bool may_be_swapped_to = sets_.recycled() == generation_;
    if (may_be_swapped_to && !SealFree()) return false;
    const std::vector<SealedSegment> sealed = sets_.Seal(generation_, 0);
    HoldFreeSlots();
    ArenaFd before;
    try {
      Copy(sealed);
      before.Reset(arena_.Adopt(file_.Publish()));
    } catch (const Error&) {
      // What the copy holds is going to be written from here.
      if (IsNamed(arena_.path(), file_.fd())) unlink(arena_.path().c_str());
      Reopen();
      throw;
    }
    ReleaseWhatWasReleased();
    // Wherever it is now, it must not be taken for ours again.
    static_cast<void>(ftruncate(before.get(), 0));
    sets_.pages().Forget();
    return true;
  }

 private:
  uint32_t shards() const { return sets_.geometry().num_shards; }

  // Nothing is claimed in the free set from here on, also by those who have swapped to it. Somebody
  // may have claimed there before: then it is not free, and goes on.
  bool SealFree() const {
    bool is_free = true;
    for (uint32_t i = 0; i < shards(); i++) {
      is_free &= arena_.claim(generation_ + 1, i).Seal().claimed() == 0;
    }
    if (is_free) return true;
    for (uint32_t i = 0; i < shards(); i++) arena_.claim(generation_ + 1, i).Unseal();
    return false;
  }

  // A late claimer that is about to back out finds them taken: a lease that it took here would not
  // be in the copy, where it would give up that of somebody else.
  void HoldFreeSlots() {
    ForEachSlot([this](SegmentSlot& slot) {
      for (;;) {
        if (slot.TakeLease(kMover)) return held_.push_back(&slot);
        const uint32_t lessee = slot.Lessee();
        if (lessee != 0) return leased_.push_back({&slot, lessee});
      }
    });
  }

  // The sealed generation waits for the flusher in the copy; producers go on with the next one.
  void Copy(const std::vector<SealedSegment>& sealed) {
    CopyWords(copy_.at(), arena_.control(), arena_.control_bytes());
    auto& header = *reinterpret_cast<ArenaHeader*>(copy_.at());
    // [MM init] relaxed: no other thread knows of the copy yet.
    header.active.store(generation_ + 1, std::memory_order_relaxed);
    header.recycled.store(generation_, std::memory_order_relaxed);  // [MM init] relaxed: the same
    header.moves.fetch_add(1, std::memory_order_relaxed);           // [MM init] relaxed: the same
    auto* claims = reinterpret_cast<ClaimWord*>(copy_.at() + ClaimWordsOffset());
    for (uint32_t i = 0; i < shards(); i++) {
      claims[((generation_ + 1) & 1) * shards() + i].Reset(generation_ + 1);
    }
    ForEachSlot([this](const SegmentSlot& slot) {
      // Recycled, if it was not; nor is what a late claimer has opened there to stay open.
      if (IsOfFreeSet(slot)) Copied(&slot)->Recycle();
    });
    for (const SegmentSlot* slot : held_) Copied(slot)->InitLessee(0);
    // Not as they are by now: what is given up meanwhile, and is not held, may be taken here again.
    for (const Leased& leased : leased_) Copied(leased.slot)->InitLessee(leased.lessee);
    for (const SealedSegment& segment : sealed) {
      std::memcpy(copy_.at() + (segment.data - arena_.control()), segment.data,
                  format::kBlockHeaderBytes + segment.valid);
    }
  }

  bool IsOfFreeSet(const SegmentSlot& slot) const {
    const auto at = static_cast<uint64_t>(&slot - &arena_.slot(0, 0, 0));
    return at / sets_.geometry().segments_per_set() == ((generation_ + 1) & 1);
  }

  SegmentSlot* Copied(const SegmentSlot* slot) const { return In(copy_, slot); }

  SegmentSlot* In(const View& view, const SegmentSlot* slot) const {
    const auto at = reinterpret_cast<const uint8_t*>(slot) - arena_.control();
    return reinterpret_cast<SegmentSlot*>(view.at() + at);
  }

  // The move has failed: producers go on with the free set of the old file.
  void Reopen() {
    for (SegmentSlot* slot : held_) slot->Release();
    if (sets_.recycled() < generation_) {
      sets_.Recycle(generation_ - 1);
    } else {
      for (uint32_t i = 0; i < shards(); i++) {
        arena_.claim(generation_ + 1, i).Reset(generation_ + 1);
      }
    }
    sets_.TrySwap(generation_);
  }

  // Leases that were given up in the old file alone. The new one has none of anybody else's there:
  // until they are given up here, nobody can take them.
  void ReleaseWhatWasReleased() {
    for (const Leased& leased : leased_) {
      if (In(before_, leased.slot)->Lessee() != 0) continue;
      // ThreadSanitizer knows words by their addresses: here it finds that the lessee has stopped.
      if (leased.slot->Lessee() != 0) leased.slot->Release();
    }
  }

  template <typename Do>
  void ForEachSlot(Do&& with) const {
    const uint32_t per_set = sets_.geometry().segments_per_set();
    const uint32_t per_shard = sets_.geometry().segments_per_shard;
    for (uint32_t i = 0; i < 2 * per_set; i++) {
      const uint32_t in_set = i % per_set;
      with(arena_.slot(i / per_set, in_set / per_shard, in_set % per_shard));
    }
  }

  // Stands for a lessee. Producers count up from 1.
  static constexpr uint32_t kMover = UINT32_MAX;

  BufferSets& sets_;
  Arena& arena_;
  const uint64_t generation_;
  NewArenaFile file_;
  const View copy_;
  const View before_;
  // Where producers find them.
  std::vector<SegmentSlot*> held_;
  std::vector<Leased> leased_;
};

}  // namespace

bool CanMoveArena(const BufferSets& sets) {
  const uint64_t recycled = sets.recycled();
  return recycled == sets.active() || recycled < sets.written();
}

bool MoveArena(BufferSets* sets, const io::FileInfo& log) {
  return CanMoveArena(*sets) && Move(sets, log).Run();
}

}  // namespace shardlog::engine
