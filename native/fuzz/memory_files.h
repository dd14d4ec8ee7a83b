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

  ssize_t Append(const iovec* parts, int count, uint64_t* end) override {
    ssize_t done = 0;
    for (int i = 0; i < count; i++) {
      if (parts[i].iov_len > kLimit - bytes_->size()) return -EFBIG;
      const auto* from = static_cast<const uint8_t*>(parts[i].iov_base);
      bytes_->insert(bytes_->end(), from, from + parts[i].iov_len);
      done += static_cast<ssize_t>(parts[i].iov_len);
    }
    *end = bytes_->size();
    return done;
  }
  ssize_t AppendBuffered(const iovec* parts, int count, uint64_t* end) override {
    return Append(parts, count, end);
  }
  ssize_t Overwrite(const void* data, size_t size, uint64_t offset) override {
    if (offset > bytes_->size() || size > bytes_->size() - offset) return -EFBIG;
    if (size > 0) std::memcpy(bytes_->data() + offset, data, size);
    return static_cast<ssize_t>(size);
  }
  ssize_t Read(void* to, size_t size, uint64_t offset) override {
    if (offset >= bytes_->size()) return 0;
    const size_t got = std::min(size, bytes_->size() - static_cast<size_t>(offset));
    std::memcpy(to, bytes_->data() + offset, got);
    return static_cast<ssize_t>(got);
  }
  int Sync() override { return 0; }
  int Stat(io::FileInfo* info) override {
    *info = {1, 2, bytes_->size(), 1};
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
