// The memory that the shards live in, and that survives the process if it is backed by a file.
//
// Lifetime: shared. The log, its flusher and every JavaScript buffer that looks into the arena hold
// it; it is unmapped when the last of them lets go.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/arena_layout.h"
#include "engine/config.h"
#include "engine/geometry.h"
#include "io/file.h"
#include "platform/cuttable_mapping.h"

namespace shardlog::engine {

// What was noticed of an arena's file that another program cuts. Two that are the same: nothing has
// happened in between, as far as can be told.
struct FileState {
  uint64_t bytes = 0;   // of the file when it was shortest
  uint64_t blocks = 0;  // that the file has; 0: its file system does not tell
  uint32_t changes = 0;

  bool operator==(const FileState& other) const = default;
};

class Arena {
 public:
  // A new arena for the log `info`, ready for generation 0. Space is reserved up front, so that a
  // full disk is an error here and never a SIGBUS later. Throws Error.
  static std::shared_ptr<Arena> Create(const Config& config, const io::FileInfo& info,
                                       uint64_t stream);

  // Maps an existing arena file of `log` and takes its lock. Throws Error with code
  //   ERR_SHARDLOG_LOCKED         its owner lives,
  //   ERR_SHARDLOG_ARENA_OWNER    somebody else may have put it there (WhyDistrusted),
  //   ERR_SHARDLOG_ARENA_VERSION  written by another version, or of a geometry this one cannot have
  //   made, ERR_SHARDLOG_ARENA_CORRUPT  not an arena, truncated, or its header fails its CRC,
  //   ERR_SHARDLOG_IO             the kernel said no.
  // Null if there is no such file. What the caller changes is his own until KeepChanges().
  static std::shared_ptr<Arena> Open(const std::string& path, const io::FileInfo& log);

  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  const Geometry& geometry() const { return geometry_; }
  Content content() const { return static_cast<Content>(header().content); }
  Format format() const { return static_cast<Format>(header().format); }
  const std::string& path() const { return path_; }  // empty: plain memory
  int fd() const { return fd_; }

  // Whether the file system may need new blocks for pages that have been written once already.
  bool may_need_room() const { return may_need_room_; }

  // Whether entries are to be stored as store_in_pages.h says.
  bool wants_stores_in_pages() const { return wants_stores_in_pages_; }

  // Whether path() leads to the file. Always for plain memory, and once it is unlocked.
  bool HasItsName() const;
  // Renames the file back from wherever it is now. False if that is not possible: it was deleted,
  // or something else has the name.
  bool TakeNameBack();
  // Nobody will find the file, whose name may be another by now, and take it for what it was. 0 or
  // -errno.
  int TakeNameAway();
  // Goes on in another file of the same size and content, at the same addresses. Takes the
  // descriptor, and returns that of the file before. `blocks`: BlocksOf(fd), before anybody else
  // knew of the file. Throws Error(ERR_SHARDLOG_IO).
  int Adopt(int fd, uint64_t blocks);
  // Whether another program has cut the file, or holes into it. Always false for plain
  // memory. What comes back as zeroes is noticed where the file system tells blocks, or a page of
  // the control part is gone.
  bool IsCut() const;
  FileState State() const;
  // Any thread. Whether one has met what is missing.
  bool WasMissed() const { return mapping_.is_cut(); }
  // Any thread. Whether words may be believed: none of what is known to be missing is of the
  // control part. Of an arena that this process has made.
  bool HasItsWords() const { return !WasMissed() && IsControlMarked(); }
  // Any thread. Meets what is missing at the end, as is what is missing anywhere, but for holes.
  bool HasItsEnd() const;
  // Of a file that is cut: whether all of the control part is as it was.
  bool IsControlWhole() const;
  // Any thread. Whether the page of the control part that a claim word or a slot lies in is as it
  // was made. Where it is not it never becomes so again, but by a move.
  bool IsMarked(const void* word) const;
  // And how many bytes, of `size` from `from` on, which are of the arena's, are as they were.
  uint64_t CountWhole(const uint8_t* from, uint64_t size) const;
  // And whether parts of it came back as zeroes, or are holes.
  bool HasHoles() const;
  // After Adopt: the file before, now `fd`, was cut when the copy was made already. Who has found a
  // segment in what was left of its words may write over what the copy holds: nothing of that is
  // believed. No-op if it was not.
  void DoubtIfCut(int fd);
  // Now and then, of a file: another part of the program may have taken the handler's place.
  void StayWatched() const {
    if (!path_.empty()) platform::CuttableMapping::StayInstalled();
  }
  // Whom to wake when that is noticed by a thread that stores; outlives the arena, or is taken back
  // by nullptr.
  void WakeWhenCut(platform::Event* event) { mapping_.Wake(event); }
  // Any thread. Whether stores do not reach the file, whose file system had no room for them: it is
  // what a kill would have left when the first of them came.
  bool is_private() const { return mapping_.is_private(); }
  // A word that is odd while other memory is put in the arena's place, or a part of it, and another
  // one each time afterwards. It outlives the arena.
  const std::atomic<uint32_t>& changes() const { return mapping_.changes(); }

