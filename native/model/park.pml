/*
 * Park and Wake of docs/internals/memory-model.md: an idle log's flusher sleeps without a timer,
 * and no line waits for ever.
 *
 * One producer claims a segment and accepts an entry; the flusher ticks, parks or sleeps. Spin
 * finds an end in which the flusher sleeps beside an entry, if there is one. Each statement is one
 * step of the machine; an exchange is atomic.
 *
 * Rules that can be taken out: LOOK_BEFORE_PARK, WAKE_BEFORE_CLAIM, EPOCH_AFTER_STEP.
 */

bool claimed;  /* the active set's claim word */
bool entry;    /* an entry in the claimed segment */
bool parked;
bool timer = true;
bool written;
byte epoch;    /* of the event `work` */

inline wake() {
  atomic { was = parked; parked = false }
  if
  :: was -> epoch++
  :: else
  fi
}

active proctype Producer() {
  bool was;
#ifdef WAKE_BEFORE_CLAIM
  wake();
  claimed = true;
#else
  claimed = true;
  wake();
#endif
  entry = true
}

inline park() {
#ifdef LOOK_BEFORE_PARK
  if
  :: !claimed -> parked = true; timer = false
  :: else
  fi
#else
  parked = true;
  if
  :: !claimed -> timer = false
  :: else
  fi
#endif
}

active proctype Flusher() {
  byte seen;
  do
  :: written -> break
  :: else ->
#ifndef EPOCH_AFTER_STEP
     seen = epoch;
#endif
     if
     :: !timer && !parked -> timer = true
     :: else
     fi;
     /* A tick, if there is a timer: it may be over at any time. */
     if
     :: timer && entry -> written = true
     :: timer && !entry -> park()
     :: !timer
     fi;
#ifdef EPOCH_AFTER_STEP
     seen = epoch;
#endif
     if
     :: timer || written
     :: !timer && !written -> epoch != seen
     fi
  od
}
