// What the ring takes from many threads, and what becomes of it. `npm run bench -- --only recorder`
// builds and runs it:
//
//   cmake -S native -B build-native/bench -DCMAKE_BUILD_TYPE=Release -DSHARDLOG_TESTS=OFF
//   cmake --build build-native/bench --target recorder_bench
//   build-native/bench/recorder_bench throughput PRODUCERS CONSUMERS SEGMENTS SECONDS
//   build-native/bench/recorder_bench threads THREADS EVENTS SEGMENTS
//   build-native/bench/recorder_bench rings RINGS EVENTS
//   build-native/bench/recorder_bench stress THREADS SEGMENTS SECONDS
//
// Prints one object of JSON. Events of 136 bytes, in memory. A consumer takes out what is there,
// over and over. `attempted` are calls of Append; `accepted` those that it took; what was accepted
// is in the ring, or has been taken out, or was overwritten: `missing` is what the counters do not
// account for. `torn` are events that were read and are not what was written.
#include <sys/resource.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "format/block.h"
#include "platform/clock.h"
#include "recorder/ring.h"
#include "recorder/ring_image.h"
#include "recorder/ring_producer.h"

namespace {

using shardlog::format::kEntryPrefixBytes;
using shardlog::format::Load;
using shardlog::format::Store;
using shardlog::platform::MonotonicNs;
using shardlog::recorder::CopyImage;
using shardlog::recorder::DrainedRun;
using shardlog::recorder::Header;
using shardlog::recorder::kFirstOffset;
using shardlog::recorder::kSegmentBytes;
using shardlog::recorder::kSlotBytes;
using shardlog::recorder::Owner;
using shardlog::recorder::Ring;
using shardlog::recorder::RingOptions;
using shardlog::recorder::RingProducer;
using shardlog::recorder::RingStats;
using shardlog::recorder::Slot;

constexpr size_t kEventBytes = 136 - kEntryPrefixBytes;
constexpr size_t kMostBytes = 4000;
constexpr uint8_t kKind = 0xEE;  // no kind of the record format: nothing of it is a time
constexpr size_t kHeadBytes = 13;
// So many events between two looks at the clock.
constexpr uint64_t kBatch = 256;

struct Tally {
  uint64_t attempted = 0;
  uint64_t accepted = 0;
  uint64_t read = 0;
  uint64_t torn = 0;
};

// An event's bytes all depend on who writes it; its number makes it unlike the one before.
class Event {
 public:
  explicit Event(uint32_t writer) {
    std::memset(bytes_, static_cast<int>(writer * 31 + 7), sizeof bytes_);
    bytes_[0] = kKind;
    Store(bytes_ + 1, writer);
  }
  bool Put(RingProducer* producer, uint64_t number, size_t size) {
    Store(bytes_ + 5, number);
    return producer->Append(bytes_, size);
  }
  static bool IsWhole(const uint8_t* payload, size_t size) {
    if (size < kHeadBytes || payload[0] != kKind) return false;
    const auto pattern = static_cast<uint8_t>(Load<uint32_t>(payload + 1) * 31 + 7);
    for (size_t i = kHeadBytes; i < size; i++) {
      if (payload[i] != pattern) return false;
    }
    return true;
  }

 private:
  uint8_t bytes_[kMostBytes];
};

std::shared_ptr<Ring> InMemory(uint32_t segments) {
  return std::make_shared<Ring>(RingOptions{"", segments, "{}", ""});
}

// Looks at all runs of a copy of the ring.
class Reader {
 public:
  explicit Reader(const Ring& ring) : ring_(ring), image_(ring.file_bytes()) {}

  std::vector<DrainedRun> Read(Tally* tally) {
    CopyImage(ring_, image_.data());
    std::vector<DrainedRun> runs;
    const Header& header = ring_.header();
    for (uint32_t i = 0; i < header.segments; i++) {
      const uint8_t* const slot = image_.data() + header.slots_at + size_t{i} * kSlotBytes;
      const Owner owner{Load<uint64_t>(slot + offsetof(Slot, owner))};
      if (owner.sequence() == 0 || owner.closed()) continue;
      const auto end = Load<uint32_t>(slot + offsetof(Slot, offset));
      const uint32_t events =
          ReadRun(image_.data() + header.data_at + size_t{i} * kSegmentBytes, end, tally);
      runs.push_back({owner.sequence(), end, events});
    }
    return runs;
  }

