#include "support/model_files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace shardlog::test {
namespace {

using Content = ModelFiles::Content;

void Tell(const Content& content, io::FileInfo* info) {
  *info = {};
  info->device = 1;
  info->inode = content.inode;
  info->size = content.bytes.size();
  info->links = content.links;
  info->changed_time = UINT64_MAX;
}

class ModelFile final : public io::File {
 public:
  ModelFile(ModelFiles* files, std::shared_ptr<Content> content, bool dsync)
      : files_(files), content_(std::move(content)), dsync_(dsync) {}

  ssize_t Append(const iovec* parts, int count, uint64_t* end) override {
    return AppendBuffered(parts, count, end);
  }

  ssize_t AppendBuffered(const iovec* parts, int count, uint64_t* end) override {
    std::string bytes;
    for (int i = 0; i < count; i++) {
      bytes.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    }
    bool ends = false;
    bytes.resize(files_->Step(bytes.size(), &ends));
    content_->bytes += bytes;
    if (ends) throw WorldEnds{};
    if (dsync_) content_->durable = content_->bytes.size();
    *end = content_->bytes.size();
    return static_cast<ssize_t>(bytes.size());
  }

  // Of the header of a block, a sector takes all or nothing.
  ssize_t Overwrite(const void* data, size_t size, uint64_t offset) override {
    bool ends = false;
    const size_t bytes = files_->Step(size, &ends);
    if (bytes != 0) {
      content_->bytes.replace(offset, size < 512 ? size : bytes, static_cast<const char*>(data),
                              size < 512 ? size : bytes);
    }
    if (ends) throw WorldEnds{};
    return static_cast<ssize_t>(size < 512 ? size : bytes);
  }

  ssize_t Read(void* to, size_t size, uint64_t offset) override {
    if (offset >= content_->bytes.size()) return 0;
    const size_t got = std::min<size_t>(size, content_->bytes.size() - offset);
    std::memcpy(to, content_->bytes.data() + offset, got);
    return static_cast<ssize_t>(got);
  }

  int Sync() override {
    content_->durable = content_->bytes.size();
    return 0;
  }
  int Stat(io::FileInfo* info) override {
    Tell(*content_, info);
    return 0;
  }
  int Lock() override { return 0; }
  bool direct() const override { return false; }
  const std::string& direct_reason() const override { return reason_; }
  size_t alignment() const override { return 512; }

 private:
  ModelFiles* const files_;
  const std::shared_ptr<Content> content_;
  const bool dsync_;
  const std::string reason_ = "a model";
};

}  // namespace

size_t ModelFiles::Step(size_t bytes, bool* ends) {
  *ends = steps_left_ == 0;
  if (steps_left_ >= 0) steps_left_--;
  return *ends ? std::min(bytes, bytes_of_last_) : bytes;
}

void ModelFiles::FailPower(size_t more) {
  for (auto& [path, content] : names_) {
    content->bytes.resize(std::min(content->bytes.size(), content->durable + more));
    content->durable = content->bytes.size();
  }
}

void ModelFiles::AppendForeign(const std::string& path, const std::string& bytes) {
  if (names_.count(path) != 0) names_[path]->bytes += bytes;
}

void ModelFiles::Rename(const std::string& from, const std::string& to) {
  const auto found = names_.find(from);
  if (found == names_.end()) return;
  const std::shared_ptr<Content> content = found->second;
  names_.erase(found);
  names_[to] = content;
}

void ModelFiles::CopyAndTruncate(const std::string& from, const std::string& to) {
  const auto found = names_.find(from);
  if (found == names_.end()) return;
  names_[to] = std::make_shared<Content>(*found->second);
  names_[to]->inode = next_inode_++;
  found->second->bytes.clear();
  found->second->durable = 0;
}

void ModelFiles::Copy(const std::string& path) {
  const auto found = names_.find(path);
  if (found == names_.end()) return;
  found->second = std::make_shared<Content>(*found->second);
  found->second->inode = next_inode_++;
}

std::string ModelFiles::Read(const std::string& path) const {
  const auto found = names_.find(path);
  return found == names_.end() ? std::string() : found->second->bytes;
}

std::vector<std::string> ModelFiles::Paths() const {
  std::vector<std::string> paths;
  for (const auto& [path, content] : names_) paths.push_back(path);
  return paths;
}

std::unique_ptr<io::File> ModelFiles::Open(const std::string& path, const io::OpenOptions& options,
                                           int* error, const char** call) {
  *error = 0;
  *call = "open";
  std::shared_ptr<Content>& content = names_[path];
  if (content == nullptr) {
    content = std::make_shared<Content>();
    content->inode = next_inode_++;
  }
  return std::make_unique<ModelFile>(this, content, options.dsync);
}

int ModelFiles::StatPath(const std::string& path, io::FileInfo* info) {
  const auto found = names_.find(path);
  if (found == names_.end()) return -ENOENT;
  Tell(*found->second, info);
  return 0;
}

std::vector<std::string> ModelFiles::Siblings(const std::string& path) {
  std::vector<std::string> siblings;
  for (const auto& [other, content] : names_) {
    if (other != path && other.rfind(path, 0) == 0) siblings.push_back(other);
  }
  return siblings;
}

}  // namespace shardlog::test
