#include "support/faulty_files.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace shardlog::test {
namespace {

// The first `bytes` of the parts.
std::vector<iovec> Head(const iovec* parts, int count, size_t bytes) {
  std::vector<iovec> head;
  for (int i = 0; i < count && bytes > 0; i++) {
    const size_t taken = std::min(bytes, parts[i].iov_len);
    head.push_back({parts[i].iov_base, taken});
    bytes -= taken;
  }
  return head;
}

size_t Total(const iovec* parts, int count) {
  size_t total = 0;
  for (int i = 0; i < count; i++) total += parts[i].iov_len;
  return total;
}

class FaultyFile final : public io::File {
 public:
  FaultyFile(FaultyFiles* files, std::unique_ptr<io::File> real, bool pretends_direct)
      : files_(files), real_(std::move(real)), pretends_direct_(pretends_direct) {}

  ssize_t Append(const iovec* parts, int count, uint64_t* end) override {
    io::FileInfo info;
    if (pretends_direct_ && real_->Stat(&info) == 0 && info.size % alignment() != 0) return -EINVAL;
    return AppendSome(parts, count, end, !pretends_direct_);
  }

  ssize_t AppendBuffered(const iovec* parts, int count, uint64_t* end) override {
    return AppendSome(parts, count, end, false);
  }

  ssize_t Overwrite(const void* data, size_t size, uint64_t offset) override {
    size_t bytes = size;
    const int fault = files_->BeforeChange(Call::kOverwrite, &bytes);
    return fault != 0 ? fault : real_->Overwrite(data, bytes, offset);
  }

  ssize_t Read(void* to, size_t size, uint64_t offset) override {
    const int fault = files_->Before(Call::kRead);
    return fault != 0 ? fault : real_->Read(to, size, offset);
  }

  int Sync() override { return real_->Sync(); }

  int Stat(io::FileInfo* info) override {
    const int fault = files_->Before(Call::kStat);
    return fault != 0 ? fault : real_->Stat(info);
  }

  int Lock() override {
    const int fault = files_->Before(Call::kLock);
    return fault != 0 ? fault : real_->Lock();
  }

  bool direct() const override { return pretends_direct_ || real_->direct(); }
  const std::string& direct_reason() const override { return real_->direct_reason(); }
  size_t alignment() const override {
    return files_->alignment() != 0 ? files_->alignment() : real_->alignment();
  }

 private:
  ssize_t AppendSome(const iovec* parts, int count, uint64_t* end, bool direct) {
    const size_t total = Total(parts, count);
    size_t bytes = total;
    const int fault = files_->BeforeChange(Call::kWrite, &bytes);
    if (fault != 0 && files_->leaves_failed()) real_->AppendBuffered(parts, count, end);
    if (fault != 0) return fault;
    if (direct && pretends_direct_ && !IsDirectlyAppendable(parts, count)) return -EINVAL;
    const std::vector<iovec> head = Head(parts, count, bytes);
    if (head.empty()) return 0;
    // A part is of a length that direct I/O may not be able to do.
    return direct && bytes == total
               ? real_->Append(head.data(), static_cast<int>(head.size()), end)
               : real_->AppendBuffered(head.data(), static_cast<int>(head.size()), end);
  }

  // What the kernel asks of direct I/O on a device of such sectors.
  bool IsDirectlyAppendable(const iovec* parts, int count) {
    io::FileInfo info;
    if (real_->Stat(&info) != 0 || info.size % alignment() != 0) return false;
    for (int i = 0; i < count; i++) {
      const uint64_t bits = reinterpret_cast<uintptr_t>(parts[i].iov_base) | parts[i].iov_len;
      if (bits % alignment() != 0) return false;
    }
    return true;
  }

  FaultyFiles* const files_;
  const std::unique_ptr<io::File> real_;
  const bool pretends_direct_;
};

}  // namespace

void FaultyFiles::Fail(Call call, int error, int times, int skip) {
  const std::lock_guard<std::mutex> lock(mutex_);
  faults_[call] = {error, times, skip};
}

void FaultyFiles::WriteShort(size_t bytes, int times) {
  const std::lock_guard<std::mutex> lock(mutex_);
  short_bytes_ = bytes;
  short_times_ = times;
}

void FaultyFiles::Clear() {
  const std::lock_guard<std::mutex> lock(mutex_);
  faults_.clear();
  short_times_ = 0;
  changes_left_ = -1;
}

void FaultyFiles::At(int n, size_t written_before, std::function<void()> what) {
  const std::lock_guard<std::mutex> lock(mutex_);
  changes_left_ = n;
  written_before_ = written_before;
  event_ = std::move(what);
}

int FaultyFiles::count(Call call) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = counts_.find(call);
  return found == counts_.end() ? 0 : found->second;
}

int FaultyFiles::Before(Call call) {
  const std::lock_guard<std::mutex> lock(mutex_);
  counts_[call]++;
  const auto found = faults_.find(call);
  if (found == faults_.end() || found->second.times == 0) return 0;
  if (found->second.skip > 0) {
    found->second.skip--;
    return 0;
  }
  found->second.times--;
  return -found->second.error;
}

int FaultyFiles::BeforeChange(Call call, size_t* bytes) {
  const int fault = Before(call);
  if (fault != 0) return fault;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (short_times_ > 0 && call == Call::kWrite) {
    short_times_--;
    *bytes = std::min(*bytes, short_bytes_);
  }
  if (changes_left_ < 0) return 0;
  if (changes_left_-- > 0) return 0;
  if (written_before_ == 0) {
    event_();
  } else {
    // The bytes first, the event at the change after them.
    *bytes = std::min(*bytes, written_before_);
    written_before_ = 0;
    changes_left_ = 0;
  }
  return 0;
}

std::unique_ptr<io::File> FaultyFiles::Open(const std::string& path, const io::OpenOptions& options,
                                            int* error, const char** call) {
  const int fault = Before(Call::kOpen);
  if (fault != 0) {
    *error = fault;
    *call = "open";
    return nullptr;
  }
  io::OpenOptions buffered = options;
  if (pretend_direct_) buffered.direct = io::DirectIo::kOff;
  std::unique_ptr<io::File> real = io::PosixFileSystem().Open(path, buffered, error, call);
  if (real == nullptr) return nullptr;
  const bool pretends = pretend_direct_ && options.direct != io::DirectIo::kOff;
  return std::make_unique<FaultyFile>(this, std::move(real), pretends);
}

int FaultyFiles::StatPath(const std::string& path, io::FileInfo* info) {
  const int fault = Before(Call::kStatPath);
  return fault != 0 ? fault : io::PosixFileSystem().StatPath(path, info);
}

std::vector<std::string> FaultyFiles::Siblings(const std::string& path) {
  return io::PosixFileSystem().Siblings(path);
}

int FaultyFiles::SyncDirectory(const std::string& path) {
  const int fault = Before(Call::kSyncDirectory);
  return fault != 0 ? fault : io::PosixFileSystem().SyncDirectory(path);
}

}  // namespace shardlog::test
