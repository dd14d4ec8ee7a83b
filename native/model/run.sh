#!/usr/bin/env bash
# Checks swap.pml, move.pml, park.pml and ring.pml: the protocol in several sizes, every state of
# each, and then with one rule taken out at a time, where spin has to object. Needs spin and gcc;
# takes about three minutes and 3 GB on two cores.
#
# usage: run.sh [name ...]     only the checks of these names
set -u

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/shardlog-model-XXXXXX")
trap 'rm -rf "$work"' EXIT

# name (what begins with `move`, `park` or `ring` is of that file), what spin has to say, options.
# `sound`: no error in any state. `broken`: an error.
checks=(
  'set-reused-twice sound -DKILL -DSHARDS=1 -DSEGMENTS=1 -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=4'
  'two-segments sound -DKILL -DSHARDS=1 -DSEGMENTS=2 -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=3'
  'two-shards sound -DKILL -DSHARDS=2 -DSEGMENTS=1 -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=3'
  'two-shards-two-segments sound -DKILL -DSHARDS=2 -DSEGMENTS=2 -DLOGS=1 -DGENERATIONS=3'
  'two-entries-a-segment sound -DKILL -DCAP=2 -DSHARDS=1 -DSEGMENTS=1 -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=3'
  'run-of-segments sound -DKILL -DRUN=2 -DSHARDS=1 -DSEGMENTS=2 -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=3'
  'run-cut-short-by-a-lease sound -DKILL -DRUN=2 -DSHARDS=1 -DSEGMENTS=3 -DLOGS=1 -DGENERATIONS=3'
  'swap-before-a-run sound -DKILL -DSWAP_FIRST -DRUN=2 -DSHARDS=1 -DSEGMENTS=2 -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=3'
  'swap-before-two-shards sound -DKILL -DSWAP_FIRST -DSHARDS=2 -DSEGMENTS=1 -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=3'
  'run-beside-large-entry sound -DKILL -DRUN=2 -DLARGE_BY=1 -DSHARDS=1 -DSEGMENTS=2 -DLOGS=1 -DGENERATIONS=3'
  'large-entry sound -DKILL -DLARGE_BY=1 -DSHARDS=1 -DSEGMENTS=2 -DLOGS=1 -DGENERATIONS=4'
  'close-at-any-time sound -DKILL -DCLOSE_AT_ANY_TIME -DSHARDS=1 -DSEGMENTS=1 -DLOGS=1 -DGENERATIONS=3'
  'three-producers sound -DPRODUCERS=3 -DSHARDS=1 -DSEGMENTS=1 -DLOGS=1 -DGENERATIONS=2'
  'no-second-read broken -DNO_SECOND_READ -DSHARDS=1 -DSEGMENTS=1 -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=4'
  'recycle-clears-lessee broken -DRECYCLE_CLEARS_LESSEE -DSHARDS=1 -DSEGMENTS=1 -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=4'
  'lease-takes-leased broken -DLEASE_TAKES_LEASED -DSHARDS=1 -DSEGMENTS=1 -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=4'
  'number-before-read broken -DNUMBER_BEFORE_READ -DSHARDS=2 -DSEGMENTS=1 -DLOGS=2 -DGENERATIONS=2'
  'accept-at-offset-zero broken -DOFFSET_ZERO -DSHARDS=1 -DSEGMENTS=1 -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=4'
  'lease-of-first-word-only broken -DFIRST_WORD_ONLY -DLARGE_BY=1 -DSHARDS=1 -DSEGMENTS=2 -DLOGS=1 -DGENERATIONS=4'
  'run-of-first-word-only broken -DFIRST_WORD_ONLY -DRUN=2 -DSHARDS=1 -DSEGMENTS=2 -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=4'
  'no-written-word broken -DKILL -DNO_WRITTEN_WORD -DSHARDS=1 -DSEGMENTS=1 -DLOGS=1 -DGENERATIONS=3'
  'journal-after-write broken -DKILL -DJOURNAL_AFTER_WRITE -DSHARDS=1 -DSEGMENTS=1 -DLOGS=1 -DGENERATIONS=3'
  'no-second-look-at-active broken -DNO_SECOND_LOOK_AT_ACTIVE -DSHARDS=1 -DSEGMENTS=1 -DLOGS=1 -DGENERATIONS=4'
  'swap-into-busy-set broken -DSWAP_INTO_BUSY_SET -DSHARDS=1 -DSEGMENTS=1 -DLOGS=1 -DGENERATIONS=4'
  'segments-sealed-first broken -DSEGMENTS_SEALED_FIRST -DSHARDS=1 -DSEGMENTS=2 -DLOGS=1 -DGENERATIONS=3'
  'close-seals-one-set broken -DCLOSE_SEALS_ONE -DCLOSE_AT_ANY_TIME -DSHARDS=1 -DSEGMENTS=1 -DLOGS=1 -DGENERATIONS=3'
  'padding-in-leased-segment broken -DPADDING_IN_PLACE -DCAP=2 -DSHARDS=1 -DSEGMENTS=1 -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=3'
  'move sound -DKILL -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=3'
  'move-late-claimer sound -DKILL -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=4 -DRECYCLED=1'
  'move-written sound -DKILL -DMOVES_WRITTEN -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=3'
  'move-two-segments sound -DKILL -DSEGMENTS=2 -DLOGS=1 -DGENERATIONS=3'
  'move-yield sound -DKILL -DYIELD -DLOGS=1 -DGENERATIONS=3'
  'move-again-and-again sound -DKILL -DYIELD -DPRODUCERS=1 -DMOVES=3 -DLOGS=3 -DGENERATIONS=6'
  'move-cut-while-it-moves sound -DCUT -DPRODUCERS=1 -DYIELD -DLOGS=3 -DGENERATIONS=7'
  'move-no-swap broken -DKILL -DNO_SWAP -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=3'
  'move-active-read-first broken -DACTIVE_READ_FIRST -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=3'
  'move-slots-unsealed broken -DSLOTS_UNSEALED -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=3'
  'move-no-unseal broken -DNO_UNSEAL -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=3'
  'move-copy-before-seal broken -DCOPY_BEFORE_SEAL -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=3'
  'move-name-stays broken -DKILL -DNAME_STAYS -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=3'
  'move-cut-no-doubt broken -DCUT -DNO_DOUBT -DPRODUCERS=1 -DYIELD -DLOGS=3 -DGENERATIONS=7'
  'move-cut-lessees-in-file broken -DCUT -DLESSEES_IN_FILE -DMOVES=0 -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=7'
  'move-cut-generation-seen broken -DCUT -DGENERATION_SEEN -DMOVES=0 -DLOGS=2 -DOTHERS_LOG=1 -DGENERATIONS=7'
  'park sound'
  'park-look-first broken -DLOOK_BEFORE_PARK'
  'park-wake-first broken -DWAKE_BEFORE_CLAIM'
  'park-epoch-late broken -DEPOCH_AFTER_STEP'
  'ring sound -DRUNS=2'
  'ring-both-twice sound -DRUNS=2 -DOTHERS_RUNS=2 -DNO_READER'
  'ring-killed sound -DKILL -DRUNS=2 -DNO_READER'
  'ring-three-segments sound -DSEGMENTS=3'
  'ring-no-reread broken -DNO_REREAD'
  'ring-no-look-inside broken -DNO_LOOK_INSIDE -DRUNS=2'
  'ring-ticket-unchecked broken -DTICKET_UNCHECKED -DRUN=1 -DRUNS=3 -DNO_READER'
  'ring-take-leased broken -DTAKE_LEASED'
  'ring-open-first broken -DOPEN_FIRST'
  'ring-counts-in-two-steps broken -DKILL -DCOUNT_IN_TWO_STEPS -DRUNS=2 -DNO_READER'
)

