// What the compiler has built in, for tests that a sanitizer gets in the way of.
#pragma once

#ifndef __has_feature
#define __has_feature(feature) 0  // GCC tells by macros of its own
#endif

namespace shardlog::test {

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif

// Why tests are left out in which the kernel answers an atomic access by SIGBUS: ThreadSanitizer
// makes it while it holds a lock, which what the handler accesses needs, too.
inline constexpr const char* kNoFaultsInAtomics =
    "not under ThreadSanitizer: its own lock is held while an atomic access fails";

#if __has_feature(undefined_behavior_sanitizer)
inline constexpr bool kUndefinedBehaviorSanitizer = true;
#else
inline constexpr bool kUndefinedBehaviorSanitizer = false;
#endif

}  // namespace shardlog::test
