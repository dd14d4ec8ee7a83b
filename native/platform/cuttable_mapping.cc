#include "platform/cuttable_mapping.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>

namespace shardlog::platform {

// Entries are never freed, so that a handler that runs meanwhile finds each of them as an entry.
// Everything here happens once in a log's life, or after a file was cut: its atomics are
// sequentially consistent.
struct CuttableMapping::Entry {
  std::atomic<bool> used{false};
  std::atomic<bool> locked{false};  // guards the mapping and what follows
  std::atomic<uintptr_t> begin{0};  // 0: none
  std::atomic<uintptr_t> end{0};
  std::atomic<int> fd{-1};
  std::atomic<uint64_t> whole{0};      // the file was at least so long, always
  std::atomic<uintptr_t> replaced{0};  // from here to the end lies memory of the process
  std::atomic<uint32_t> vain{0};       // faults that were not of a cut file
  std::atomic<bool> is_private{false};
  std::atomic<uint32_t> changes{0};
  std::atomic<Event*> event{nullptr};
  Entry* next = nullptr;
};

namespace {

using Entry = CuttableMapping::Entry;

// A thread whose fault came before the mapping was changed, or the file grown again, meets what is
// in order now, and makes its access again. One that goes on failing is of a file system without
// room, which a copy on writing needs; or none of ours: of a device that cannot be read.
constexpr uint32_t kVainFaults = 100;
constexpr uint32_t kMostVainFaults = 1'000;

std::atomic<Entry*> entries{nullptr};
// What handled the signal before us. Never freed: a handler may be reading it.
const struct sigaction kDefaultAction {};
std::atomic<const struct sigaction*> before{&kDefaultAction};
// Of the thread that runs the handler before us; 0: none.
std::atomic<pid_t> handing_on{0};
std::mutex installing;

// Who holds it may be a thread that this one keeps from running: it sleeps.
void Lock(Entry* entry) {
  const timespec nap{0, 20'000};
  while (entry->locked.exchange(true)) nanosleep(&nap, nullptr);
}

void Unlock(Entry* entry) { entry->locked = false; }

Entry* Take() {
  for (Entry* entry = entries; entry != nullptr; entry = entry->next) {
    bool free = false;
    if (entry->used.compare_exchange_strong(free, true)) return entry;
  }
  auto* const made = new Entry;
  made->used = true;
  made->next = entries;
  while (!entries.compare_exchange_weak(made->next, made)) {
  }
  return made;
}

// Puts memory in the place of what the file does not have any more. False: it cannot be had.
bool Replace(Entry* entry, uintptr_t from, uintptr_t to) {
  entry->changes++;
  const long at = syscall(SYS_mmap, from, to - from, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0L);
  entry->changes++;
  if (at == -1) return false;
  entry->replaced = from;
  return true;
}

// From here on stores copy pages into memory of the process. What was stored before is in the file,
// where it is read until then: no store falls between the two. In place, and at once: what else the
// process has the kernel do with new mappings (mlockall) must not copy pages before.
bool GoPrivate(Entry* entry) {
  const uintptr_t begin = entry->begin;
  entry->changes++;
  const long at = syscall(SYS_mmap, begin, entry->replaced - begin, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, entry->fd.load(), 0L);
  entry->changes++;
  if (at == -1) return false;
  entry->vain = 0;
  entry->is_private = true;
  return true;
}

// An access to what the file has.
bool AnswerWithin(Entry* entry, uintptr_t address) {
  const uint32_t vain = ++entry->vain;
  if (entry->is_private || vain < kVainFaults) return vain < kMostVainFaults;
  char byte;
  const auto offset = static_cast<off_t>(address - entry->begin);
  return pread(entry->fd, &byte, 1, offset) == 1 && GoPrivate(entry);
}

void Tell(const Entry* entry) {
  Event* const event = entry->event;
  if (event != nullptr) event->Signal();
}

// Whether the access that failed at `address` can be made again.
bool AnswerLocked(Entry* entry, uintptr_t address) {
  const uintptr_t begin = entry->begin;
  if (address < begin || address >= entry->end) return true;  // it has ended: look anew
  const uintptr_t replaced = entry->replaced;
  if (address >= replaced) return true;  // another thread was here
  struct stat st;
  if (fstat(entry->fd, &st) != 0) return false;
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const auto size = static_cast<uint64_t>(st.st_size);
  const uintptr_t from = begin + (size + page - 1) / page * page;
  if (address < from) {
    const bool was_private = entry->is_private;
    const bool answered = AnswerWithin(entry, address);
    if (entry->is_private != was_private) Tell(entry);
    return answered;
  }
  // Before anybody finds memory there.
  if (size < entry->whole) entry->whole = size;
  if (!Replace(entry, from, replaced)) return false;
  Tell(entry);
  return true;
}

bool Answer(uintptr_t address) {
  for (Entry* entry = entries; entry != nullptr; entry = entry->next) {
    if (address < entry->begin || address >= entry->end) continue;
    Lock(entry);
    const bool answered = AnswerLocked(entry, address);
    Unlock(entry);
    return answered;
  }
  return false;
}

// What would have come about without us.
void HandOn(int signal, siginfo_t* info, void* context) {
  const bool is_sent = info->si_code <= 0;
  const struct sigaction handler = *before.load();
  const auto self = static_cast<pid_t>(syscall(SYS_gettid));
  const bool is_ignored = handler.sa_handler == SIG_IGN;
  if (is_ignored && is_sent) return;
  // Who came before us may have come behind us, too, and hand on what we hand on.
  if (is_ignored || handler.sa_handler == SIG_DFL || handing_on == self) {
    struct sigaction end {};
    end.sa_handler = SIG_DFL;
    sigaction(signal, &end, nullptr);
    // The access is made again, and ends the process; what was sent is sent again, and does so when
    // this handler is over.
    if (is_sent) syscall(SYS_tgkill, getpid(), self, signal);
    return;
  }
  if ((handler.sa_flags & SA_RESETHAND) != 0) before = &kDefaultAction;
  // Signals are blocked as it wants them.
  sigset_t mask = static_cast<ucontext_t*>(context)->uc_sigmask;
  sigorset(&mask, &mask, &handler.sa_mask);
  if ((handler.sa_flags & SA_NODEFER) == 0) sigaddset(&mask, signal);
  sigset_t ours;
  pthread_sigmask(SIG_SETMASK, &mask, &ours);
  handing_on = self;
  if ((handler.sa_flags & SA_SIGINFO) != 0) {
    handler.sa_sigaction(signal, info, context);
  } else {
    handler.sa_handler(signal);
  }
  handing_on = 0;
  pthread_sigmask(SIG_SETMASK, &ours, nullptr);
}

void OnBusError(int signal, siginfo_t* info, void* context) {
  const int kept = errno;
  // Behind the end of a file, or without room in it: not a broken memory module, nor an address
  // that is none, nor kill().
  const bool may_be_ours = info->si_code == BUS_ADRERR;
  if (!may_be_ours || !Answer(reinterpret_cast<uintptr_t>(info->si_addr))) {
    HandOn(signal, info, context);
  }
  errno = kept;
}

// Again where somebody has put another handler in the place of ours: libuv does, for
// process.on('SIGBUS'), and takes all away with the last of its own.
void Install() {
  const std::lock_guard<std::mutex> lock(installing);
  struct sigaction present {};
  sigaction(SIGBUS, nullptr, &present);
  if ((present.sa_flags & SA_SIGINFO) != 0 && present.sa_sigaction == OnBusError) return;
  const struct sigaction* const known = before;
  const bool is_known =
      known->sa_sigaction == present.sa_sigaction && known->sa_flags == present.sa_flags;
  if (!is_known) before = new struct sigaction(present);
  struct sigaction ours {};
  ours.sa_sigaction = OnBusError;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  // No other handler runs in a thread that holds the lock: it might need what is locked.
  sigfillset(&ours.sa_mask);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) {
    sigdelset(&ours.sa_mask, fault);
  }
  sigaction(SIGBUS, &ours, nullptr);
}

}  // namespace

CuttableMapping::CuttableMapping() : entry_(Take()) {}

CuttableMapping::~CuttableMapping() {
  End();
  entry_->used = false;
}

void CuttableMapping::Begin(void* at, uint64_t bytes, int fd) {
  Install();
  Lock();
  const auto begin = reinterpret_cast<uintptr_t>(at);
  entry_->fd = fd;
  entry_->whole = bytes;
  entry_->replaced = begin + bytes;
  entry_->vain = 0;
  entry_->is_private = false;
  entry_->end = begin + bytes;
  entry_->begin = begin;
  platform::Unlock(entry_);
}

void CuttableMapping::End() {
  Lock();
  entry_->end = 0;
  entry_->begin = 0;
  entry_->fd = -1;
  entry_->event = nullptr;
  platform::Unlock(entry_);
}

void CuttableMapping::AbandonAfterFork() {
  // Another thread of the parent may have held it.
  entry_->locked = false;
  entry_->end = 0;
  entry_->begin = 0;
}

void CuttableMapping::StayInstalled() { Install(); }

void CuttableMapping::Lock() { platform::Lock(entry_); }

void CuttableMapping::BeginChange() { entry_->changes++; }

void CuttableMapping::EndChange(bool done, int fd) {
  entry_->changes++;
  if (done) {
    entry_->fd = fd;
    entry_->whole = entry_->end - entry_->begin;
    entry_->replaced = entry_->end.load();
    entry_->vain = 0;
    entry_->is_private = false;
  }
  platform::Unlock(entry_);
}

void CuttableMapping::Wake(Event* event) { entry_->event = event; }

bool CuttableMapping::is_cut() const { return entry_->whole < entry_->end - entry_->begin; }

bool CuttableMapping::is_private() const { return entry_->is_private; }

uint64_t CuttableMapping::whole_bytes() const { return entry_->whole; }

const std::atomic<uint32_t>& CuttableMapping::changes() const { return entry_->changes; }

}  // namespace shardlog::platform
