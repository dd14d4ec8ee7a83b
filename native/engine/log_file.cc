#include "engine/log_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/append_point.h"
#include "engine/error.h"
#include "format/block.h"
#include "platform/lock_holder.h"

namespace shardlog::engine {
namespace {

// Space is reserved ahead for so many bytes and so many sets at the most, and no more than one part
// in so many of what the file system has left: the rest is everybody's.
constexpr uint64_t kReserveBytes = 64u << 20;
constexpr uint64_t kReserveSets = 4;
constexpr uint64_t kReserveShare = 64;

// Makes the name of a file that has just been made, or in which nothing is yet, durable: what is
// written to it with dsync would otherwise be in a file without a name after a power failure. Some
// file systems cannot (EINVAL), some directories may be searched but not read (EACCES): then the
// name is as durable as it gets, which is no reason not to log. A file that is gone again (ENOENT)
// is noticed before the first flush.
int SyncName(io::FileSystem* files, const std::string& path, const io::FileInfo& info,
             const io::OpenOptions& options) {
  if (info.size != 0 || !options.dsync) return 0;
  const int error = files->SyncDirectory(path);
  return error == -EINVAL || error == -EACCES || error == -ENOENT ? 0 : error;
}

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

LogFile::LogFile(io::FileSystem* files, std::string path, const io::OpenOptions& options, Form form)
    : files_(files), path_(std::move(path)), options_(options), form_(form) {
  int error = 0;
  const char* call = "open";
  file_ = files_->Open(path_, options_, &error, &call);
  if (file_ == nullptr) ThrowOpenError(path_, options_, -error, call);
  error = file_->Stat(&info_);
  if (error != 0) ThrowOpenError(path_, options_, -error, "fstat");
  error = file_->Lock();
  if (error == -EWOULDBLOCK) ThrowLocked();
  if (error != 0) ThrowOpenError(path_, options_, -error, "flock");
  error = SyncName(files_, path_, info_, options_);
  if (error != 0) ThrowOpenError(path_, options_, -error, "fsync");
}

void LogFile::ThrowLocked() const {
  const uint32_t holder = platform::FlockHolder(info_.device, info_.inode);
  throw Error("ERR_SHARDLOG_LOCKED",
              path_ + " is locked by " +
                  (holder == 0 ? std::string("another process") : "pid " + std::to_string(holder)) +
                  "; %p in logFilePath gives each process a file of its own",
              EWOULDBLOCK, "flock", path_);
}

void LogFile::Prepare() {
  const IoStatus status = FindEndOf(file_.get(), &end_, 0);
  if (!status.ok()) ThrowOpenError(path_, options_, status.error, status.call);
  reserved_to_ = end_;
}

IoStatus LogFile::Check(bool* reopened) {
  *reopened = false;
  if (file_ == nullptr) return Reopen();
  io::FileInfo named;
  const int error = files_->StatPath(path_, &named);
  const bool gone = error == -ENOENT;
  if (error != 0 && !gone) return {-error, "stat"};
  if (gone || named.device != info_.device || named.inode != info_.inode) {
    const IoStatus status = Reopen();
    *reopened = status.ok();
    return status;
  }
  const bool ours = named.size >= end_ && named.size <= failed_write_limit_;
  if (named.size == end_ || ours) return {};
  // Up to end_ the file is ours, unless somebody cut it.
  const IoStatus status = FindEndOf(file_.get(), &end_, named.size < end_ ? 0 : end_);
  reserved_to_ = end_;
  return status;
}

IoStatus LogFile::FindEndOf(io::File* file, uint64_t* end, uint64_t from) const {
  return form_ == Form::kText ? PrepareText(file, end) : PrepareAppend(file, end, from);
}

IoStatus LogFile::Reopen() {
  int error = 0;
  const char* call = "open";
  std::unique_ptr<io::File> file = files_->Open(path_, options_, &error, &call);
  if (file == nullptr) return {-error, call};
  io::FileInfo info;
  error = file->Stat(&info);
  if (error != 0) return {-error, "fstat"};
  error = file->Lock();
  if (error != 0) return {-error, "flock"};
  error = SyncName(files_, path_, info, options_);
  if (error != 0) return {-error, "fsync"};
  uint64_t end = 0;
  const IoStatus status = FindEndOf(file.get(), &end, 0);
  if (!status.ok()) return status;
  file_ = std::move(file);
  info_ = info;
  end_ = end;
  reserved_to_ = end;
  failed_write_limit_ = 0;
  return {};
}

void LogFile::BeginLines() {
  watched_ = 0;
  if (form_ != Form::kText) return;
  // Lines are written from the unit on in which the text ends.
  const uint64_t unit = format::AlignDown(end_, file_->alignment());
  uint8_t byte = 0;
  if (unit == 0 || ReadFully(file_.get(), &byte, 1, unit - 1) != 0 || byte == 0) return;
  watched_ = unit;
}

bool LogFile::UndoIfCut() {
  uint8_t byte = 0;
  if (watched_ == 0 || ReadFully(file_.get(), &byte, 1, watched_ - 1) != 0 || byte != 0)
    return false;
  uint64_t cut = 0;
  if (!FindZeroes(file_.get(), watched_, &cut) || !CutTo(cut).ok()) return false;
  return FindEndOf(file_.get(), &end_, 0).ok();
}

IoStatus LogFile::CutTo(uint64_t end) {
  const int error = file_->Truncate(end);
  if (error != 0) return {-error, "ftruncate"};
  end_ = end;
  reserved_to_ = end;
  return {};
}

uint64_t LogFile::SpaceToSpare(uint64_t set_bytes) {
  uint64_t left = 0;
  if (file_->FreeSpace(&left) != 0) return 0;
  const uint64_t share = format::AlignDown(left / kReserveShare, format::kSectorBytes);
  return std::min({kReserveBytes, kReserveSets * set_bytes, share});
}

void LogFile::ReserveAhead(uint64_t bytes, uint64_t set_bytes) {
  if (end_ + bytes <= reserved_to_) return;
  const uint64_t size = std::max(bytes, SpaceToSpare(set_bytes));
  if (file_->Allocate(end_, size) == 0) reserved_to_ = end_ + size;
}

IoStatus LogFile::FallBackToBuffered(const std::string& reason) {
  options_.direct = io::DirectIo::kOff;
  fallback_reason_ = reason;
  // The lock belongs to the open file; it has to go before the same file can be locked anew.
  file_.reset();
  const io::FileInfo before = info_;
  const uint64_t end = end_;
  const uint64_t limit = failed_write_limit_;
  const IoStatus status = Reopen();
  if (!status.ok()) return status;
  // What the failed write left behind `end` is ours, and is written over.
  const bool same = info_.device == before.device && info_.inode == before.inode;
  if (same && info_.size >= end && info_.size <= limit) {
    end_ = reserved_to_ = end;
    failed_write_limit_ = limit;
  }
  return status;
}

void LogFile::Finish() {
  io::FileInfo info;
  if (file_ == nullptr || file_->Stat(&info) != 0) return;
  const bool ours = info.size >= end_ && info.size <= failed_write_limit_;
  if (info.size != end_ && !ours) return;
  // A failure costs some disk space until the next opening, and no data.
  file_->Truncate(end_);
}

std::string LogFile::direct_reason() const {
  if (!fallback_reason_.empty() || file_ == nullptr) return fallback_reason_;
  return file_->direct_reason();
}

}  // namespace shardlog::engine
