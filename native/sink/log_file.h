// The log's file over its life: opened and locked, appended to and nothing else, opened anew when
// somebody deletes or replaces it.
//
// Nothing here makes the file shorter or writes over what a reader can have seen; every append goes
// where the kernel finds the end, so that others may append, too.
//
// Thread: the opener, then whoever writes: the flusher, or its writing thread.
#pragma once

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>

#include "engine/config.h"
#include "engine/io_status.h"
#include "io/file.h"
#include "sink/log_tail.h"

namespace shardlog::engine {

// Somebody has cut the log since Check.
inline constexpr IoStatus kLogIsCut{ESTALE, "looking for the end that was cut off"};

class LogFile {
 public:
  static constexpr char kOwnFile[] = "%p in logFilePath gives each process a file of its own";

  // Opens (creating) and locks the file. Throws Error: ERR_SHARDLOG_LOCKED, whose message ends with
  // `advice`, ERR_SHARDLOG_DIRECT_IO, ERR_SHARDLOG_IO.
  LogFile(io::FileSystem* files, std::string path, const io::OpenOptions& options,
          Format format = Format::kShard, const char* advice = kOwnFile);

  // Finds where the log ends, repairing a torn tail. Once, after recovery. Throws
  // Error(ERR_SHARDLOG_IO).
  void Prepare();

  // The same by value, for recovery.
  IoStatus FindEnd() { return FindEnd(0); }

  // What the file is taken to be. A recovered arena may be of another format than the opener's.
  Format format() const { return format_; }
  void set_format(Format format) { format_ = format; }

  // What has happened to the file since the last append.
  struct Change {
    bool reopened = false;  // the path names another file now, which is open
    bool deleted = false;   // and the one before has no name any more
    bool moved = false;     // or its end is another
    bool cut = false;       // and before ours
  };
  // The file was cut before what was torn, as an append has shown: Check tells it.
  void NoteCut() { is_cut_ = true; }

  // Before each flush: makes a new file's name durable; notices that the path names another file
  // now, or none, and opens that; notices that somebody appended or truncated. With `torn`, the
  // file ends in the middle of what we appended, after so many bytes of it, and stays open after a
  // reopening (AppendToOld); what somebody has appended to is disowned.
  IoStatus Check(uint64_t torn, Change* change);

  // Appends by one call of the kernel: past the page cache, or through it. Bytes taken or -errno.
  // What a failed call has left in the page cache, but not on the device, is written over with the
  // same bytes when it is appended again.
  // *moved: somebody else had appended before, and end() is behind that, too.
  enum class Through { kDevice, kCache };
  ssize_t Append(const iovec* parts, int count, Through through, bool* moved);

  // Looks at how long the file is, after an append that the kernel refused. *moved as above.
  IoStatus FindMovedEnd(bool* moved);

  // Blocks: appends zeroes until the end is aligned, whoever else appends meanwhile.
  IoStatus Align();

  // The file that ends in the middle of what we appended, after a reopening. False if there is
  // none, or there is no point in completing it: it is deleted, or somebody appended to it.
  bool HasOld() const { return old_ != nullptr; }
  ssize_t AppendToOld(const iovec* parts, int count);
  void DropOld() { old_.reset(); }
  // `torn` bytes of a unit end where we last appended, and will be written anew: a block is turned
  // into fill, so that readers take none of its entries for accepted ones.
  IoStatus Disown(uint64_t end, uint64_t torn) { return Disown(file_.get(), end, torn); }
  IoStatus DisownInOld(uint64_t torn) { return Disown(old_.get(), old_end_, torn); }

  // Turns direct I/O off for good, because of a write that the file system refused (EINVAL).
  IoStatus FallBackToBuffered(const std::string& reason);

  // Closes the file, which unlocks it. Nothing but path() and info() is used afterwards.
  void Close();

  // In the child of fork(): closes the descriptors, and leaves the lock to the parent.
  void AbandonAfterFork() {
    if (file_ != nullptr) file_->AbandonAfterFork();
  }

  // Null after a fall-back whose reopening failed (Check() opens it again), and after Close().
  io::File* file() const { return file_.get(); }
  const io::FileInfo& info() const { return info_; }
  io::FileSystem* files() const { return files_; }
  const std::string& path() const { return path_; }
  const io::OpenOptions& options() const { return options_; }
  std::string direct_reason() const;
  size_t alignment() const { return file_->alignment(); }
  bool direct() const { return file_->direct(); }
  uint64_t end() const { return end_; }
  // What proves that a file is this log: of the bytes before end() - `torn`.
  IoStatus Proof(uint64_t torn, LogTail::Proof* proof);

 private:
  [[noreturn]] void ThrowLocked(const char* advice) const;
  IoStatus Reopen(bool torn, Change* change);
  IoStatus Disown(io::File* file, uint64_t end, uint64_t torn) const;
  IoStatus FindEnd(uint64_t from);
  IoStatus SyncName();
  size_t CountThere(const iovec* parts, int count, size_t most);
  ssize_t WriteOver(const iovec* parts, int count);

  io::FileSystem* const files_;
  const std::string path_;
  io::OpenOptions options_;
  Format format_;
  std::unique_ptr<io::File> file_;
  std::unique_ptr<io::File> old_;
  uint64_t old_end_ = 0;
  io::FileInfo info_;
  bool name_is_durable_ = false;
  bool is_cut_ = false;
  std::string fallback_reason_;
  uint64_t end_ = 0;
  size_t unsynced_ = 0;  // bytes behind end_ that a failed append has left in the page cache
  LogTail tail_;
};

}  // namespace shardlog::engine