# Prints one line: ok or FAILED, the name, states, seconds; the verifier's message too if it is not
# what was wanted.
check() {
  local name=$1 expected=$2 model=swap out states seconds found=broken
  shift 2
  [[ $name != move* ]] || model=move
  [[ $name != park* ]] || model=park
  [[ $name != ring* ]] || model=ring
  mkdir "$work/$name" && cd "$work/$name" || exit 1
  if ! { spin -a "$@" "$here/$model.pml" && gcc -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=1900 -o pan pan.c; } >build.log 2>&1; then
    printf 'FAILED %-26s does not build: %s\n' "$name" "$(tail -1 build.log)"
    return
  fi
  out=$(timeout 400 ./pan -m100000 2>&1)
  # An error is one that the assertions found: a search cut short by a limit is neither sound nor
  # broken.
  if grep -q 'errors: 0' <<<"$out" && ! grep -qE 'not completed|max search depth|out of memory|MEMLIM' <<<"$out"; then
    found=sound
  elif ! grep -qE 'assertion violated|invalid end state \(' <<<"$out"; then
    found=unfinished
  fi
  states=$(awk '/states, stored/ { print $1 }' <<<"$out")
  seconds=$(awk '/elapsed time/ { print $4 }' <<<"$out")
  if [ "$found" = "$expected" ]; then
    printf 'ok     %-26s %-7s %12s states %6s s\n' "$name" "$found" "$states" "$seconds"
  else
    printf 'FAILED %-26s %s, expected %s: %s\n' "$name" "$found" "$expected" "$(grep -m1 -E 'pan:|error' <<<"$out")"
  fi
  rm -rf "${work:?}/$name"
}

results=$work/results
: >"$results"
for line in "${checks[@]}"; do
  read -r name expected options <<<"$line"
  if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
  while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
  # shellcheck disable=SC2086 # options are words
  check "$name" "$expected" $options | tee -a "$results" &
done
wait

passed=$(grep -c '^ok' "$results")
failed=$(grep -c '^FAILED' "$results")
echo "model: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
