#include "recorder/ring.h"

#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/error.h"
#include "platform/clock.h"
#include "platform/process.h"
#include "recorder/ring_file.h"

namespace shardlog::recorder {
namespace {

using engine::Error;

// Tries for a run before it is given up: each lap of the ring has as many as there are segments.
constexpr uint64_t kLaps = 2;

}  // namespace

Ring::Ring(const RingOptions& options) : path_(options.path), segments_(options.segments) {
  const uint64_t bytes = FileBytes(options.segments);
  if (path_.empty()) {
    Map(-1, bytes);
    FillIn(options);
  } else {
    OpenFile(options);
  }
}

Ring::~Ring() {
  Close(true);
  mapping_.End();
  if (base_ != nullptr) munmap(base_, mapped_);
  if (fd_ >= 0) close(fd_);
}

void Ring::Map(int fd, uint64_t bytes) {
  const int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED;
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (at == MAP_FAILED) {
    throw Error("ERR_SHARDLOG_IO",
                std::string("mmap of a recorder failed: ") + std::strerror(errno), errno, "mmap",
                path_);
  }
  base_ = static_cast<uint8_t*>(at);
  mapped_ = bytes;
  // A page is touched by whoever records there, and lies on its node: not one that was read ahead,
  // or is part of a larger one, by its neighbour. Advice: where there is none of it, the kernel
  // does so by itself, or did not offer more.
  madvise(at, bytes, fd < 0 ? MADV_NOHUGEPAGE : MADV_RANDOM);
}

// The file gets its name when it is whole: who finds it by that can read it.
void Ring::OpenFile(const RingOptions& options) {
  const uint64_t bytes = FileBytes(options.segments);
  left_ = MakeWayForRing(path_);
  NewRingFile file(path_, bytes);
  Map(file.fd(), bytes);
  try {
    FillIn(options);
    fd_ = file.Publish();
    mapping_.Begin(base_, bytes, fd_);
  } catch (const Error&) {
    munmap(base_, mapped_);
    throw;
  }
}

void Ring::Close(bool keep) {
  if (fd_ < 0 || is_closed_) return;
  is_closed_ = true;
  if (!keep) RemoveRingFile(path_, fd_);
  // The descriptor stays as long as the mapping does, which another program may cut.
  flock(fd_, LOCK_UN);
}

uint32_t Ring::Attach() {
  const std::lock_guard<std::mutex> lock(ids_mutex_);
  uint32_t id = 0;
  if (!free_ids_.empty()) {
    id = free_ids_.back();
    free_ids_.pop_back();
  } else if (last_id_ < kMostProducers) {
    id = ++last_id_;
  }
  // [MM counter] relaxed: a policy, not a protocol.
  if (id != 0) producers_.fetch_add(1, std::memory_order_relaxed);
  return id;
}

void Ring::Detach(uint32_t producer) {
  const std::lock_guard<std::mutex> lock(ids_mutex_);
  free_ids_.push_back(producer);
  // [MM counter] relaxed: a policy, not a protocol.
  producers_.fetch_sub(1, std::memory_order_relaxed);
}

// [MM counter] relaxed: a policy, not a protocol.
uint32_t Ring::producers() const { return producers_.load(std::memory_order_relaxed); }

uint32_t Ring::LongestRun() const {
  // Eighths: what is leased and not filled yet is kept from the events that are to stay.
  const uint32_t share = segments() / (8 * std::max(producers(), 1u));
  return std::clamp(share, 1u, kMostRun);
}

uint64_t Ring::MostBytes() const {
  const uint64_t segments_of_one = std::clamp(segments() / 8, 1u, 8 * kMostRun);
  return segments_of_one * kSegmentBytes - kFirstOffset;
}

bool Ring::Claim(uint32_t least, uint32_t most, uint32_t producer, uint32_t thread, Lease* lease) {
  if (IsCut()) return false;
  std::atomic<uint64_t>& head = header().head;
  const uint32_t count = segments();
  for (uint64_t tries = kLaps * count; tries > 0; tries--) {
    // [MM ring-head] relaxed: a number to draw; the owner words say who has what.
    uint64_t position = head.load(std::memory_order_relaxed);
    const auto first = static_cast<uint32_t>(position % count);
    const uint32_t room = std::min(std::max(least, most), count - first);
    uint32_t idle = 0;
    while (idle < room) {
      // [MM ring-look] relaxed: the CAS of Take asks again.
      if (Owner{slot(first + idle).owner.load(std::memory_order_relaxed)}.lessee() != 0) break;
      idle++;
    }
    // Too few before one that is leased, or the end: they keep what they have for another lap.
    const bool enough = idle >= least;
    const uint32_t passed = enough ? idle : std::max(idle, 1u);
    // [MM ring-head] relaxed.
    const bool drawn = head.compare_exchange_strong(position, position + passed,
                                                    std::memory_order_relaxed,   // [MM ring-head]
                                                    std::memory_order_relaxed);  // [MM ring-head]
    if (!drawn || !enough) continue;
    const uint32_t taken = Take(position, idle, producer);
    // If it was cut meanwhile, the words may have said of a segment that nobody leases it.
    if (taken < least || IsCut()) {
      GiveBack(first, taken);
      if (IsCut()) return false;
      continue;
    }
    // Who reads what is written from here on, sees that the runs that were here are taken.
    // [MM ring-fence] release: pairs with that of readers.
    std::atomic_thread_fence(std::memory_order_release);
    Slot& opened = slot(first);
    // [MM ring-open] relaxed: the owner word below publishes them.
    opened.offset.store(kFirstOffset, std::memory_order_relaxed);
    opened.span.store(taken, std::memory_order_relaxed);         // [MM ring-open]
    opened.producer.store(producer, std::memory_order_relaxed);  // [MM ring-open]
    opened.thread.store(thread, std::memory_order_relaxed);      // [MM ring-open]
    // [MM ring-open] release: readers find the slot as it is now.
    opened.owner.store(Owner::Of(position + 1, false, producer).bits, std::memory_order_release);
    *lease = {
        &opened,     data() + uint64_t{first} * kSegmentBytes, taken * kSegmentBytes, taken, first,
        position + 1};
    return true;
  }
  return false;
}

// Takes the segments from `position` on, as many as nobody has taken since; their number. The runs
// that begin there are over, and their events counted as overwritten.
uint32_t Ring::Take(uint64_t position, uint32_t segments, uint32_t producer) {
  const auto first = static_cast<uint32_t>(position % this->segments());
  for (uint32_t i = 0; i < segments; i++) {
    Slot& taken = slot(first + i);
    const uint64_t sequence = position + i + 1;
    // [MM ring-look] relaxed: the CAS asks again.
    Owner owner{taken.owner.load(std::memory_order_relaxed)};
    // A later lap has been here while this thread slept.
    if (owner.lessee() != 0 || owner.sequence() >= sequence) return i;
    // [MM ring-take] acq_rel: pairs with ring-release; the former lessee has stopped copying.
    if (!taken.owner.compare_exchange_strong(owner.bits, Owner::Of(sequence, true, producer).bits,
                                             std::memory_order_acq_rel,
                                             std::memory_order_relaxed)) {  // [MM ring-take]
      return i;
    }
    // [MM ring-count] relaxed: one writer, the lessee.
    const Counts counts{taken.counts.load(std::memory_order_relaxed)};
    // [MM ring-count] relaxed.
    if (counts.events() != 0) taken.counts.store(counts.Retired().bits, std::memory_order_relaxed);
  }
  return segments;
}

// The end of a lease of segments whose words say whose they are.
void Ring::GiveBack(uint32_t first, uint32_t segments) {
  for (uint32_t i = 0; i < segments; i++) {
    std::atomic<uint64_t>& word = slot(first + i).owner;
    // [MM ring-look] relaxed: nobody else changes it while it is leased.
    const Owner owner{word.load(std::memory_order_relaxed)};
    // [MM ring-release] release: whoever takes it next finds our copying done.
    word.store(owner.WithLessee(0).bits, std::memory_order_release);
  }
}

void Ring::Release(Lease* lease) {
  if (lease->held()) GiveBack(lease->segment, lease->span);
  *lease = Lease{};
  lease->slot = &header().nowhere;
}

bool Ring::Retake(const Lease& lease, uint32_t producer) {
  uint64_t expected = Owner::Of(lease.sequence, false, 0).bits;
  // [MM ring-take] acq_rel: nobody has had it in between, or its sequence would be another.
  return lease.slot->owner.compare_exchange_strong(
      expected, Owner{expected}.WithLessee(producer).bits, std::memory_order_acq_rel,
      std::memory_order_relaxed);  // [MM ring-take]
}

void Ring::CountDropped(uint64_t events) {
  // [MM counter] relaxed: a number for people.
  (IsCut() ? dropped_ : header().dropped).fetch_add(events, std::memory_order_relaxed);
}

void Ring::CountTruncated(uint64_t events) {
  // [MM counter] relaxed: a number for people.
  header().truncated.fetch_add(events, std::memory_order_relaxed);
}

void Ring::Drain(const std::vector<DrainedRun>& runs) {
  const std::lock_guard<std::mutex> lock(drain_mutex_);
  for (const DrainedRun& run : runs) {
    if (run.sequence == 0) continue;
    Slot& of = slot(static_cast<uint32_t>((run.sequence - 1) % segments()));
    // [MM ring-look] relaxed: a run that is taken from here on has another sequence than the word.
    const Owner owner{of.owner.load(std::memory_order_relaxed)};
    if (owner.sequence() != run.sequence || owner.closed()) continue;
    // [MM ring-drain] relaxed: changed under the mutex alone.
    const Drained events{of.drained_events.load(std::memory_order_relaxed)};
    const uint64_t before = events.AmountOf(run.sequence);
    if (run.events <= before) continue;
    // [MM ring-drain] relaxed: numbers for readers, each good without the other.
    of.drained_events.store(Drained::Of(run.sequence, run.events).bits, std::memory_order_relaxed);
    // [MM ring-drain] relaxed: the same.
    of.drained.store(Drained::Of(run.sequence, run.end).bits, std::memory_order_relaxed);
    // [MM counter] relaxed: a number for people.
    header().drained.fetch_add(run.events - before, std::memory_order_relaxed);
  }
}

RingStats Ring::Stats() const {
  RingStats stats;
  uint64_t events = 0;
  uint64_t drained_live = 0;
  for (uint32_t i = 0; i < segments(); i++) {
    const Slot& one = slot(i);
    // [MM ring-count] relaxed: numbers for people.
    const Counts counts{one.counts.load(std::memory_order_relaxed)};
    // [MM ring-look] relaxed: the same.
    const Owner owner{one.owner.load(std::memory_order_relaxed)};
    // Of a run that is over, and that somebody is about to count so.
    const uint64_t over = owner.closed() ? counts.events() : 0;
    events += counts.events() - over;
    stats.overwritten += counts.overwritten() + over;
    if (owner.sequence() == 0 || owner.closed()) continue;
    // [MM ring-drain] relaxed: the same.
    const Drained drained{one.drained.load(std::memory_order_relaxed)};
    // [MM ring-drain] relaxed: the same.
    const Drained number{one.drained_events.load(std::memory_order_relaxed)};
    drained_live += number.AmountOf(owner.sequence());
    // [MM peek] relaxed: the same.
    const uint64_t end = one.offset.load(std::memory_order_relaxed) & ~kSealed;
    stats.used_bytes += end - std::min(end, drained.AmountOf(owner.sequence()));
  }
  stats.recorded = events + stats.overwritten;
  // [MM counter] relaxed: numbers for people.
  stats.drained = header().drained.load(std::memory_order_relaxed);
  // Of what was drained, some was overwritten since.
  stats.overwritten -=
      std::min(stats.overwritten, stats.drained - std::min(stats.drained, drained_live));
  // [MM counter] relaxed: numbers for people.
  stats.dropped = header().dropped.load(std::memory_order_relaxed) +
                  dropped_.load(std::memory_order_relaxed);  // [MM counter]
  // [MM counter] relaxed: the same.
  stats.truncated = header().truncated.load(std::memory_order_relaxed);
  stats.bytes = data_bytes();
  stats.producers = producers();
  return stats;
}

void Ring::FillIn(const RingOptions& options) {
  Header& header = this->header();
  const platform::ProcessIdentity self = platform::CurrentProcess();
  header.version = kVersion;
  header.segments = options.segments;
  header.file_bytes = FileBytes(options.segments);
  header.slots_at = kHeaderBytes;
  header.data_at = DataAt(options.segments);
  header.segment_bytes = kSegmentBytes;
  header.pid = self.pid;
  header.start_ticks = self.start_ticks;
  header.boot_id = self.boot_id;
  header.created_ns = platform::RealtimeNs();
  // [MM init] relaxed: nobody else knows of it yet.
  header.nowhere.offset.store(kSealed, std::memory_order_relaxed);
  header.about_bytes = static_cast<uint32_t>(std::min(options.about.size(), sizeof header.about));
  std::memcpy(header.about, options.about.data(), header.about_bytes);
  header.magic = kMagic;
}

}  // namespace shardlog::recorder
