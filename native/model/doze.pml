/*
 * Doze and Rouse of docs/internals/memory-model.md: an idle log's flusher sleeps without a timer, and no line waits for ever.
 *
 * One producer claims a segment and accepts an entry; the flusher ticks, dozes or sleeps. Spin finds an end in which the flusher sleeps
 * beside an entry, if there is one. Each statement is one step of the machine; an exchange is atomic.
 *
 * Rules that can be taken out: LOOK_BEFORE_DOZE, ROUSE_BEFORE_CLAIM, EPOCH_AFTER_STEP.
 */

bool claimed;  /* the active set's claim word */
bool entry;    /* an entry in the claimed segment */
bool dozing;
bool timer = true;
bool written;
byte epoch;    /* of the event `work` */

inline rouse() {
  atomic { was = dozing; dozing = false }
  if
  :: was -> epoch++
  :: else
  fi
}

active proctype Producer() {
  bool was;
#ifdef ROUSE_BEFORE_CLAIM
  rouse();
  claimed = true;
#else
  claimed = true;
  rouse();
#endif
  entry = true
}

inline doze() {
#ifdef LOOK_BEFORE_DOZE
  if
  :: !claimed -> dozing = true; timer = false
  :: else
  fi
#else
  dozing = true;
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
     :: !timer && !dozing -> timer = true
     :: else
     fi;
     /* A tick, if there is a timer: it may be over at any time. */
     if
     :: timer && entry -> written = true
     :: timer && !entry -> doze()
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
