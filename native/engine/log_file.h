// The log's file over its life: opened and locked, appended to, opened anew when somebody deletes
// or replaces it, given back its unused space at the end.
//
// Thread: the opener, then the flusher.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/config.h"
#include "engine/piece_writer.h"
#include "io/file.h"

namespace shardlog::engine {

class LogFile {
 public:
  // Opens (creating, which it makes durable) and locks the file. Throws Error: ERR_SHARDLOG_LOCKED,
  // ERR_SHARDLOG_DIRECT_IO, ERR_SHARDLOG_IO.
  LogFile(io::FileSystem* files, std::string path, const io::OpenOptions& options,
          Form form = Form::kBlocks);

  // Finds where to append, mending a torn tail. Once, after recovery. Throws
  // Error(ERR_SHARDLOG_IO).
  void Prepare();

  // Where the next write goes, after a torn tail has been mended. Recovery's Prepare().
  IoStatus FindEnd(uint64_t* end) { return FindEndOf(file_.get(), end, 0); }

  // What the file is taken to be. A recovered arena may be of another form than the opener's.
  Form form() const { return form_; }
  void set_form(Form form) { form_ = form; }

  // Before each flush: notices that the path names another file now, or none, and opens that;
  // notices that somebody appended or truncated. *reopened says which file it is now has changed.
  IoStatus Check(bool* reopened);

  // Reserves space ahead of a write of `bytes`, for the next few sets of `set_bytes`. An
  // optimisation: failures show in the write itself.
  void ReserveAhead(uint64_t bytes, uint64_t set_bytes);

  // Turns direct I/O off for good, because of a write that the file system refused (EINVAL).
  IoStatus FallBackToBuffered(const std::string& reason);

  // Gives back space reserved ahead and takes away what a failed write left, unless somebody else
  // has changed the file's size meanwhile. At close.
  void Finish();

  // Closes the file, which unlocks it. Nothing but path() and info() is used afterwards.
  void Close() { file_.reset(); }

  // In the child of fork(): closes the descriptors, and leaves the lock to the parent.
  void AbandonAfterFork() {
    if (file_ != nullptr) file_->AbandonAfterFork();
  }

  // Null after a fall-back whose reopening failed (Check() opens it again), and after Close().
  io::File* file() const { return file_.get(); }
  const io::FileInfo& info() const { return info_; }
  const std::string& path() const { return path_; }
  const io::OpenOptions& options() const { return options_; }
  std::string direct_reason() const;
  uint64_t end() const { return end_; }
  // A write of `bytes` at end() is complete.
  void Advance(uint64_t bytes) {
    end_ += bytes;
    failed_write_limit_ = 0;
  }
  // A write of up to `bytes` at end() failed half way: what it left there is ours, and will be
  // written over.
  void FailedWrite(uint64_t bytes) { failed_write_limit_ = end_ + bytes; }

  // Around a write of lines at end(). Where somebody cuts the file meanwhile, what is written after
  // that leaves zeroes before it, which readers of lines do not expect (those of blocks do).
  void BeginLines();
  // True if that has come about: the zeroes and the write are gone, and it is to be repeated.
  bool UndoIfCut();

  // The first `bytes` of what a failed write left are whole blocks, and stay.
  void KeepOfFailedWrite(uint64_t bytes) { end_ += bytes; }

  // Cuts the file to `end`, for recovery, which writes the rest again. 0 or a positive errno.
  IoStatus CutTo(uint64_t end);

 private:
  [[noreturn]] void ThrowLocked() const;
  IoStatus Reopen();
  IoStatus FindEndOf(io::File* file, uint64_t* end, uint64_t from) const;
  uint64_t SpaceToSpare(uint64_t set_bytes);

  io::FileSystem* const files_;
  const std::string path_;
  io::OpenOptions options_;
  Form form_;
  std::unique_ptr<io::File> file_;
  io::FileInfo info_;
  std::string fallback_reason_;
  uint64_t end_ = 0;
  uint64_t reserved_to_ = 0;
  uint64_t watched_ = 0;  // end of a byte of text that a write of lines leaves alone; 0: none
  uint64_t failed_write_limit_ = 0;  // 0: the last write was complete
};

}  // namespace shardlog::engine
