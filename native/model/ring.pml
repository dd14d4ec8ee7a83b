/*
 * The ring of a recorder: docs/internals/recorder-ring.md. Producers take runs of segments in turn,
 * write an entry into each segment, and give them up; a reader copies a run meanwhile. No copy that
 * the reader keeps is torn, no two producers write to one segment, nobody overwrites what is newer
 * than its own ticket, and the counts tell every entry once.
 *
 * Each statement is one step of the machine; what is atomic is one word. An entry is two stores, so
 * that a torn one shows.
 *
 * Sizes: SEGMENTS, RUN (the longest run), RUNS and OTHERS_RUNS (claims of the producers), LOOKS (of
 * the reader, which NO_READER leaves out). Rules that can be taken out: NO_REREAD, NO_LOOK_INSIDE,
 * TICKET_UNCHECKED, TAKE_LEASED, OPEN_FIRST, COUNT_IN_TWO_STEPS.
 */

#ifndef SEGMENTS
#define SEGMENTS 2
#endif
#ifndef RUN
#define RUN 2
#endif
#ifndef RUNS
#define RUNS 2
#endif
#ifndef OTHERS_RUNS
#define OTHERS_RUNS 1
#endif
#ifndef LOOKS
#define LOOKS 1
#endif
#define PRODUCERS 2

typedef Slot {
  byte sequence; bool closed; byte lessee;  /* the owner word */
  byte offset; byte span;
  byte events; byte overwritten;            /* the word of counts */
  byte begun; byte ended                    /* the segment's entry: its first and its last byte */
};

Slot slot[SEGMENTS];
byte head;
byte recorded;
byte over;

proctype Producer(byte me; byte runs) {
  byte ticket, first, room, idle, taken, n, at, tries;
  byte sequence, lessee; bool closed;

  do
  :: n == runs || tries == runs + 1 -> break
  :: else ->
     tries++;
     ticket = head;
     first = ticket % SEGMENTS;
     room = (RUN < SEGMENTS - first -> RUN : SEGMENTS - first);
     idle = 0;
     do
     :: idle < room ->
#ifdef TAKE_LEASED
        idle++
#else
        if
        :: slot[first + idle].lessee == 0 -> idle++
        :: else -> break
        fi
#endif
     :: else -> break
     od;
     atomic {
       if
       :: head != ticket -> idle = 0
       :: else -> head = ticket + (idle > 0 -> idle : 1)
       fi
     }
     taken = 0;
     do
     :: taken == idle -> break
     :: else ->
        at = first + taken;
        atomic { sequence = slot[at].sequence; closed = slot[at].closed; lessee = slot[at].lessee }
        if
#ifndef TAKE_LEASED
        :: lessee != 0 -> break
#endif
#ifndef TICKET_UNCHECKED
        :: sequence >= ticket + taken + 1 -> break
#endif
        :: else
        fi;
        atomic {
          if
          :: slot[at].sequence == sequence && slot[at].closed == closed && slot[at].lessee == lessee ->
             assert(slot[at].sequence < ticket + taken + 1);
             slot[at].sequence = ticket + taken + 1;
             slot[at].closed = true;
             slot[at].lessee = me
          :: else -> sequence = 255
          fi
        }
        if
        :: sequence == 255 -> break
        :: else
        fi;
#ifdef COUNT_IN_TWO_STEPS
        slot[at].overwritten = slot[at].overwritten + slot[at].events;
        slot[at].events = 0;
#else
        atomic { slot[at].overwritten = slot[at].overwritten + slot[at].events; slot[at].events = 0 }
#endif
        taken++
     od;
     if
     :: taken > 0 ->
#ifdef OPEN_FIRST
        slot[first].closed = false;
        slot[first].offset = 0;
        slot[first].span = taken;
#else
        slot[first].offset = 0;
        slot[first].span = taken;
        slot[first].closed = false;
#endif
        at = 0;
        do
        :: at == taken -> break
        :: else ->
           slot[first + at].begun = ticket + at + 1;
           atomic {
             slot[first + at].ended = ticket + at + 1;
             assert(slot[first + at].begun == ticket + at + 1 && slot[first + at].lessee == me)
           };
           atomic { slot[first].offset = at + 1; recorded++ }
           slot[first].events++;
           at++
        od;
        at = 0;
        do
        :: at == taken -> break
        :: else -> slot[first + at].lessee = 0; at++
        od;
        n++
     :: else
     fi;
     /* What is not read again is not told apart. */
     atomic { ticket = 0; first = 0; room = 0; idle = 0; taken = 0; at = 0; sequence = 0; closed = false; lessee = 0 }
  od;
  over++
}

proctype Reader() {
  byte looks, head0, first, sequence, span, offset, at;
  bool closed, whole;
  byte begun[RUN], ended[RUN];

  do
  :: looks == LOOKS -> break
  :: else ->
     looks++;
     head0 = head;
     first = 0;
     do
     :: first < SEGMENTS - 1 -> first++
     :: break
     od;
     atomic { sequence = slot[first].sequence; closed = slot[first].closed }
     if
     :: sequence == 0 || closed || sequence > head0 -> skip
     :: else ->
        span = slot[first].span;
        offset = slot[first].offset;
        if
        :: span == 0 || span > SEGMENTS - first || offset > span -> skip
        :: else ->
           at = 0;
           do
           :: at == offset -> break
           :: else -> begun[at] = slot[first + at].begun; ended[at] = slot[first + at].ended; at++
           od;
           whole = true;
#ifndef NO_REREAD
           at = 0;
           do
#ifdef NO_LOOK_INSIDE
           :: at == 1 -> break
#else
           :: at == span -> break
#endif
           :: else ->
              whole = whole && slot[first + at].sequence == sequence + at && slot[first + at].closed == (at > 0);
              at++
           od;
#endif
           at = 0;
           do
           :: at == offset || !whole -> break
           :: else -> assert(begun[at] == sequence + at && ended[at] == sequence + at); at++
           od
        fi
     fi
  od
}

byte i;
byte sum;

/* Whoever looks after a kill: at any moment no entry is in neither number, but one of each
 * producer that is not counted yet. */
proctype Counts() {
  atomic {
#ifndef KILL
    over == PRODUCERS;
#endif
    do
    :: i == SEGMENTS -> break
    :: else -> sum = sum + slot[i].events + slot[i].overwritten; i++
    od;
#ifdef KILL
    assert(sum <= recorded && sum + PRODUCERS >= recorded)
#else
    assert(sum == recorded)
#endif
  }
}

init {
  atomic {
    do
    :: i == SEGMENTS -> break
    :: else -> slot[i].closed = true; i++
    od;
    i = 0;
    run Producer(1, RUNS);
    run Producer(2, OTHERS_RUNS);
#ifndef NO_READER
    run Reader();
#endif
    run Counts()
  }
}
