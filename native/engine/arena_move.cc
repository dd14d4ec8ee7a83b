#include "engine/arena_move.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "engine/arena_file.h"
#include "engine/error.h"

namespace shardlog::engine {
namespace {

[[noreturn]] void Throw(const char* call, const std::string& path, int error_number) {
  throw Error("ERR_SHARDLOG_IO",
              std::string(call) + " of arena " + path + " failed: " + std::strerror(error_number),
              error_number, call, path);
}

// A second view of a file, for as long as the move takes.
class View {
 public:
  View(int fd, uint64_t bytes, const std::string& path) : bytes_(bytes) {
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) Throw("mmap", path, errno);
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

// Word by word, so that none is torn that a producer changes meanwhile: times that nobody reads of
// sealed segments. MM counter: relaxed, what others had done before the seal is seen by it.
void CopyWords(uint8_t* to, const uint8_t* from, uint64_t bytes) {
  for (uint64_t at = 0; at < bytes; at += sizeof(uint64_t)) {
    const uint64_t word =
        __atomic_load_n(reinterpret_cast<const uint64_t*>(from + at), __ATOMIC_RELAXED);
    std::memcpy(to + at, &word, sizeof word);
  }
}

class Move {
 public:
  // Into the file `fd`, which is full of zeroes and as large as the arena.
  Move(BufferSets* sets, int fd, const IsBegun& is_begun)
      : sets_(*sets),
        arena_(sets->arena()),
        is_begun_(is_begun),
        copy_(fd, arena_.bytes(), arena_.path()) {}

  // `adopt()` maps the file over the arena. If it fails, producers go on where they are.
  template <typename Adopt>
  void Run(Adopt adopt, const CountAccepted& count_accepted, MoveLosses* losses) {
    Seal();
    try {
      // What is cut while it is copied is copied anew.
      FileState before;
      do {
        before = arena_.State();
        Copy(losses);
      } while (!(arena_.State() == before));
      if (losses->cut && count_accepted) losses->accepted = count_accepted();
      adopt();
      if (losses->control) sets_.BeginWith(sets_.NextUnseen());
    } catch (const Error&) {
      Unseal();
      throw;
    }
    sets_.pages().Forget();
  }

 private:
  struct Generation {
    uint64_t number;
    std::vector<ClaimState> claims;     // of each shard, before they were sealed
    std::vector<SealedSegment> sealed;  // if it may have entries
  };

  uint32_t shards() const { return sets_.geometry().num_shards; }

  // Nothing is claimed or accepted from here on. Who has swapped to the free set meanwhile and
  // found it sealed looks for the active generation again; if somebody has claimed there, it is
  // that.
  void Seal() {
    const uint64_t oldest = sets_.recycled();
    for (uint64_t g = oldest; g <= oldest + 1; g++) {
      Generation generation{g, {}, {}};
      for (uint32_t i = 0; i < shards(); i++)
        generation.claims.push_back(arena_.claim(g, i).Seal());
      generations_.push_back(std::move(generation));
    }
    active_ = sets_.active();
    for (Generation& generation : generations_) {
      // What is written is in the log, and what is free is empty.
      const bool holds = generation.number <= active_ && generation.number >= sets_.written();
      if (holds) generation.sealed = sets_.Seal(generation.number, 0);
    }
  }

  // Segments stay sealed: their lessees take others.
  void Unseal() const {
    for (const Generation& generation : generations_) {
      for (uint32_t i = 0; i < shards(); i++) {
        if (!generation.claims[i].sealed()) arena_.claim(generation.number, i).Unseal();
      }
    }
  }

  void Copy(MoveLosses* losses) {
    *losses = {};
    const bool is_cut = arena_.IsCut();
    losses->cut = is_cut;
    if (is_cut && !arena_.IsControlWhole()) {
      losses->control = true;
      std::memset(copy_.at(), 0, arena_.control_bytes());
      arena_.MakeControl(copy_.at(), sets_.NextUnseen());
      return;
    }
    CopyWords(copy_.at(), arena_.control(), arena_.control_bytes());
    auto& header = *reinterpret_cast<ArenaHeader*>(copy_.at());
    // If nobody has swapped to the other set yet, it is done here: who does it in the old file
    // meanwhile changes what is so already.
    // [MM init] relaxed: no other thread knows of the copy yet.
    header.active.store(Last(), std::memory_order_relaxed);
    for (const Generation& generation : generations_) {
      CopySet(generation);
      CopyEntries(generation, is_cut, losses);
    }
  }

  // Claims go on as they were, but for those of the generation that was swapped away from; of a set
  // that is in use, segments that were claimed stay sealed.
  void CopySet(const Generation& generation) {
    auto* const claims = reinterpret_cast<ClaimWord*>(copy_.at() + ClaimWordsOffset());
    const uint64_t set = generation.number & 1;
    for (uint32_t i = 0; i < shards(); i++) {
      const ClaimState before = generation.claims[i];
      const bool is_over = generation.number == active_ && generation.number != Last();
      claims[set * shards() + i].Init(is_over ? before.Sealed() : before);
      const uint32_t claimed =
          generation.number > active_ ? 0 : std::min(generation.claims[i].claimed(), PerShard());
      for (uint32_t s = claimed; s < PerShard(); s++) {
        // What a late claimer has opened there, and closes again, does not stay open.
        Copied(generation.number, i, s).Recycle();
      }
    }
  }

