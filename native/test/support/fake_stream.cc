#include "support/fake_stream.h"

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace shardlog::test {

class FakeStream final : public io::Stream {
 public:
  explicit FakeStream(FakeReader* reader) : reader_(*reader) {}
  ~FakeStream() override {
    const std::lock_guard<std::mutex> lock(reader_.mutex_);
    reader_.stalled_ = true;
    reader_.changed_.notify_all();
  }

  ssize_t Write(const void* data, size_t size) override {
    const std::lock_guard<std::mutex> lock(reader_.mutex_);
    if (reader_.failures_ > 0) {
      reader_.failures_--;
      return -reader_.error_;
    }
    if (reader_.vexed_ > 0) {
      reader_.vexed_--;
      reader_.refused_at_ = 0;
      return -EAGAIN;
    }
    const size_t taken = std::min({size, reader_.room_, reader_.most_});
    const bool in_part = size <= reader_.atomic_ && taken < size && reader_.most_ >= size;
    if (taken == 0 || in_part) {
      reader_.refused_at_ = reader_.room_;
      reader_.stalled_ = true;
      reader_.changed_.notify_all();
      return -EAGAIN;
    }
    if (reader_.room_ != FakeReader::kEndless) reader_.room_ -= taken;
    reader_.received_.append(static_cast<const char*>(data), taken);
    reader_.writes_.push_back(size);
    return static_cast<ssize_t>(taken);
  }

  void AwaitRoom(uint64_t timeout_ns) override {
    std::unique_lock<std::mutex> lock(reader_.mutex_);
    Sleep(&lock, timeout_ns, [&] { return reader_.room_ > reader_.refused_at_; });
  }
  void Pause(uint64_t timeout_ns) override {
    std::unique_lock<std::mutex> lock(reader_.mutex_);
    Sleep(&lock, timeout_ns, [] { return false; });
  }
  void Interrupt() override {
    const std::lock_guard<std::mutex> lock(reader_.mutex_);
    reader_.interrupted_ = true;
    reader_.changed_.notify_all();
  }
  size_t atomic_bytes() const override { return reader_.atomic_; }
  bool MayPass(int) const override { return reader_.may_pass_; }
  io::FileInfo info() const override { return {}; }

 private:
  template <typename Condition>
  void Sleep(std::unique_lock<std::mutex>* lock, uint64_t timeout_ns, Condition condition) {
    const auto awake = [&] { return reader_.interrupted_ || condition(); };
    if (timeout_ns == UINT64_MAX) {
      reader_.changed_.wait(*lock, awake);
    } else {
      reader_.changed_.wait_for(*lock, std::chrono::nanoseconds(timeout_ns), awake);
    }
    reader_.interrupted_ = false;
  }

  FakeReader& reader_;
};

std::unique_ptr<io::Stream> FakeReader::Stream() { return std::make_unique<FakeStream>(this); }

std::string FakeReader::received() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return received_;
}

std::vector<size_t> FakeReader::writes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return writes_;
}

void FakeReader::Read(size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  room_ = bytes == kEndless ? kEndless : room_ + bytes;
  stalled_ = false;
  changed_.notify_all();
}

void FakeReader::TakeAtMost(size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  most_ = bytes;
}

void FakeReader::SetAtomic(size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  atomic_ = bytes;
}

void FakeReader::Fail(int error, int times, bool may_pass) {
  const std::lock_guard<std::mutex> lock(mutex_);
  error_ = error;
  failures_ = times;
  may_pass_ = may_pass;
}

void FakeReader::Vex(int times) {
  const std::lock_guard<std::mutex> lock(mutex_);
  vexed_ = times;
}

void FakeReader::AwaitStall() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return stalled_; });
}

}  // namespace shardlog::test
