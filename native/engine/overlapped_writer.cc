#include "engine/overlapped_writer.h"

#include <system_error>

#include "platform/background_thread.h"
#include "platform/futex.h"

namespace shardlog::engine {

void OverlappedWriter::Start(LogFile* log, size_t torn) {
  pieces_.Start(log, torn);
  status_ = {};
}

IoStatus OverlappedWriter::Put(uint8_t* start, size_t bytes, uint64_t lines) {
  const IoStatus status = Wait();
  if (!status.ok() || bytes == 0) return status;
  pieces_.Add(start, bytes);
  pieces_.EndBlock();
  lines_ = lines;
  return status;
}

void OverlappedWriter::Write() {
  if (pieces_.empty()) return;
  status_ = pieces_.Write();
  landed_(pieces_, lines_);
}

void OverlappedWriter::Proceed() {
  if (pieces_.empty()) return;
  if (HasThread()) {
    Pass(kThreads);
  } else {
    Write();
  }
}

IoStatus OverlappedWriter::Finish() {
  if (Wait().ok()) Write();
  return status_;
}

IoStatus OverlappedWriter::Wait() {
  if (thread_.joinable()) AwaitChange(kThreads);
  return status_;
}

void OverlappedWriter::EndThread() {
  if (!thread_.joinable()) return;
  AwaitChange(kThreads);
  Pass(kNobodys);
  thread_.join();
  turn_.store(kOwners, std::memory_order_relaxed);  // [MM init]
}

void OverlappedWriter::Run() {
  while (AwaitChange(kOwners) == kThreads) {
    Write();
    Pass(kOwners);
  }
}

bool OverlappedWriter::HasThread() {
  if (overlap_ == Overlap::kYes && !thread_.joinable()) {
    try {
      thread_ = platform::StartBackgroundThread("shardlog-write", [this] { Run(); });
    } catch (const std::system_error&) {
      // No more threads for this process just now: writes are done without.
    }
  }
  return thread_.joinable();
}

void OverlappedWriter::Pass(Turn turn) {
  turn_.store(turn, std::memory_order_release);  // [MM turn]
  platform::FutexWake(&turn_, 1);
}

// Sleeps while it is the turn of `from`.
OverlappedWriter::Turn OverlappedWriter::AwaitChange(Turn from) {
  for (;;) {
    const uint32_t turn = turn_.load(std::memory_order_acquire);  // [MM turn-read]
    if (turn != from) return static_cast<Turn>(turn);
    platform::FutexWait(&turn_, from, platform::kForever);
  }
}

}  // namespace shardlog::engine
