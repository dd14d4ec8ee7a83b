#include "support/child.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>

namespace shardlog::test {

SharedCounters::SharedCounters() {
  void* at = mmap(nullptr, kCount * sizeof(std::atomic<uint32_t>), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::runtime_error("mmap failed");
  counters_ = static_cast<std::atomic<uint32_t>*>(at);
}

SharedCounters::~SharedCounters() { munmap(counters_, kCount * sizeof(std::atomic<uint32_t>)); }

void Die() {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

bool LiveAndDie(const std::function<void()>& life) {
  const pid_t pid = fork();
  if (pid < 0) throw std::runtime_error("fork failed");
  if (pid == 0) {
    life();
    Die();
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

}  // namespace shardlog::test
