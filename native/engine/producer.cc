#include "engine/producer.h"

#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "platform/clock.h"
#include "record/line_buffer.h"
#include "record/wire.h"

namespace shardlog::engine {
namespace {

// How many fresh generations an entry is tried in before idle leases are taken to have cut the sets
// up too far for it. Large entries need several segments in a row, which does not come about by
// waiting.
constexpr uint32_t kFreshGenerations = 64;
constexpr uint32_t kFreshGenerationsLarge = 4;
// Of the first run that a thread leases.
constexpr uint32_t kFirstRunBytes = 64 * 1024;
constexpr uint64_t kUsualEntryBytes = 128;
// Others get in between for a moment; longer, if the flusher has to change something first.
constexpr uint32_t kStartsBeforeNap = 200;
// What it can change takes it no second.
constexpr uint32_t kMostNaps = 10'000;
constexpr long kNapNs = 50'000;

// Of a record, in bytes; its line is no shorter. Beyond it lengths would not fit their fields.
constexpr uint64_t kMaxRecordBytes = UINT32_MAX - (1u << 20);

// Of an entry. Records are refused only where a length would not fit its field.
uint64_t MostBytes(const Config& config, const Geometry& geometry) {
  if (config.content == Content::kEntries) return geometry.max_entry_bytes();
  return config.format == Format::kShard ? record::LineBuffer::kMaxEntryBytes : kMaxRecordBytes;
}

// The slot of those who have no arena any more.
SegmentSlot* SealedSlot() {
  static SegmentSlot* const slot = [] {
    auto* const made = new SegmentSlot{};
    made->InitSealed();
    return made;
  }();
  return slot;
}

}  // namespace

Producer::Producer(std::shared_ptr<BufferSets> sets, std::shared_ptr<Signals> signals,
                   const Config& config, uint32_t id, bool in_pages)
    : leases_(config.shard_selection == ShardSelection::kAffinity ? 1 : config.num_shards),
      in_pages_(in_pages),
      draft_(in_pages && config.content == Content::kRecords && leases_.size() == 1
                 ? std::make_shared<Draft>(sets->geometry().shard_bytes())
                 : nullptr),
      sets_(std::move(sets)),
      signals_(std::move(signals)),
      on_full_(config.on_full),
      content_(config.content),
      most_bytes_(MostBytes(config, sets_->geometry())),
      block_timeout_ns_(config.block_timeout_ns),
      id_(id),
      home_shard_((id - 1) % config.num_shards),
      yielded_(leases_.size()) {
  for (Lease& lease : leases_) lease.slot = &sets_->arena().header().null_slot;
  run_ = FirstRun();
  PublishLease();
}

Producer::Producer()
    : leases_(1),
      in_pages_(false),
      on_full_(OnFull::kDrop),
      content_(Content::kRecords),
      most_bytes_(UINT64_MAX),
      block_timeout_ns_(0),
      id_(kNobody),
      home_shard_(0),
      detached_(true) {
  leases_[0].slot = SealedSlot();
}

uint64_t Producer::accepted() const { return accepted_.Read() + JsAccepted(); }

// The low half of the number is JavaScript's, which counts in 32 bits because a double would be an
// allocation for each entry until the optimising compiler gets to it.
uint64_t Producer::JsAccepted() const {
  const uint64_t before = js_accepted_.Read();
  // [MM counter] relaxed: a plain aligned store of JavaScript's; one writer, read for people.
  const auto now =
      static_cast<uint32_t>(__atomic_load_n(&js_.words[JsControl::kAccepted], __ATOMIC_RELAXED));
  return before + (now - static_cast<uint32_t>(before));
}

void Producer::Detach() {
  if (detached_) return;
  detached_ = true;
  for (Lease& lease : leases_) sets_->Release(&lease);
  for (Lease& lease : yielded_) lease = Lease{};
  PublishLease();
  for (Lease& lease : leases_) lease.slot = SealedSlot();
  if (draft_ != nullptr) draft_->GiveBack();
  sets_.reset();
  signals_.reset();
}

bool Producer::Drop(Counter* reason) {
  dropped_.Add(1);
  if (reason != nullptr) reason->Add(1);
  return false;
}

bool Producer::DropOversized(size_t size) {
  if (detached_) return Drop(&oversized_);
  std::call_once(signals_->told_oversized, [&] {
    if (signals_->errors == nullptr) return;
    const char* const rule =
        content_ == Content::kEntries ? " (bufferSize / 2 / numShards, less 12)" : "";
    signals_->errors->Report({"ERR_SHARDLOG_OVERSIZED",
                              "an entry of " + std::to_string(size) +
                                  " bytes was dropped, at most " + std::to_string(most_bytes_) +
                                  " are allowed" + rule +
                                  "; further ones are only counted, in oversizedLogs",
                              "", 0, ""});
  });
  return Drop(&oversized_);
}

// The rest of Append: no lease, a sealed one, one with too little room, or an entry that cannot be.
bool Producer::AppendSlow(Lease* lease, const void* bytes, size_t size) {
  if (size == 0) return Drop(&empty_);
  if (size > most_bytes_) return DropOversized(size);
  if (detached_ || signals_->IsClosed()) return Drop(nullptr);
  if (size > sets_->geometry().max_entry_bytes()) return AppendSpilled(lease, bytes, size);
  for (;;) {
    if (AppendToLease(lease, bytes, size)) {
      // What a large entry takes is too much to keep from others until this thread logs again.
      if (sets_->SegmentsFor(size) > 1) sets_->Release(lease);
      YieldIfCrowded(lease);
      PublishLease();
      return true;
    }
    const Outcome outcome = Acquire(lease, size);
    PublishLease();
    if (outcome == Outcome::kHeld) continue;
    if (outcome != Outcome::kScattered) return Drop(nullptr);
    return AppendSpilled(lease, bytes, size);
  }
}

// A record that no run of segments takes: it goes beside the buffers, and what tells of it into
// them.
bool Producer::AppendSpilled(Lease* lease, const void* bytes, size_t size) {
  record::Spilled spilled;
  bool is_put = false;
  for (;;) {
    while (!HasRoom(*lease, record::kSpilledBytes) && !Reacquire(lease)) {
      const Outcome outcome = Acquire(lease, record::kSpilledBytes);
      PublishLease();
      if (outcome == Outcome::kHeld) continue;
      if (is_put) sets_->spills().Discard(spilled.id);
      return Drop(nullptr);
    }
    if (!is_put && !PutSpill(bytes, size, &spilled)) return Drop(nullptr);
    is_put = true;
    if (!AcceptSpilled(lease, spilled)) continue;
    YieldIfCrowded(lease);
    PublishLease();
    if (sets_->spills().AreMany() && sets_->TrySwap(sets_->active())) signals_->work.Signal();
    return true;
  }
}

// Waits for room and for whatever else is wrong to pass, if that is the policy.
bool Producer::PutSpill(const void* bytes, size_t size, record::Spilled* spilled) {
  uint64_t deadline_ns = 0;
  for (;;) {
    const uint32_t epoch = signals_->room.Epoch();
    const IoStatus status = sets_->spills().Put(bytes, size, spilled);
    if (status.ok()) return true;
    if (status.error != EAGAIN && signals_->errors != nullptr) {
      signals_->errors->ReportFailure(
          {"ERR_SHARDLOG_WRITE",
           "a line of " + std::to_string(size) +
               " bytes is too large for the buffers and cannot be put beside them: " + status.call +
               ": " + std::strerror(status.error),
           sets_->arena().path(), status.error, status.call});
    }
    sets_->TrySwap(sets_->active());
    signals_->work.Signal();
    if (signals_->IsClosed() || on_full_ == OnFull::kDrop || !AwaitRoom(epoch, &deadline_ns)) {
      return false;
    }
  }
}

bool Producer::AcceptSpilled(Lease* lease, const record::Spilled& spilled) {
  uint8_t entry[record::kSpilledBytes];
  record::EncodeSpilled(entry, spilled);
  return sets_->spills().AcceptInto(lease->generation, spilled.id,
                                    [&] { return AppendToLease(lease, entry, sizeof entry); });
}

bool Producer::HasRoom(const Lease& lease, size_t size) {
  const OffsetState at = lease.slot->Peek();
  return IsOpen(at) && at.offset() + format::kEntryPrefixBytes + size <= lease.limit;
}

Renewal Producer::Renew(size_t size) {
  if (detached_) return Renewal::kTakeCall;
  // [MM counter] relaxed: a policy, not a protocol.
  const bool crowded = signals_->crowded.load(std::memory_order_relaxed);
  const bool possible = direct_route_allowed() && size <= sets_->geometry().max_entry_bytes();
  if (!possible || crowded || signals_->IsClosed()) return Renewal::kTakeCall;
  const Outcome outcome = Acquire(&leases_[0], size);
  PublishLease();
  if (outcome == Outcome::kHeld) return Renewal::kRenewed;
  if (outcome == Outcome::kScattered) return Renewal::kTakeCall;
  Drop(nullptr);
  return Renewal::kDropped;
}

bool Producer::AppendToLease(Lease* lease, const void* bytes, size_t size) {
  if (!lease->held() && !Reacquire(lease)) return false;
  const OffsetState at = lease->slot->Peek();
  const uint64_t end = uint64_t{at.offset()} + format::kEntryPrefixBytes + size;
  if (!IsOpen(at) || end > lease->limit) return false;
  Put(lease->data + at.offset(), bytes, size);
  if (!lease->slot->Accept(at, static_cast<uint32_t>(end))) return false;
  accepted_.Add(1);
  return true;
}

// Gets a lease with room for an entry of `size` bytes, waiting for the flusher if that is the
// policy.
Producer::Outcome Producer::Acquire(Lease* lease, size_t size) {
  ChooseRun(*lease);
  sets_->Release(lease);
  const uint32_t segments = sets_->SegmentsFor(size);
  uint64_t deadline_ns = 0;
  for (;;) {
    const uint32_t epoch = signals_->room.Epoch();
    const Outcome outcome = ClaimSomewhere(lease, segments);
    if (outcome == Outcome::kHeld) {
      signals_->Wake();
      const uint32_t end = lease->segment + lease->span;
      if (sets_->pages().Want(lease->generation, lease->shard, end)) signals_->work.Signal();
    }
    // The flusher wakes one waiter, and each that finds room the next: all at once would take the
    // flusher's time slice from it. Who needs many segments may find no room where others do.
    if (deadline_ns != 0 && (outcome != Outcome::kFull || segments > 1)) signals_->room.PassOn();
    if (outcome == Outcome::kHeld || outcome == Outcome::kClosed) return outcome;
    const bool waits = on_full_ == OnFull::kBlock;
    // A record need not lie in a row, and where nobody waits it is not known whether room does.
    const bool is_other_room = outcome == Outcome::kScattered || (segments > 1 && !waits);
    if (content_ == Content::kRecords && is_other_room) return Outcome::kScattered;
    if (!waits || !AwaitRoom(epoch, &deadline_ns)) return Outcome::kFull;
  }
}

// The next run may be twice as long when one was filled, and half as long when a flush has ended
// one of which an eighth was used or less: a thread that logs rarely, or ends soon, keeps little
// from the others. A segment that was recycled does not tell what was used of it.
void Producer::ChooseRun(const Lease& lease) {
  const uint64_t entries = accepted() - accepted_before_;
  accepted_before_ += entries;
  if (!lease.held()) return;
  if (IsOpen(lease.slot->Peek())) {
    run_ = std::min(2 * run_, sets_->geometry().segments_per_shard);
  } else if (entries * kUsualEntryBytes <= lease.limit / 8) {
    run_ = std::max(run_ / 2, FirstRun());
  }
}

uint32_t Producer::FirstRun() const {
  return std::max(kFirstRunBytes / sets_->geometry().segment_bytes, 1u);
}

// Waits for the flusher. False: the call has waited long enough, or one before it has, and writing
// fails: each would wait for the timeout, one after the other. `*deadline_ns`: 0 at first.
bool Producer::AwaitRoom(uint32_t epoch, uint64_t* deadline_ns) {
  ErrorReporter* const errors = signals_->errors;
  if (*deadline_ns == 0) {
    if (errors != nullptr && errors->waiting_is_vain()) return false;
    blocked_.Add(1);
    const uint64_t now = platform::MonotonicNs();
    *deadline_ns = block_timeout_ns_ > UINT64_MAX - now ? UINT64_MAX : now + block_timeout_ns_;
  }
  if (AwaitProgress(epoch, *deadline_ns)) return true;
  if (errors != nullptr) errors->GiveUpWaiting();
  return false;
}

bool Producer::AwaitProgress(uint32_t epoch, uint64_t deadline_ns) {
  signals_->work.Signal();
  const uint64_t now = platform::MonotonicNs();
  if (now >= deadline_ns) return false;
  // Not longer than this at a time: where idle leases fill both sets no progress is ever signalled.
  constexpr uint64_t kMaxNapNs = 100 * kNsPerMs;
  signals_->room.Wait(epoch, std::min(deadline_ns - now, kMaxNapNs));
  return true;
}

// One round of *acquire* in docs/internals/memory-model.md.
Producer::Outcome Producer::ClaimSomewhere(Lease* lease, uint32_t segments) {
  uint32_t fresh_left = segments > 1 ? kFreshGenerationsLarge : kFreshGenerations;
  // [MM counter] relaxed: a policy, not a protocol.
  const uint32_t longest = signals_->longest_run.load(std::memory_order_relaxed);
  const RunLength length{segments, segments > 1 ? segments : std::min(run_, longest)};
  uint32_t starts = 0;
  for (;;) {
    if (signals_->IsClosed()) return Outcome::kClosed;
    const uint64_t generation = sets_->active();
    // Of a segment that crosses the threshold little is used, since the set is sealed soon after:
    // who would have to tell anew there what entries refer to swaps the sets first.
    if (length.most > length.least && sets_->IsAtThreshold(generation, FirstShard(lease)) &&
        SwapIfFree(generation)) {
      continue;
    }
    bool start_over = false;
    if (ScanShards(generation, lease, length, &start_over)) {
      // The threshold: let the flusher have the set while there is still room in it.
      if (sets_->NearlyFull(generation, lease->shard)) SwapIfFree(generation);
      naps_ = 0;
      return Outcome::kHeld;
    }
    if (start_over) {
      if (++starts > kStartsBeforeNap && !NapWhileChanged()) return Outcome::kFull;
      continue;
    }
    if (sets_->TrySwap(generation)) {
      signals_->work.Signal();
      if (--fresh_left == 0) return segments > 1 ? Outcome::kScattered : Outcome::kFull;
      continue;
    }
    // TrySwap says that the other set was not free; by now it may be, and swapped to by somebody
    // else.
    if (sets_->active() == generation) return Outcome::kFull;
  }
}

// Whether the sets are swapped, by this thread or at the same moment by another.
bool Producer::SwapIfFree(uint64_t generation) {
  if (sets_->recycled() != generation || !sets_->TrySwap(generation)) return false;
  signals_->work.Signal();
  return true;
}

// The arena is being moved to another file; or it was cut by another program, which the flusher is
// going to mend. False: it cannot, as calls before this one have waited long enough to find out.
bool Producer::NapWhileChanged() {
  signals_->work.Signal();
  if (naps_ == kMostNaps) return false;
  naps_++;
  const timespec pause{0, kNapNs};
  nanosleep(&pause, nullptr);
  return true;
}

// Round-robin begins with the lease's own shard, affinity with the thread's.
uint32_t Producer::FirstShard(const Lease* lease) const {
  return leases_.size() == 1 ? home_shard_ : static_cast<uint32_t>(lease - leases_.data());
}

bool Producer::ScanShards(uint64_t generation, Lease* lease, RunLength length, bool* start_over) {
  const uint32_t shards = sets_->geometry().num_shards;
  const uint32_t first = FirstShard(lease);
  for (uint32_t i = 0; i < shards; i++) {
    const uint32_t shard = (first + i) % shards;
    switch (sets_->Claim(generation, shard, length, id_, lease)) {
      case ClaimResult::kLeased:
        return true;
      case ClaimResult::kStartOver:
        *start_over = true;
        return false;
      case ClaimResult::kShardFull:
        break;
    }
  }
  return false;
}

// Tells JavaScript where it may write. Nowhere while crowded, or under round-robin.
void Producer::PublishLease() {
  const Arena& arena = sets_->arena();
  const Geometry& g = sets_->geometry();
  const Lease& lease = leases_[0];
  const auto word = static_cast<int32_t>(
      (reinterpret_cast<const uint8_t*>(lease.slot) - arena.control()) / sizeof(int32_t));
  // Another segment, or the same one in another generation: nothing is defined in it yet.
  if (word != js_.words[JsControl::kWord] || lease.generation != js_generation_) {
    js_.words[JsControl::kSerial] =
        static_cast<int32_t>(static_cast<uint32_t>(js_.words[JsControl::kSerial]) + 1);
  }
  js_generation_ = lease.generation;
  js_.words[JsControl::kWord] = word;
  const bool in_place = draft_ == nullptr;
  const auto shard = static_cast<int32_t>(g.shard_index(lease.generation, lease.shard));
  js_.words[JsControl::kBuffer] = in_place ? shard : 0;
  js_.words[JsControl::kStart] =
      in_place ? static_cast<int32_t>(lease.segment * g.segment_bytes) : 0;
  js_.words[JsControl::kLimit] = static_cast<int32_t>(lease.limit);
  js_accepted_.Add(JsAccepted() - js_accepted_.Read());
}

void Producer::YieldIfCrowded(Lease* lease) {
  // [MM counter] relaxed: a policy, not a protocol.
  if (!lease->held() || !signals_->crowded.load(std::memory_order_relaxed)) return;
  // Of a run, which was leased before it got crowded, the other segments may go to somebody else.
  if (lease->span == 1) yielded_[static_cast<size_t>(lease - leases_.data())] = *lease;
  sets_->Release(lease);
}

bool Producer::Reacquire(Lease* lease) {
  Lease& remembered = yielded_[static_cast<size_t>(lease - leases_.data())];
  if (!remembered.held()) return false;
  const bool taken = sets_->Reacquire(remembered, id_);
  if (taken) *lease = remembered;
  remembered = Lease{};
  return taken;
}

}  // namespace shardlog::engine
