// Writes pieces of memory one after the other, as BatchWriter does, while its owner makes the next
// ones: on a thread of its own, which is started when it is first of use.
//
// One write is under way at the most, so what the log has got of the batches is always a beginning
// of them, whatever ends the process or the machine. The protocol is in
// docs/internals/memory-model.md.
//
// Thread: one, the owner: the flusher, or recovery. Not shared.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <utility>

#include "platform/huge_pages.h"
#include "sink/batch_writer.h"

namespace shardlog::engine {

// What is worth a write by itself: at the device's full speed, and one large page.
inline constexpr size_t kWriteBytes = platform::kHugePageBytes;

// Whether writes go to a thread of their own.
enum class Overlap { kNo, kYes };

class DoubleBufferedWriter {
 public:
  // What came of a batch: looked at where it was written, before anything else is. `lines` is the
  // Put's.
  using Landed = std::function<void(const BatchWriter& pieces, uint64_t lines)>;

  DoubleBufferedWriter(Overlap overlap, BatchWriter::Unit unit, Landed landed)
      : overlap_(overlap), pieces_(unit), landed_(std::move(landed)) {}
  ~DoubleBufferedWriter() { EndThread(); }

  DoubleBufferedWriter(const DoubleBufferedWriter&) = delete;
  DoubleBufferedWriter& operator=(const DoubleBufferedWriter&) = delete;

  // Starts over; nothing is being written. `torn` as in BatchWriter::Start.
  void Start(LogFile* log, size_t torn);

  // A batch to be written next, one block or some lines, as BatchWriter wants it. It stays as it is
  // until the Put after this one has returned, or Finish or Wait has. Waits for the write before,
  // and returns how it ended; after a failure nothing is taken.
  IoStatus Put(uint8_t* start, size_t bytes, uint64_t lines);

  // There will be more: begins to write what was put, and returns at once if it can. Without the
  // thread, which a system may refuse, the write is done here.
  void Submit();

  // Writes what was put, here: nothing is left to be made meanwhile.
  IoStatus Finish();

  // Nothing is being written any more. Returns how the last write ended.
  IoStatus Wait();

  // Ends the thread, if there is one; the next Submit starts it anew.
  void EndThread();

  const BatchWriter& pieces() const { return pieces_; }
  LogFile* log() const { return pieces_.log(); }

 private:
  // Whose pieces_ and status_ are.
  enum Turn : uint32_t { kOwner, kThread, kNobody };

  void Run();
  void Write();
  bool HasThread();
  void HandOver(Turn turn);
  Turn AwaitChange(Turn from);

  const Overlap overlap_;
  BatchWriter pieces_;
  const Landed landed_;
  uint64_t lines_ = 0;
  IoStatus status_;
  std::atomic<uint32_t> turn_{kOwner};
  std::thread thread_;
};

}  // namespace shardlog::engine
