#include "sink/double_buffered_writer.h"

#include <system_error>

#include "platform/background_thread.h"
#include "platform/futex.h"

namespace shardlog::engine {

void DoubleBufferedWriter::Start(LogFile* log, size_t torn) {
  pieces_.Start(log, torn);
  status_ = {};
}

IoStatus DoubleBufferedWriter::Put(uint8_t* start, size_t bytes, uint64_t lines) {
  const IoStatus status = Wait();
  if (!status.ok() || bytes == 0) return status;
  pieces_.Add(start, bytes);
  pieces_.EndBlock();
  lines_ = lines;
  return status;
}

void DoubleBufferedWriter::Write() {
  if (pieces_.empty()) return;
  status_ = pieces_.Write();
  landed_(pieces_, lines_);
}

void DoubleBufferedWriter::Submit() {
  if (pieces_.empty()) return;
  if (HasThread()) {
    HandOver(kThread);
  } else {
    Write();
  }
}

IoStatus DoubleBufferedWriter::Finish() {
  if (Wait().ok()) Write();
  return status_;
}

IoStatus DoubleBufferedWriter::Wait() {
  if (thread_.joinable()) AwaitChange(kThread);
  return status_;
}

void DoubleBufferedWriter::EndThread() {
  if (!thread_.joinable()) return;
  AwaitChange(kThread);
  HandOver(kNobody);
  thread_.join();
  turn_.store(kOwner, std::memory_order_relaxed);  // [MM init]
}

void DoubleBufferedWriter::Run() {
  while (AwaitChange(kOwner) == kThread) {
    Write();
    HandOver(kOwner);
  }
}

bool DoubleBufferedWriter::HasThread() {
  if (overlap_ == Overlap::kYes && !thread_.joinable()) {
    try {
      thread_ = platform::StartBackgroundThread("shardlog-write", [this] { Run(); });
    } catch (const std::system_error&) {
      // No more threads for this process just now: writes are done without.
    }
  }
  return thread_.joinable();
}

void DoubleBufferedWriter::HandOver(Turn turn) {
  turn_.store(turn, std::memory_order_release);  // [MM turn]
  platform::FutexWake(&turn_, 1);
}

// Sleeps while it is the turn of `from`.
DoubleBufferedWriter::Turn DoubleBufferedWriter::AwaitChange(Turn from) {
  for (;;) {
    const uint32_t turn = turn_.load(std::memory_order_acquire);  // [MM turn-read]
    if (turn != from) return static_cast<Turn>(turn);
    platform::FutexWait(&turn_, from, platform::kForever);
  }
}

}  // namespace shardlog::engine
