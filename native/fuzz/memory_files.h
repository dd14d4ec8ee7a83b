// A file system of one file in memory, for fuzzing without a disk. Writes past kLimit fail with
// EFBIG.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "io/file.h"

namespace shardlog::fuzz {

class MemoryFile final : public io::File {
 public:
  static constexpr uint64_t kLimit = 64u << 20;

  explicit MemoryFile(std::vector<uint8_t>* bytes, size_t alignment)
      : bytes_(bytes), alignment_(alignment) {}

  ssize_t Write(const iovec* parts, int count, uint64_t offset) override {
    ssize_t done = 0;
    for (int i = 0; i < count; i++) {
      const ssize_t put =
          WriteBuffered(parts[i].iov_base, parts[i].iov_len, offset + static_cast<uint64_t>(done));
      if (put < 0) return put;
      done += put;
    }
    return done;
  }
  ssize_t WriteBuffered(const void* data, size_t size, uint64_t offset) override {
    if (offset > kLimit || size > kLimit - offset) return -EFBIG;
    if (bytes_->size() < offset + size) bytes_->resize(offset + size);
    if (size > 0) std::memcpy(bytes_->data() + offset, data, size);
    return static_cast<ssize_t>(size);
  }
  ssize_t Read(void* to, size_t size, uint64_t offset) override {
    if (offset >= bytes_->size()) return 0;
    const size_t got = std::min(size, bytes_->size() - static_cast<size_t>(offset));
    std::memcpy(to, bytes_->data() + offset, got);
    return static_cast<ssize_t>(got);
  }
  int Allocate(uint64_t, uint64_t) override { return 0; }
  int Truncate(uint64_t size) override {
    if (size > kLimit) return -EFBIG;
    bytes_->resize(size);
    return 0;
  }
  int Sync() override { return 0; }
  int Stat(io::FileInfo* info) override {
    *info = {1, 2, bytes_->size(), 1};
    return 0;
  }
  int FreeSpace(uint64_t* bytes) override {
    *bytes = kLimit - bytes_->size();
    return 0;
  }
  int Lock() override { return 0; }
  bool direct() const override { return false; }
  const std::string& direct_reason() const override { return reason_; }
  size_t alignment() const override { return alignment_; }

 private:
  std::vector<uint8_t>* const bytes_;
  const size_t alignment_;
  const std::string reason_ = "memory";
};

class MemoryFiles final : public io::FileSystem {
 public:
  explicit MemoryFiles(size_t alignment = 512) : alignment_(alignment) {}
  std::unique_ptr<io::File> Open(const std::string&, const io::OpenOptions&, int* error,
                                 const char**) override {
    *error = 0;
    return std::make_unique<MemoryFile>(&bytes, alignment_);
  }
  int StatPath(const std::string&, io::FileInfo* info) override {
    *info = {1, 2, bytes.size(), 1};
    return 0;
  }

  int SyncDirectory(const std::string&) override { return 0; }

  std::vector<uint8_t> bytes;

 private:
  const size_t alignment_;
};

}  // namespace shardlog::fuzz
