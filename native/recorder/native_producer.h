// Events that other addons record, by include/shardlog/recorder.h.
#pragma once

#include <shardlog/recorder.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "recorder/ring_producer.h"

namespace shardlog::recorder {

// What JavaScript's recorder keeps.
struct Kept {
  double least_level = -std::numeric_limits<double>::infinity();
  uint32_t most_fields = std::numeric_limits<uint32_t>::max();
  std::string message_key = "msg";
};

// What an addon is given. Lives until the last of its producers has ended, too.
class NativeRecorder : public shardlog_recorder,
                       public std::enable_shared_from_this<NativeRecorder> {
 public:
  NativeRecorder(std::shared_ptr<Ring> ring, Kept kept);
  NativeRecorder(const NativeRecorder&) = delete;
  NativeRecorder& operator=(const NativeRecorder&) = delete;

  // Any thread: nothing is recorded any more.
  void Close() { closed_.store(true, std::memory_order_relaxed); }         // [MM counter]
  bool closed() const { return closed_.load(std::memory_order_relaxed); }  // [MM counter]

  const std::shared_ptr<Ring>& ring() const { return ring_; }
  const Kept& kept() const { return kept_; }

 private:
  const std::shared_ptr<Ring> ring_;
  const Kept kept_;
  std::atomic<bool> closed_{false};
};

}  // namespace shardlog::recorder

// One thread's.
struct shardlog_producer {
 public:
  shardlog_producer(std::shared_ptr<shardlog::recorder::NativeRecorder> recorder, uint32_t thread);

  bool has_place() const { return producer_.attached(); }

  bool Record(int32_t level, std::string_view target, std::string_view message,
              const shardlog_field* fields, size_t count);
  void CountDropped() { recorder_->ring()->CountDropped(1); }

 private:
  // A template or a string, as it is defined in a run.
  struct Definition {
    std::string bytes{};
    uint32_t id = 0;
    uint64_t run = 0;  // the run that has been told of it last; 0: none
  };
  using Definitions = std::unordered_map<std::string, Definition>;

  Definition* Shape(int32_t level, std::string_view message, const shardlog_field* fields,
                    size_t count);
  Definition* Name(std::string_view target);
  Definition* Find(Definitions& among);
  Definition* Define(Definitions* among, shardlog::record::Defines what, const std::string& body);
  std::string_view ForRun(const std::array<Definition*, 2>& definitions, uint64_t run);
  bool Append(const std::array<Definition*, 2>& definitions);

  const std::shared_ptr<shardlog::recorder::NativeRecorder> recorder_;
  shardlog::recorder::RingProducer producer_;
  Definitions templates_;
  Definitions targets_;
  uint32_t last_id_ = 0;
  // Memory for the next event: what a definition is found by, a record, both.
  std::string key_;
  std::string record_;
  std::string bundle_;
};
