#!/usr/bin/env bash
# Builds the libFuzzer targets with clang and runs each for a while from its seeds.
#
# usage: run.sh [seconds for each target, default 30]
set -eu

native=$(cd "$(dirname "$0")/.." && pwd)
build=$native/../build-native/fuzz
seconds=${1:-30}

compiler=$(node "$native/../scripts/tools.js" clang++)

cmake -S "$native" -B "$build" -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DSHARDLOG_SANITIZE=address,undefined -DSHARDLOG_FUZZ=ON -DSHARDLOG_TESTS=OFF >/dev/null
cmake --build "$build" -j2 >/dev/null

passed=0
failed=0
for source in "$native"/fuzz/*_fuzz.cc; do
  name=$(basename "$source" .cc)
  corpus=$build/corpus/$name
  mkdir -p "$corpus" "$build/artifacts"
  rm -f "$build/artifacts/$name"-*
  log=$build/$name.log
  if nice "$build/fuzz/$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="$build/artifacts/$name-" "$corpus" "$native/fuzz/seeds/$name" >"$log" 2>&1; then
    printf 'ok     %-20s %10s runs\n' "$name" "$(awk '/number_of_executed_units/ { print $2 }' "$log")"
    passed=$((passed + 1))
  else
    printf 'FAILED %-20s %s\n' "$name" "$(grep -m1 -E 'ERROR|SUMMARY' "$log" || tail -1 "$log")"
    # Whoever reads this may have no other trace of it.
    tail -n 60 "$log"
    for input in "$build/artifacts/$name"-*; do
      [ -f "$input" ] && echo "$(basename "$input"): $(head -c 16384 "$input" | gzip -9 | base64 -w0)"
    done
    failed=$((failed + 1))
  fi
done
rm -rf /dev/shm/shardlog-fuzz-*
echo "fuzz: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
