#include "platform/tick_clock.h"

#include <fstream>
#include <string>

#include "platform/clock.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

namespace shardlog::platform {
namespace {

constexpr double kNsPerMs = 1e6;
constexpr uint64_t kWindowNs = 1'000'000;
// The rate is measured over at least the first, and anew after the second.
constexpr uint64_t kMinRateNs = 2'000'000;
constexpr uint64_t kMaxRateNs = 1'000'000'000;
// A reading of both clocks that takes longer was interrupted; and how often to try again.
constexpr uint64_t kMaxReadingTicks = 4000;
constexpr int kReadings = 4;

// Rounded down. Times are positive, and std::floor is a call on processors that must not be newer
// than the first of the architecture.
double Whole(double ms) { return static_cast<double>(static_cast<int64_t>(ms)); }

// Of ticks within a window: processors convert signed numbers in one step, others in several.
double AsDouble(uint64_t ticks) { return static_cast<double>(static_cast<int64_t>(ticks)); }

#if defined(__x86_64__)

uint64_t Ticks() { return __rdtsc(); }

bool RunsAtOneRate() {
  constexpr unsigned kPowerManagement = 0x80000007;
  constexpr unsigned kInvariantCounter = 1u << 8;
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid(kPowerManagement, &eax, &ebx, &ecx, &edx) != 0 &&
         (edx & kInvariantCounter) != 0;
}

bool KernelTrustsIt() {
  std::ifstream file("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  std::string name;
  return (file >> name) && name == "tsc";
}

#else

// Elsewhere the kernel's clock costs about what reading the counter does.
uint64_t Ticks() { return 0; }
bool RunsAtOneRate() { return false; }
bool KernelTrustsIt() { return false; }

#endif

}  // namespace

bool TickClock::IsUsable() { return RunsAtOneRate() && KernelTrustsIt(); }

double TickClock::NowMs() {
  // Unsigned: a counter that has gone back, after a suspension or a migration, is far beyond it.
  const uint64_t ticks = Ticks() - base_ticks_;
  if (ticks < window_ticks_) [[likely]] {
    return Whole(base_ms_ + AsDouble(ticks) * ms_per_tick_);
  }
  Synchronize();
  return Whole(base_ms_);
}

uint64_t TickClock::NowNs() {
  const uint64_t ticks = Ticks() - base_ticks_;
  if (ticks < window_ticks_) [[likely]] {
    return base_ns_ + static_cast<uint64_t>(static_cast<int64_t>(AsDouble(ticks) * ns_per_tick_));
  }
  Synchronize();
  return base_ns_;
}

// Takes the time of the kernel's clock for the present one.
void TickClock::Synchronize() {
  static const bool usable = IsUsable();
  if (!usable) {
    base_ns_ = RealtimeNs();
    base_ms_ = static_cast<double>(base_ns_) / kNsPerMs;
    return;
  }
  for (int i = 0; i < kReadings; i++) {
    const uint64_t before = Ticks();
    const uint64_t now = RealtimeNs();
    // The counter may go on while the machine is suspended.
    const uint64_t since_boot = BootNs();
    base_ns_ = now;
    base_ms_ = static_cast<double>(now) / kNsPerMs;
    window_ticks_ = 0;
    if (Ticks() - before > kMaxReadingTicks) continue;
    base_ticks_ = before;
    Calibrate(before, since_boot);
    break;
  }
}

void TickClock::Calibrate(uint64_t ticks, uint64_t boot_ns) {
  const uint64_t elapsed = boot_ns - rate_ns_;
  if (rate_ns_ == 0 || ticks <= rate_ticks_) {
    rate_ticks_ = ticks;
    rate_ns_ = boot_ns;
    ms_per_tick_ = 0;
  } else if (elapsed >= kMinRateNs) {
    ns_per_tick_ = static_cast<double>(elapsed) / static_cast<double>(ticks - rate_ticks_);
    ms_per_tick_ = ns_per_tick_ / kNsPerMs;
    if (elapsed >= kMaxRateNs) {
      rate_ticks_ = ticks;
      rate_ns_ = boot_ns;
    }
  }
  if (ms_per_tick_ == 0) return;
  window_ticks_ = static_cast<uint64_t>(static_cast<double>(kWindowNs) / kNsPerMs / ms_per_tick_);
}

}  // namespace shardlog::platform
