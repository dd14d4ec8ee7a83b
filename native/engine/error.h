// Errors of the engine as exceptions with a code. Thrown only by calls that open, recover or set
// up; what producers and the flusher do reports failures by value.
#pragma once

#include <stdexcept>
#include <string>

namespace shardlog::engine {

class Error : public std::runtime_error {
 public:
  // `code` is ERR_SHARDLOG_...; `error_number` a positive errno, or 0 if the kernel was not asked.
  Error(std::string code, const std::string& message, int error_number = 0, std::string call = {},
        std::string path = {})
      : std::runtime_error(message),
        code_(std::move(code)),
        error_number_(error_number),
        call_(std::move(call)),
        path_(std::move(path)) {}

  const std::string& code() const { return code_; }
  int error_number() const { return error_number_; }
  const std::string& call() const { return call_; }
  const std::string& path() const { return path_; }

 private:
  std::string code_;
  int error_number_;
  std::string call_;
  std::string path_;
};

}  // namespace shardlog::engine
