#include "sink/log_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <vector>

#include "engine/error.h"
#include "format/block.h"
#include "platform/lock_holder.h"
#include "sink/append_point.h"
#include "sink/torn_block.h"

namespace shardlog::engine {
namespace {

// How often the end is filled up because somebody else has appended meanwhile.
constexpr int kMaxFills = 1000;
// Units of direct I/O are no larger (io/posix_file.cc).
constexpr size_t kMaxAlignment = size_t{32} << 10;

[[noreturn]] void ThrowOpenError(const std::string& path, const io::OpenOptions& options, int error,
                                 const char* call) {
  if (options.direct == io::DirectIo::kRequired && error == EINVAL) {
    throw Error("ERR_SHARDLOG_DIRECT_IO",
                "directIO is 'required', but " + path + " is on a file system without direct I/O",
                error, call, path);
  }
  throw Error("ERR_SHARDLOG_IO",
              std::string("cannot ") + call + " " + path + ": " + std::strerror(error), error, call,
              path);
}

}  // namespace

LogFile::LogFile(io::FileSystem* files, std::string path, const io::OpenOptions& options,
                 Format format, const char* advice)
    : files_(files), path_(std::move(path)), options_(options), format_(format) {
  int error = 0;
  const char* call = "open";
  file_ = files_->Open(path_, options_, &error, &call);
  if (file_ == nullptr) ThrowOpenError(path_, options_, -error, call);
  error = file_->Stat(&info_);
  if (error != 0) ThrowOpenError(path_, options_, -error, "fstat");
  error = file_->Lock();
  if (error == -EWOULDBLOCK) ThrowLocked(advice);
  if (error != 0) ThrowOpenError(path_, options_, -error, "flock");
  name_is_durable_ = info_.size != 0 || !options_.dsync;
}

void LogFile::ThrowLocked(const char* advice) const {
  const uint32_t holder = platform::FlockHolder(info_.device, info_.inode);
  throw Error("ERR_SHARDLOG_LOCKED",
              path_ + " is locked by " +
                  (holder == 0 ? std::string("another process") : "pid " + std::to_string(holder)) +
                  "; " + advice,
              EWOULDBLOCK, "flock", path_);
}

void LogFile::Prepare() {
  const IoStatus status = FindEnd(0);
  if (!status.ok()) ThrowOpenError(path_, options_, status.error, status.call);
}

// Makes the name of a file that has just been made, or in which nothing is yet, durable: what is
// written to it with dsync would otherwise be in a file without a name after a power failure. Some
// file systems cannot (EINVAL), some directories may be searched but not read (EACCES): then the
// name is as durable as it gets, which is no reason not to log. A file that is gone again (ENOENT)
// is noticed before the next flush.
IoStatus LogFile::SyncName() {
  const int error = files_->SyncDirectory(path_);
  const bool harmless = error == -EINVAL || error == -EACCES || error == -ENOENT;
  if (error != 0 && !harmless) return {-error, "fsync"};
  name_is_durable_ = true;
  return {};
}

IoStatus LogFile::Check(uint64_t torn, Change* change) {
  *change = {};
  io::FileInfo named;
  const int error = file_ == nullptr ? -ENOENT : files_->StatPath(path_, &named);
  const bool gone = error == -ENOENT;
  if (error != 0 && !gone) return {-error, "stat"};
  if (gone || named.device != info_.device || named.inode != info_.inode) {
    const IoStatus status = Reopen(torn != 0, change);
    if (!status.ok()) return status;
  } else if (is_cut_ || named.size != end_ + unsynced_) {
    unsynced_ = 0;
    change->moved = true;
    change->cut = is_cut_ || named.size < end_;
    if (is_cut_) torn = 0;
    is_cut_ = false;
    // What is torn is in the old file, if there is one.
    IoStatus status = Disown(end_, old_ == nullptr ? torn : 0);
    if (!status.ok()) return status;
    // Up to end_ the file is ours, unless somebody cut it.
    status = FindEnd(change->cut ? 0 : end_);
    if (!status.ok()) return status;
  }
  return name_is_durable_ ? IoStatus{} : SyncName();
}

// Fills in end_, having made the file ready for appending there.
IoStatus LogFile::FindEnd(uint64_t from) {
  tail_.Forget();
  return format_ == Format::kNdjson ? PrepareText(file_.get(), &end_)
                                    : PrepareAppend(file_.get(), &end_, from);
}

IoStatus LogFile::Reopen(bool torn, Change* change) {
  int error = 0;
  const char* call = "open";
  std::unique_ptr<io::File> file = files_->Open(path_, options_, &error, &call);
  if (file == nullptr) return {-error, call};
  io::FileInfo info;
  error = file->Stat(&info);
  if (error != 0) return {-error, "fstat"};
  error = file->Lock();
  if (error != 0) return {-error, "flock"};
  io::FileInfo before;
  change->deleted = file_ != nullptr && file_->Stat(&before) == 0 && before.links == 0;
  if (torn && !change->deleted && file_ != nullptr && old_ == nullptr) {
    old_ = std::move(file_);
    old_end_ = end_;
  }
  const bool same = info.device == info_.device && info.inode == info_.inode;
  file_ = std::move(file);
  info_ = info;
  unsynced_ = 0;
  change->reopened = !same;
  name_is_durable_ = info.size != 0 || !options_.dsync;
  if (same && info.size == end_) return {};
  const IoStatus status = FindEnd(0);
  // The next look at the path finds the end again: no file is as long as this.
  if (!status.ok()) end_ = UINT64_MAX;
  return status;
}

ssize_t LogFile::Append(const iovec* parts, int count, Through through, bool* moved) {
  *moved = false;
  if (unsynced_ != 0) {
    const ssize_t over = WriteOver(parts, count);
    if (over != 0) return over;
  }
  uint64_t end = 0;
  const ssize_t taken = through == Through::kDevice ? file_->Append(parts, count, &end)
                                                    : file_->AppendBuffered(parts, count, &end);
  if (taken < 0 && taken != -EINTR && options_.dsync) {
    unsynced_ = CountThere(parts, count, SIZE_MAX);
  }
  if (taken <= 0) return taken;
  const uint64_t start = end - static_cast<uint64_t>(taken);
  *moved = start != end_;
  end_ = end;
  if (*moved) {
    tail_.Forget();
  } else {
    tail_.Append(parts, count, static_cast<size_t>(taken));
  }
  return taken;
}

// How many bytes of the parts, up to `most`, the file has at end_.
size_t LogFile::CountThere(const iovec* parts, int count, size_t most) {
  size_t there = 0;
  std::vector<uint8_t> bytes;
  io::FileInfo info;
  if (file_->Stat(&info) != 0) return 0;
  for (int i = 0; i < count; i++) {
    const uint64_t at = end_ + there;
    const size_t left = info.size > at ? static_cast<size_t>(info.size - at) : 0;
    const size_t size = std::min({parts[i].iov_len, left, most - there});
    bytes.resize(size);
    if (size == 0 || ReadFully(file_.get(), bytes.data(), size, at) != 0) break;
    const auto* const wanted = static_cast<const uint8_t*>(parts[i].iov_base);
    const auto differs = std::mismatch(bytes.begin(), bytes.end(), wanted).first;
    there += static_cast<size_t>(differs - bytes.begin());
    if (size < parts[i].iov_len || differs != bytes.end()) break;
  }
  return there;
}

// The same bytes over what a failed append has left. 0: others are wanted there.
ssize_t LogFile::WriteOver(const iovec* parts, int count) {
  const size_t there = CountThere(parts, count, unsynced_);
  if (there == 0) {
    unsynced_ = 0;
    return 0;
  }
  const size_t size = std::min(there, parts->iov_len);
  const ssize_t result = file_->Overwrite(parts->iov_base, size, end_);
  if (result <= 0) return result == 0 ? -EIO : result;
  const auto taken = static_cast<size_t>(result);
  tail_.Append(parts, 1, taken);
  end_ += taken;
  unsynced_ -= std::min(unsynced_, taken);
  return result;
}

IoStatus LogFile::FindMovedEnd(bool* moved) {
  io::FileInfo info;
  const int error = file_->Stat(&info);
  if (error != 0) return {-error, "fstat"};
  *moved = info.size != end_ + unsynced_;
  if (!*moved) return {};
  if (info.size < end_) return kLogIsCut;
  unsynced_ = 0;
  tail_.Forget();
  end_ = info.size;
  return format_ == Format::kNdjson ? PrepareText(file_.get(), &end_) : IoStatus{};
}

IoStatus LogFile::Align() {
  static const std::array<uint8_t, kMaxAlignment> kZeroes{};
  for (int i = 0; i < kMaxFills; i++) {
    const size_t missing = format::AlignUp(end_, alignment()) - end_;
    if (missing == 0) return {};
    iovec fill{const_cast<uint8_t*>(kZeroes.data()), missing};
    bool moved = false;
    const ssize_t taken = Append(&fill, 1, Through::kCache, &moved);
    if (taken < 0 && taken != -EINTR) return {static_cast<int>(-taken), "write"};
  }
  return {EBUSY, "write"};
}

ssize_t LogFile::AppendToOld(const iovec* parts, int count) {
  io::FileInfo info;
  if (old_->Stat(&info) != 0 || info.links == 0 || info.size != old_end_) return -ESTALE;
  uint64_t end = 0;
  const ssize_t taken = old_->AppendBuffered(parts, count, &end);
  if (taken <= 0) return taken;
  if (end - static_cast<uint64_t>(taken) != old_end_) return -ESTALE;  // somebody came between
  old_end_ = end;
  return taken;
}

// The bytes are in the file unless somebody has cut it meanwhile.
IoStatus LogFile::Disown(io::File* file, uint64_t end, uint64_t torn) const {
  if (format_ == Format::kNdjson || torn < format::kBlockHeaderBytes) return {};
  io::FileInfo info;
  const int error = file->Stat(&info);
  if (error != 0) return {-error, "fstat"};
  return info.size < end ? IoStatus{} : ShortenBlock(file, end - torn, {}, 0);
}

IoStatus LogFile::Proof(uint64_t torn, LogTail::Proof* proof) {
  if (torn == 0) {
    const int error = tail_.Of(file_.get(), end_, proof);
    return {error, "pread"};
  }
  LogTail before;
  const int error = before.Of(file_.get(), end_ - torn, proof);
  return {error, "pread"};
}

IoStatus LogFile::FallBackToBuffered(const std::string& reason) {
  options_.direct = io::DirectIo::kOff;
  fallback_reason_ = reason;
  // The lock belongs to the open file; it has to go before the same file can be locked anew.
  file_.reset();
  Change change;
  return Reopen(false, &change);
}

void LogFile::Close() {
  file_.reset();
  old_.reset();
  tail_.Forget();
}

std::string LogFile::direct_reason() const {
  if (!fallback_reason_.empty() || file_ == nullptr) return fallback_reason_;
  return file_->direct_reason();
}

}  // namespace shardlog::engine
