// Durations in buckets of at most 1/32 of their value: percentiles to within about 3 %. Memory is
// taken for the octaves that durations fall into, of which a log has a few.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

namespace shardlog::engine {

// What a histogram tells of the durations that were recorded until it was read: numbers that need
// no more memory than the buckets which are in use.
class Durations {
 public:
  uint64_t count() const { return count_; }
  uint64_t max_ns() const { return max_ns_; }
  double average_ns() const {
    return count_ == 0 ? 0 : static_cast<double>(sum_ns_) / static_cast<double>(count_);
  }

  // Durations no longer than `ns`; of the bucket that it falls into, those count if it is the end.
  uint64_t CountUpTo(uint64_t ns) const {
    uint64_t seen = 0;
    for (const auto& [end, n] : buckets_) {
      if (end > ns) break;
      seen += n;
    }
    return seen;
  }

  // Upper end of the bucket in which the given share (0 to 1) of the durations is reached; 0 if
  // there are none.
  uint64_t PercentileNs(double share) const {
    uint64_t seen = 0;
    for (const auto& [end, n] : buckets_) {
      seen += n;
      if (static_cast<double>(seen) >= share * static_cast<double>(count_)) {
        return std::min(end, max_ns_);
      }
    }
    return 0;
  }

 private:
  friend class DurationHistogram;

  std::vector<std::pair<uint64_t, uint64_t>> buckets_;  // upper end in ns, number; none is empty
  uint64_t count_ = 0;
  uint64_t sum_ns_ = 0;
  uint64_t max_ns_ = 0;
};

// One thread records, any thread reads.
class DurationHistogram {
 public:
  DurationHistogram() = default;
  ~DurationHistogram() {
    for (const std::atomic<Octave*>& octave : octaves_)
      delete octave.load(std::memory_order_relaxed);  // [MM init]
  }
  DurationHistogram(const DurationHistogram&) = delete;
  DurationHistogram& operator=(const DurationHistogram&) = delete;

  void Record(uint64_t ns) {
    const size_t bucket = Bucket(ns);
    // [MM counter] relaxed, here and below: numbers for people.
    OctaveOf(bucket)[bucket % kBuckets].fetch_add(1, std::memory_order_relaxed);
    count_.fetch_add(1, std::memory_order_relaxed);                   // [MM counter]
    sum_ns_.fetch_add(ns, std::memory_order_relaxed);                 // [MM counter]
    if (ns > max_ns()) max_ns_.store(ns, std::memory_order_relaxed);  // [MM counter]
  }

  Durations Read() const {
    Durations read;
    for (size_t octave = 0; octave < octaves_.size(); octave++) {
      // [MM histogram-octave] acquire: pairs with the store of its address.
      const Octave* const buckets = octaves_[octave].load(std::memory_order_acquire);
      for (size_t i = 0; buckets != nullptr && i < kBuckets; i++) {
        const uint64_t n = (*buckets)[i].load(std::memory_order_relaxed);  // [MM counter]
        if (n != 0) read.buckets_.emplace_back(BucketEnd(octave * kBuckets + i), n);
      }
    }
    read.buckets_.shrink_to_fit();
    read.count_ = count_.load(std::memory_order_relaxed);    // [MM counter]
    read.sum_ns_ = sum_ns_.load(std::memory_order_relaxed);  // [MM counter]
    read.max_ns_ = max_ns();
    return read;
  }

 private:
  uint64_t max_ns() const { return max_ns_.load(std::memory_order_relaxed); }  // [MM counter]

  static constexpr int kSubBits = 5;
  static constexpr size_t kBuckets = size_t{1} << kSubBits;  // of an octave
  static constexpr int kMaxBits = 40;  // what takes longer than 18 minutes counts as that

  using Octave = std::array<std::atomic<uint64_t>, kBuckets>;

  Octave& OctaveOf(size_t bucket) {
    std::atomic<Octave*>& place = octaves_[bucket / kBuckets];
    Octave* octave = place.load(std::memory_order_relaxed);  // [MM counter]
    if (octave == nullptr) {
      octave = new Octave{};
      // [MM histogram-octave] release: whoever finds it finds its zeroes.
      place.store(octave, std::memory_order_release);
    }
    return *octave;
  }

  // Values below 32 have a bucket each; above, the five bits behind the leading one choose it.
  static size_t Bucket(uint64_t ns) {
    ns = std::min(ns, (uint64_t{1} << kMaxBits) - 1);
    if (ns < (1u << kSubBits)) return ns;
    const int shift = std::bit_width(ns) - 1 - kSubBits;
    return (static_cast<size_t>(shift) + 1) << kSubBits | (ns >> shift & ((1u << kSubBits) - 1));
  }
  static uint64_t BucketEnd(size_t bucket) {
    if (bucket < (1u << kSubBits)) return bucket;
    const size_t shift = (bucket >> kSubBits) - 1;
    const uint64_t leading = (1u << kSubBits) | (bucket & ((1u << kSubBits) - 1));
    return ((leading + 1) << shift) - 1;
  }

  std::array<std::atomic<Octave*>, kMaxBits + 1 - kSubBits> octaves_{};
  std::atomic<uint64_t> count_{0};
  std::atomic<uint64_t> sum_ns_{0};
  std::atomic<uint64_t> max_ns_{0};
};

}  // namespace shardlog::engine
