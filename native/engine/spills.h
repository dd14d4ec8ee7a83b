// Lines that are too large for the buffers (docs/reference/record-format.md, section 2.1): each
// payload lies in a file of its own beside the arena's, or in memory where the arena does, until
// the generation that its record is in has been written.
//
// A spill is whole before its record is accepted, and is removed only after that record's
// generation is marked written: a record that can be found in an arena never refers to nothing.
//
// Thread: any, but for what says otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "engine/io_status.h"
#include "record/spill_source.h"
#include "record/wire.h"

namespace shardlog::engine {

class Arena;

class Spills final : public record::SpillSource {
 public:
  // For the spills of an arena, which outlives it.
  explicit Spills(const Arena& arena);
  Spills(const Spills&) = delete;
  Spills& operator=(const Spills&) = delete;

  // Whether one more of `bytes` may wait: all together are at most as large as the buffers, but one
  // may always be.
  bool HasRoom(uint64_t bytes) const;

  // Whether those that wait are so large that the flusher should write them now.
  bool AreMany() const;

  // Puts a payload, which stands alone, where a kill does not reach it if there is an arena's file.
  // *spilled is what its record says. EAGAIN if HasRoom says no; on failure nothing is left.
  IoStatus Put(const void* payload, size_t size, record::Spilled* spilled);

  // Accepts the record of a spill into `generation` by `accept()`, which tells whether it did.
  template <typename Accept>
  bool AcceptInto(uint64_t generation, uint64_t id, Accept accept) {
    // The lock keeps Remove(generation) off until it is known whether the spill belongs to it.
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!accept()) return false;
    waiting_.at(id).generation = generation;
    return true;
  }

  // No record refers to it.
  void Discard(uint64_t id);

  // Everything up to `generation` is written: what only that needed is removed.
  void Remove(uint64_t generation);

  // Recovery, when everything is written: removes the files that the dead process left, also those
  // that no record refers to.
  void RemoveLeft() const;

  // Opening, when the arenas that were left are recovered: removes the files that a recovery which
  // was killed has left, of arenas that are gone. Those of arenas set aside stay.
  void RemoveOrphans() const;

  // Of what waits.
  uint64_t bytes() const;

  std::shared_ptr<const uint8_t[]> Load(const record::Spilled& spilled) const override;

 private:
  struct Waiting {
    uint64_t size;
    uint64_t generation;                     // UINT64_MAX until its record is accepted
    std::shared_ptr<const uint8_t[]> bytes;  // in plain memory
  };

  std::string PathOf(uint64_t id) const;
  uint64_t Reserve(uint64_t bytes);
  IoStatus Store(const uint8_t* payload, size_t size, uint64_t id);
  bool MayTake(uint64_t bytes) const;

  const std::string place_;   // where the arena was made; empty: in plain memory
  const std::string prefix_;  // of the files' paths; empty: in plain memory
  const uint64_t limit_;

  mutable std::mutex mutex_;  // guards what follows
  uint64_t last_id_ = 0;
  uint64_t bytes_ = 0;
  std::map<uint64_t, Waiting> waiting_;  // by id
};

}  // namespace shardlog::engine
