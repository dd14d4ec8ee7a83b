// The ring of a recorder: runs of segments, taken in turn by whoever records, the oldest first.
// Steps are those of docs/internals/recorder-ring.md.
//
// Thread: any, but for what is said of a lease.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "platform/cuttable_mapping.h"
#include "recorder/ring_layout.h"

namespace shardlog::recorder {

// A producer's hold on one run. Of one thread.
struct Lease {
  Slot* slot = nullptr;
  uint8_t* data = nullptr;  // the run's first byte
  uint32_t limit = 0;       // no entry ends behind this offset
  uint32_t span = 0;        // segments; 0: none held, slot accepts nothing
  uint32_t segment = 0;
  uint64_t sequence = 0;

  bool held() const { return span != 0; }
};

struct RingOptions {
  std::string path{};  // absolute; empty: memory of this process alone
  uint32_t segments = kLeastSegments;
  std::string about{};  // JSON, at most as long as its place in the header
  std::string kind{};   // what events have in common: recorders that share a ring agree on it
};

// What has been read of a run by somebody who takes it out of the ring.
struct DrainedRun {
  uint64_t sequence = 0;
  uint32_t end = 0;     // offset behind the last entry
  uint32_t events = 0;  // up to there, from the run's start
};

struct RingStats {
  uint64_t recorded = 0;     // events that were ever in the ring
  uint64_t overwritten = 0;  // of these, before anybody drained them
  uint64_t drained = 0;      // of these
  uint64_t dropped = 0;      // events that never were
  uint64_t truncated = 0;    // events of which fields were left out
  uint64_t used_bytes = 0;   // of runs that are in the ring, but for what was drained
  uint64_t bytes = 0;        // of all segments
  uint32_t producers = 0;
};

class Ring {
 public:
  // Makes the arena. What lies at the path is another recorder's that runs, which is an error, or
  // was left by one that died: it gets another name, which `left` is then. Throws engine::Error.
  explicit Ring(const RingOptions& options);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  const std::string& path() const { return path_; }
  const std::string& left() const { return left_; }
  uint32_t segments() const { return segments_; }
  uint64_t file_bytes() const { return FileBytes(segments_); }
  // The header and the slots, which JavaScript sees as words.
  uint8_t* control() const { return base_; }
  size_t control_bytes() const { return DataAt(segments_); }
  uint8_t* data() const { return base_ + DataAt(segments_); }
  size_t data_bytes() const { return size_t{segments()} * kSegmentBytes; }
  Header& header() const { return *reinterpret_cast<Header*>(base_); }
  Slot& slot(uint32_t segment) const {
    return reinterpret_cast<Slot*>(base_ + kHeaderBytes)[segment];
  }
  // Any thread. Another program has cut the file: what its words say of leases cannot be believed,
  // and nobody gets one any more.
  bool IsCut() const {
    return mapping_.is_cut() || mapping_.is_private() || header().magic != kMagic;
  }

  // Gives the file up: nobody records any more. It is removed, or kept for whoever looks into it.
  void Close(bool keep);

  // --- producers ---

  // An id for a producer, and its end. 0: there are too many.
  uint32_t Attach();
  void Detach(uint32_t producer);
  uint32_t producers() const;
  // More threads record than the ring has segments to spare: leases are given up after each call.
  bool IsCrowded() const { return producers() > segments() / 4; }
  // Segments in a row that a lease may have beyond what an entry takes.
  uint32_t LongestRun() const;
  // The most that a record may take, with what belongs to it.
  uint64_t MostBytes() const;

  // Takes the oldest run of at least `least` segments, `most` if they are to be had, that nobody
  // leases. What was in it is overwritten. False: there is none.
  bool Claim(uint32_t least, uint32_t most, uint32_t producer, uint32_t thread, Lease* lease);
  // Gives a lease up. No-op if none is held.
  void Release(Lease* lease);
  // Takes a lease that was given up back. False if somebody has overwritten it meanwhile.
  bool Retake(const Lease& lease, uint32_t producer);

  void CountDropped(uint64_t events);
  void CountTruncated(uint64_t events);
  RingStats Stats() const;

  // Takes events out: readers leave them out from now on. Their room is that of the oldest events
  // as before. What has been overwritten meanwhile, or was drained before, is passed by.
  void Drain(const std::vector<DrainedRun>& runs);

 private:
  void Map(int fd, uint64_t bytes);
  void OpenFile(const RingOptions& options);
  void FillIn(const RingOptions& options);
  uint32_t Take(uint64_t position, uint32_t segments, uint32_t producer);
  void GiveBack(uint32_t first, uint32_t segments);

  const std::string path_;
  const uint32_t segments_;
  std::string left_;
  platform::CuttableMapping mapping_;
  std::atomic<uint64_t> dropped_{0};  // since the file was cut
  uint8_t* base_ = nullptr;
  uint64_t mapped_ = 0;
  int fd_ = -1;
  bool is_closed_ = false;
  std::atomic<uint32_t> producers_{0};
  std::mutex drain_mutex_;        // guards the words of what was drained
  mutable std::mutex ids_mutex_;  // guards the next two
  std::vector<uint32_t> free_ids_;
  uint32_t last_id_ = 0;
};

}  // namespace shardlog::recorder