 private:
  static uint32_t ReadRun(const uint8_t* run, uint32_t end, Tally* tally) {
    uint32_t events = 0;
    for (uint32_t at = kFirstOffset; at < end; events++) {
      const auto size = Load<uint32_t>(run + at);
      at += static_cast<uint32_t>(kEntryPrefixBytes);
      if (size > end - at) {
        tally->torn++;
        return events;
      }
      if (!Event::IsWhole(run + at, size)) tally->torn++;
      tally->read++;
      at += size;
    }
    return events;
  }

  const Ring& ring_;
  std::vector<uint8_t> image_;
};

uint64_t CpuNs() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto ns = [](const timeval& time) {
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000u +
           static_cast<uint64_t>(time.tv_usec) * 1000u;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

uint64_t PeakBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024u;
}

// Runs `body(i, tally)` in so many threads at once; what they have counted.
template <typename Body>
Tally InThreads(uint32_t threads, Body body) {
  std::vector<Tally> tallies(threads);
  std::vector<std::thread> running;
  std::atomic<uint32_t> ready{0};
  for (uint32_t i = 0; i < threads; i++) {
    running.emplace_back([&, i] {
      ready++;
      while (ready < threads) std::this_thread::yield();
      body(i, &tallies[i]);
    });
  }
  Tally sum;
  for (uint32_t i = 0; i < threads; i++) {
    running[i].join();
    sum.attempted += tallies[i].attempted;
    sum.accepted += tallies[i].accepted;
    sum.read += tallies[i].read;
    sum.torn += tallies[i].torn;
  }
  return sum;
}

void Print(const Tally& tally, const RingStats& stats, uint64_t ns, uint64_t cpu_ns) {
  const auto recorded = static_cast<int64_t>(stats.recorded);
  const auto missing = static_cast<int64_t>(tally.accepted) - recorded;
  std::printf(
      "{\"attempted\":%llu,\"accepted\":%llu,\"overwritten\":%llu,\"drained\":%llu,"
      "\"dropped\":%llu,\"missing\":%lld,\"read\":%llu,\"torn\":%llu,\"seconds\":%.6f,"
      "\"cpuSeconds\":%.6f,\"peakBytes\":%llu}\n",
      static_cast<unsigned long long>(tally.attempted),
      static_cast<unsigned long long>(tally.accepted),
      static_cast<unsigned long long>(stats.overwritten),
      static_cast<unsigned long long>(stats.drained),
      static_cast<unsigned long long>(stats.dropped), static_cast<long long>(missing),
      static_cast<unsigned long long>(tally.read), static_cast<unsigned long long>(tally.torn),
      static_cast<double>(ns) / 1e9, static_cast<double>(cpu_ns) / 1e9,
      static_cast<unsigned long long>(PeakBytes()));
}

void Throughput(uint32_t producers, uint32_t consumers, uint32_t segments, double seconds) {
  const auto ring = InMemory(segments);
  const uint64_t cpu = CpuNs();
  const uint64_t start = MonotonicNs();
  const uint64_t end = start + static_cast<uint64_t>(seconds * 1e9);
  std::atomic<uint32_t> writing{producers};
  const Tally tally = InThreads(producers + consumers, [&](uint32_t i, Tally* mine) {
    if (i >= producers) {
      Reader reader(*ring);
      while (writing > 0) ring->Drain(reader.Read(mine));
      return;
    }
    RingProducer producer(ring, i);
    Event event(i);
    while (MonotonicNs() < end) {
      for (uint64_t n = 0; n < kBatch; n++) {
        mine->accepted += event.Put(&producer, ++mine->attempted, kEventBytes) ? 1 : 0;
      }
    }
    writing--;
  });
  Print(tally, ring->Stats(), MonotonicNs() - start, CpuNs() - cpu);
}

void Threads(uint32_t threads, uint64_t events, uint32_t segments) {
  const auto ring = InMemory(segments);
  const uint64_t cpu = CpuNs();
  const uint64_t start = MonotonicNs();
  Tally tally = InThreads(threads, [&](uint32_t i, Tally* mine) {
    RingProducer producer(ring, i);
    Event event(i);
    for (uint64_t n = 1; n <= events; n++) {
      mine->accepted += event.Put(&producer, n, kEventBytes) ? 1 : 0;
    }
    mine->attempted = events;
  });
  const uint64_t ns = MonotonicNs() - start;
  const uint64_t spent = CpuNs() - cpu;
  Reader(*ring).Read(&tally);
  Print(tally, ring->Stats(), ns, spent);
}

// Many rings at once, of one thread.
void Rings(uint32_t count, uint64_t events) {
  const uint64_t cpu = CpuNs();
  const uint64_t start = MonotonicNs();
  std::vector<std::shared_ptr<Ring>> rings;
  Tally tally;
  Event event(1);
  for (uint32_t i = 0; i < count; i++) {
    rings.push_back(InMemory(shardlog::recorder::kLeastSegments));
    RingProducer producer(rings.back(), 0);
    for (uint64_t n = 1; n <= events; n++) {
      tally.attempted++;
      tally.accepted += event.Put(&producer, n, kEventBytes) ? 1 : 0;
    }
  }
  const uint64_t ns = MonotonicNs() - start;
  const uint64_t spent = CpuNs() - cpu;
  RingStats sum;
  for (const auto& ring : rings) {
    const RingStats stats = ring->Stats();
    sum.recorded += stats.recorded;
    sum.overwritten += stats.overwritten;
    sum.dropped += stats.dropped;
  }
  Print(tally, sum, ns, spent);
}

// Events of all sizes, threads that come and go, and a reader that copies the ring all the time.
void Stress(uint32_t threads, uint32_t segments, double seconds) {
  constexpr uint64_t kLife = 20'000;  // events of one producer, after which another takes its place
  const auto ring = InMemory(segments);
  const uint64_t cpu = CpuNs();
  const uint64_t start = MonotonicNs();
  const uint64_t end = start + static_cast<uint64_t>(seconds * 1e9);
  std::atomic<uint32_t> writing{threads};
  const Tally tally = InThreads(threads + 1, [&](uint32_t i, Tally* mine) {
    if (i == threads) {
      Reader reader(*ring);
      while (writing > 0) reader.Read(mine);
      return;
    }
    std::minstd_rand random(i + 1);
    Event event(i);
    while (MonotonicNs() < end) {
      RingProducer producer(ring, i);
      for (uint64_t n = 0; n < kLife; n++) {
        const size_t size = kHeadBytes + random() % (n % 64 == 0 ? kMostBytes - kHeadBytes : 300);
        mine->accepted += event.Put(&producer, ++mine->attempted, size) ? 1 : 0;
      }
    }
    writing--;
  });
  Print(tally, ring->Stats(), MonotonicNs() - start, CpuNs() - cpu);
}

uint32_t Whole(const char* text) { return static_cast<uint32_t>(std::strtoul(text, nullptr, 10)); }

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "throughput" && argc == 6) {
    Throughput(Whole(argv[2]), Whole(argv[3]), Whole(argv[4]), std::strtod(argv[5], nullptr));
  } else if (mode == "threads" && argc == 5) {
    Threads(Whole(argv[2]), Whole(argv[3]), Whole(argv[4]));
  } else if (mode == "rings" && argc == 4) {
    Rings(Whole(argv[2]), Whole(argv[3]));
  } else if (mode == "stress" && argc == 5) {
    Stress(Whole(argv[2]), Whole(argv[3]), std::strtod(argv[4], nullptr));
  } else {
    std::fprintf(stderr, "usage: see the top of ring_bench.cc\n");
    return 2;
  }
  return 0;
}
