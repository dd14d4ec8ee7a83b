// Writes pieces of memory one after the other, as PieceWriter does, while its owner makes the next
// ones: on a thread of its own, which is started when it is first of use.
//
// One write is under way at the most, so what the file has got of the pieces is always a beginning
// of them, whatever ends the process or the machine. The protocol is in docs/memory-model.md.
//
// Thread: one, the owner: the flusher, or recovery. Not shared.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

#include "engine/piece_writer.h"
#include "platform/huge_pages.h"

namespace shardlog::engine {

// What is worth a write by itself: at the device's full speed, and one large page.
inline constexpr size_t kWriteBytes = platform::kHugePageBytes;

// Whether writes go to a thread of their own.
enum class Overlap { kNo, kYes };

class OverlappedWriter {
 public:
  explicit OverlappedWriter(Overlap overlap) : overlap_(overlap) {}
  ~OverlappedWriter() { EndThread(); }

  OverlappedWriter(const OverlappedWriter&) = delete;
  OverlappedWriter& operator=(const OverlappedWriter&) = delete;

  // Starts over at file offset `base`; nothing is being written.
  void Start(io::File* file, uint64_t base);

  // What is to be written next, aligned as PieceWriter wants it. It stays as it is until the Put
  // after this one has returned, or Finish or Wait has. Waits for the write before, and returns how
  // it ended; after a failure nothing is taken.
  IoStatus Put(uint8_t* start, size_t bytes);

  // There will be more: begins to write what was put, and returns at once if it can. Without the
  // thread, which a system may refuse, the write is done here.
  void Proceed();

  // Writes what was put, here: nothing is left to be made meanwhile.
  IoStatus Finish();

  // Nothing is being written any more. Returns how the last write ended.
  IoStatus Wait();

  // Ends the thread, if there is one; the next Proceed starts it anew.
  void EndThread();

  // While nothing is being written: file offset behind what has been.
  uint64_t offset() const { return pieces_.offset(); }
  size_t alignment() const { return pieces_.alignment(); }
  io::File* file() const { return pieces_.file(); }

 private:
  // Whose pieces_ and status_ are.
  enum Turn : uint32_t { kOwners, kThreads, kNobodys };

  void Run();
  bool HasThread();
  void Pass(Turn turn);
  Turn AwaitChange(Turn from);

  const Overlap overlap_;
  PieceWriter pieces_;
  IoStatus status_;
  std::atomic<uint32_t> turn_{kOwners};
  std::thread thread_;
};

}  // namespace shardlog::engine