  void CopyEntries(const Generation& generation, bool is_cut, MoveLosses* losses) {
    bool is_lost = false;
    uint64_t waiting = 0;
    for (const SealedSegment& segment : generation.sealed) {
      const uint64_t bytes = format::kBlockHeaderBytes + segment.valid;
      const uint64_t whole = is_cut ? arena_.CountWhole(segment.data, bytes) : bytes;
      uint8_t* const to = copy_.at() + (segment.data - arena_.control());
      std::memcpy(to, segment.data, whole);
      if (!is_cut) continue;
      const uint64_t kept =
          whole <= format::kBlockHeaderBytes
              ? 0
              : Keep(to + format::kBlockHeaderBytes, whole - format::kBlockHeaderBytes);
      is_lost |= kept < segment.valid;
      SegmentSlot& slot = SlotOf(generation, segment);
      slot.InitSealedAt(static_cast<uint32_t>(format::kBlockHeaderBytes + kept));
      if (slot.in_log == generation.number + 1) continue;
      waiting += format::FindWholeEntries(to + format::kBlockHeaderBytes, kept).entries;
    }
    losses->entries |= is_lost;
    if (!is_lost || !is_begun_(generation.number)) {
      losses->waiting += waiting;
      return;
    }
    losses->begun = true;
    for (const SealedSegment& segment : generation.sealed) {
      SlotOf(generation, segment).InitSealedAt(format::kBlockHeaderBytes);
    }
  }

  // Bytes of entries that are whole. Where a page has lost its end to zeroes, the entry in which
  // that begins ends with one; those behind it have no length.
  uint64_t Keep(const uint8_t* entries, uint64_t bytes) const {
    const uint64_t whole = format::FindWholeEntries(entries, bytes).bytes;
    if (whole == 0 || entries[whole - 1] != 0 || !arena_.HasHoles()) return whole;
    uint64_t last = 0;
    for (uint64_t at = 0; at < whole;) {
      last = at;
      at += format::kEntryPrefixBytes + format::Load<uint32_t>(entries + at);
    }
    return last;
  }

  // The one that is active in the copy.
  uint64_t Last() const { return generations_.back().number; }

  uint32_t PerShard() const { return sets_.geometry().segments_per_shard; }

  SegmentSlot& SlotOf(const Generation& generation, const SealedSegment& segment) const {
    return Copied(generation.number, segment.shard, segment.segment);
  }

  SegmentSlot& Copied(uint64_t generation, uint32_t shard, uint32_t segment) const {
    auto* const slots = reinterpret_cast<SegmentSlot*>(copy_.at() + SlotsOffset(sets_.geometry()));
    return slots[arena_.IndexOf(generation, shard, segment)];
  }

  BufferSets& sets_;
  Arena& arena_;
  const IsBegun& is_begun_;
  const View copy_;
  uint64_t active_ = 0;
  std::vector<Generation> generations_;  // those that have a set
};

}  // namespace

void MoveArena(BufferSets* sets, const io::FileInfo& log, const IsBegun& is_begun,
               MoveLosses* losses, const CountAccepted& count_accepted) {
  Arena& arena = sets->arena();
  NewArenaFile file(arena.path(), arena.bytes(), log);
  const uint64_t blocks = BlocksOf(file.fd());
  const auto adopt = [&] {
    // What is left of it is in the copy.
    if (IsNamed(arena.path(), arena.fd())) unlink(arena.path().c_str());
    try {
      const ArenaFd before(arena.Adopt(file.Publish(), blocks));
      if (!losses->control) arena.DoubtIfCut(before.get());
      // Wherever it is now, it must not be taken for ours again.
      static_cast<void>(ftruncate(before.get(), 0));
    } catch (const Error&) {
      // What the copy holds is going to be written from here.
      if (IsNamed(arena.path(), file.fd())) unlink(arena.path().c_str());
      throw;
    }
  };
  Move(sets, file.fd(), is_begun).Run(adopt, count_accepted, losses);
}

void MoveArenaToMemory(BufferSets* sets, const IsBegun& is_begun, MoveLosses* losses,
                       const CountAccepted& count_accepted) {
  Arena& arena = sets->arena();
  ArenaFd memory(memfd_create("shardlog-arena", MFD_CLOEXEC));
  if (memory.get() < 0) Throw("memfd_create", arena.path(), errno);
  const int failed = posix_fallocate(memory.get(), 0, static_cast<off_t>(arena.bytes()));
  if (failed != 0) Throw("fallocate", arena.path(), failed);
  const uint64_t blocks = BlocksOf(memory.get());
  const auto adopt = [&] {
    const ArenaFd before(arena.Adopt(memory.Release(), blocks));
    if (!losses->control) arena.DoubtIfCut(before.get());
  };
  Move(sets, memory.get(), is_begun).Run(adopt, count_accepted, losses);
}

}  // namespace shardlog::engine
