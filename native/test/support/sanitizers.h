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

#if __has_feature(undefined_behavior_sanitizer)
inline constexpr bool kUndefinedBehaviorSanitizer = true;
#else
inline constexpr bool kUndefinedBehaviorSanitizer = false;
#endif

}  // namespace shardlog::test