  // A control part in which nothing has happened, ready for `generation`, for a copy of the arena
  // that is full of zeroes.
  void MakeControl(uint8_t* copy, uint64_t generation) const;

  // Whether there is no file under path() at the moment, although there should be.
  bool is_lost() const { return is_lost_.load(std::memory_order_relaxed); }  // [MM counter]
  void set_is_lost(bool lost) {
    is_lost_.store(lost, std::memory_order_relaxed);  // [MM counter] relaxed: read for people
  }

  ArenaHeader& header() const { return *reinterpret_cast<ArenaHeader*>(control_); }
  ClaimWord& claim(uint64_t generation, uint32_t shard) const {
    return claims_[geometry_.shard_index(generation, shard)];
  }
  SegmentSlot& slot(uint64_t generation, uint32_t shard, uint32_t segment) const {
    return slots_[IndexOf(generation, shard, segment)];
  }
  LesseeWord& lessee(uint64_t generation, uint32_t shard, uint32_t segment) const {
    return lessees_[IndexOf(generation, shard, segment)];
  }
  // Of a segment, in both sets.
  uint64_t IndexOf(uint64_t generation, uint32_t shard, uint32_t segment) const {
    return (generation & 1) * geometry_.segments_per_set() +
           uint64_t{shard} * geometry_.segments_per_shard + segment;
  }
  // First byte of a segment: its block header, entries from byte 8 on.
  uint8_t* segment(uint64_t generation, uint32_t shard, uint32_t segment) const {
    return shard_data(static_cast<uint32_t>(generation & 1), shard) +
           uint64_t{segment} * geometry_.segment_bytes;
  }
  uint8_t* shard_data(uint32_t set, uint32_t shard) const {
    return shards_[set * geometry_.num_shards + shard];
  }

  // The control part, for JavaScript.
  uint8_t* control() const { return control_; }
  uint64_t control_bytes() const { return DataOffset(geometry_); }
  // Of the file.
  uint64_t bytes() const { return mapped_bytes_; }

  // Faults the pages of segments [from, to) of a shard in for writing. 0 or -errno: -EINVAL if the
  // kernel does not know how, -EFAULT if a store there would be answered by SIGBUS.
  int Touch(uint32_t set, uint32_t shard, uint32_t from, uint32_t to) const;

  // Says which file the log is now, after it was replaced.
  void SetLog(const io::FileInfo& info);

  // What the header says once and for all, and what the flusher alone writes there, from the memory
  // of the process: the file may be cut.
  uint64_t stream() const { return Known().stream; }
  uint64_t next_sequence() const { return Known().next_sequence; }
  void AddBlocks(uint64_t blocks);

  // Removes the file, if it still has its name, or empties it where nothing can be removed: Open
  // takes it for none then. The memory stays mapped. 0 or -errno.
  int Remove();

  // Lets the next opening of the log have the file, if it was not removed. The memory stays mapped.
  void Unlock();

  // Gives the memory and the file's space back at once, though others still hold the arena: in its
  // place is untouched memory, in which every accept fails. Nobody writes there any more.
  void GiveBack();

  // Of an opened arena: its memory is as the file is, again, and changes go there from now on. It
  // stays where it is. Throws Error with code ERR_SHARDLOG_IO.
  void KeepChanges();

  // In the child of fork(): swaps the mapping for empty private memory, in which every accept
  // fails, so that the child can never write into its parent's log. Separate shards of plain memory
  // are not there any more, and nothing leads to them. Async-signal-safe.
  void AbandonAfterFork();

 private:
  Arena() = default;
  // `sharing`: MAP_SHARED or MAP_PRIVATE.
  void MapFile(int fd, uint64_t bytes, int sharing);
  void Remap(int fd);
  std::string NameNow() const;
  void Layout();
  void AllocateShards(bool one_mapping);
  void KeepFromChildren();
  void Initialise(const Config& config, const io::FileInfo& info, uint64_t stream);
  void InitialiseControl(uint8_t* control, uint64_t generation) const;
  void LetGoOfFile();
  bool IsControlMarked() const;
  const ArenaHeader& Known() const { return known_ == nullptr ? header() : *known_; }

  Geometry geometry_;
  std::string path_;
  int fd_ = -1;
  int file_of_mapping_ = -1;  // of one that is unlocked
  uint8_t* control_ = nullptr;
  uint64_t mapped_bytes_ = 0;  // from control_ on; the data too unless shards are separate
  ClaimWord* claims_ = nullptr;
  SegmentSlot* slots_ = nullptr;
  std::unique_ptr<LesseeWord[]> lessees_;
  std::unique_ptr<ArenaHeader> known_;  // null: opened
  platform::CuttableMapping mapping_;
  bool is_doubted_ = false;
  uint64_t least_blocks_ = 0;  // of the file, while nobody has cut it; 0: not known
  std::vector<uint8_t*> shards_;
  bool separate_shards_ = false;
  bool may_need_room_ = false;
  bool wants_stores_in_pages_ = false;
  std::atomic<bool> is_lost_{false};
  std::vector<bool> kept_from_children_;  // of shards in plain memory
};

}  // namespace shardlog::engine
