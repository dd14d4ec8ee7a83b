// A directory of the test's own, removed with everything in it.
#pragma once

#include <string>

namespace shardlog::test {

class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

bool Exists(const std::string& path);
std::string ReadFile(const std::string& path);
void WriteFile(const std::string& path, const std::string& content);
// Names in `directory` that contain `part`.
int CountFiles(const std::string& directory, const std::string& part);

}  // namespace shardlog::test
