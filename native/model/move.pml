/*
 * Steps Move and Cut of docs/internals/memory-model.md: the arena's file has lost its name, or
 * another program has cut it, and the flusher moves the arena into another one while producers
 * claim, lease, accept, yield, swap and back out. Steps and abstractions are those of swap.pml,
 * with one shard. Every word is there twice, in two files, and `mapped` says which of them
 * producers find at the addresses that they know: the remap is one step, and what a producer does
 * before it goes into the file that is given up. Lessees are in neither file.
 *
 * The copy is not one step: each slot's word is copied by itself, then each segment's entries. A
 * move may fail when the copy is made, and moves are tried at any time, also while a set waits;
 * with MOVES_WRITTEN, also when one is written and not recycled.
 *
 * CUT: once, at any time, everything in the mapped file becomes 0, all at once as by a
 * truncation, and the flusher makes it anew. What was accepted before may be lost then, but no
 * entry comes into the log twice, torn, or before an earlier one.
 *
 * Ghost state (accepted, last, holder) takes no part in the protocol. `holder` is who has leased
 * a segment: there must never be two, and nobody else may give the lease up.
 *
 * Sizes: PRODUCERS, SEGMENTS (of a set), CAP (entries a segment holds), LOGS and OTHERS_LOG
 * (calls of the first producer and of each other one), GENERATIONS (the model stops when `active`
 * would reach it), RECYCLED (generations before the first move), MOVES (that are tried). YIELD:
 * leases may be yielded after each call. KILL: in every state, what recovery finds in the file
 * that has the name. run.sh names the configurations, and the mutations, each of which takes one
 * rule out and must make spin object.
 */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef SEGMENTS
#define SEGMENTS 1
#endif
#ifndef CAP
#define CAP 1
#endif
#ifndef LOGS
#define LOGS 2
#endif
#ifndef OTHERS_LOG
#define OTHERS_LOG LOGS
#endif
#ifndef GENERATIONS
#define GENERATIONS 4
#endif
#ifndef RECYCLED
#define RECYCLED 0
#endif
#ifndef MOVES
#define MOVES 1
#endif

#define NONE 255
#define TORN 254
#define TRAILER 253
#define SLOTS (2 * SEGMENTS)
#define slot(g, i) (((g) & 1) * SEGMENTS + (i))
#define entry(p, n) ((p) * 32 + (n))

/* In file f. */
#define claimIn(f, g) claim[(f) * 2 + ((g) & 1)]
#define wordIn(f, s) word[(f) * SLOTS + (s)]
#define cellIn(f, s, n) cell[((f) * SLOTS + (s)) * CAP + (n)]
/* Where producers find it. */
#define CLAIM(g) claimIn(mapped, g)
#define WORD(s) wordIn(mapped, s)
#define CELL(s, n) cellIn(mapped, s, n)

typedef Claim { byte gen; byte claimed; bool sealed }
typedef Word { byte offset; bool sealed }

Claim claim[4];
Word word[2 * SLOTS];
byte cell[2 * SLOTS * CAP];
byte activeGen[2];
byte recycled, written; /* the flusher's: it alone changes them, and not while it moves */
byte recycledIn[2];     /* what producers see of `recycled` */
bit mapped;
byte named = NONE; /* the file that recovery would find, once one has been moved to */

byte running = PRODUCERS;
byte lessee[SLOTS];
byte holder[SLOTS];
bit zeroed[2]; /* the file was cut */
bit isOver;
byte accepted[PRODUCERS + 1];
byte last[PRODUCERS + 1]; /* of each producer's entries in the log */

/* ---- Producer ------------------------------------------------------------------------------ */

/* CAS lessee 0 -> me. */
inline take(s) {
  d_step {
    ok = (lessee[s] == 0);
    if
    :: ok ->
       assert(holder[s] == 0);
       holder[s] = me;
       lessee[s] = me
    :: else
    fi
  }
}

inline giveUp(s) {
  d_step {
    assert(holder[s] == me); /* I3 */
    holder[s] = 0;
    lessee[s] = 0;
    s = NONE
  }
}

proctype Producer(byte me) {
  byte calls, leased = NONE, leasedGen, first = NONE, g, claimed, off;
  bool ok, yielded;

  d_step {
    if
    :: me == 1 -> calls = LOGS
    :: else -> calls = OTHERS_LOG
    fi
  }

nextCall:
  ok = false;
  d_step { g = 0; claimed = 0; off = 0 }
#ifdef YIELD
  if
  :: leased != NONE && !yielded ->
     d_step {
       assert(holder[leased] == me);
       holder[leased] = 0;
       lessee[leased] = 0;
       yielded = true
     }
  :: true
  fi;
#endif
  if
  :: calls > 0 -> calls--
  :: calls == 0 -> goto ends
  fi;

#ifdef YIELD
  /* Takes the lease back that it gave up after the call before. */
  if
  :: yielded ->
     yielded = false;
     take(leased);
     if
     :: !ok -> leased = NONE; goto acquire
     :: else
     fi;
     ok = (WORD(leased).offset >= 1 && !WORD(leased).sealed);
     if
     :: ok -> ok = (CLAIM(leasedGen).gen == leasedGen && !CLAIM(leasedGen).sealed)
     :: else
     fi;
     if
     :: !ok -> giveUp(leased); goto acquire
     :: else
     fi
  :: else
  fi;
#endif

accept:
  if
  :: leased == NONE -> goto acquire
  :: else
  fi;
  d_step {
    off = WORD(leased).offset;
    ok = !WORD(leased).sealed && off >= 1 && off < 1 + CAP
  }
  if
  :: !ok -> off = 0; goto acquire
  :: else
  fi;
  d_step { assert(holder[leased] == me); CELL(leased, off - 1) = TORN } /* I2 */
  d_step { assert(holder[leased] == me); CELL(leased, off - 1) = entry(me, accepted[me] + 1) }
  d_step {
    ok = (!WORD(leased).sealed && WORD(leased).offset == off);
    if
    :: ok -> WORD(leased).offset = off + 1; accepted[me]++
    :: else
    fi;
    off = 0
  }
  if
  :: ok -> goto nextCall
  :: else
  fi;

acquire:
  if
  :: leased != NONE -> giveUp(leased)
  :: else
  fi;
startOver:
  ok = false;
  d_step { claimed = 0; leasedGen = 0 }
  g = activeGen[mapped];

tryClaim:
  ok = false;
  d_step {
    ok = (CLAIM(g).gen == g && !CLAIM(g).sealed);
    claimed = (ok -> CLAIM(g).claimed : 0)
  }
  if
  :: !ok -> goto startOver
  :: ok && claimed >= SEGMENTS -> goto swap
  :: ok && claimed < SEGMENTS
  fi;
  ok = (lessee[slot(g, claimed)] == 0);
  /* One that somebody still leases from an earlier generation is passed over. */
  d_step {
    if
    :: CLAIM(g).gen == g && !CLAIM(g).sealed && CLAIM(g).claimed == claimed ->
       CLAIM(g).claimed = claimed + 1;
       first = (ok -> slot(g, claimed) : NONE)
    :: else -> first = NONE
    fi;
    ok = false; claimed = 0
  }
  if
  :: first == NONE -> goto tryClaim
  :: else
  fi;
  take(first);
  if
  :: !ok -> first = NONE; goto startOver
  :: else
  fi;
  d_step {
    ok = (!WORD(first).sealed && WORD(first).offset == 0);
    if
    :: ok -> WORD(first).offset = 1
    :: else
    fi
  }
  if
  :: !ok -> giveUp(first); goto startOver
  :: else
  fi;
  ok = (CLAIM(g).gen == g && !CLAIM(g).sealed); /* I4 */
  if
  :: !ok -> WORD(first).offset = 0; giveUp(first); goto startOver
  :: else
  fi;
  d_step { leased = first; leasedGen = g; first = NONE; g = 0; ok = false }
  goto accept;

swap:
  claimed = 0;
  ok = (recycledIn[mapped] == g);
  if
  :: ok && g + 1 >= GENERATIONS -> goto ends /* the bound of the model */
  :: ok && g + 1 < GENERATIONS ->
     d_step {
       if
       :: activeGen[mapped] == g -> activeGen[mapped] = g + 1
       :: else
       fi;
       assert(zeroed[mapped] || activeGen[mapped] <= recycledIn[mapped] + 1) /* I1 */
     }
     goto startOver
  :: else
  fi;
  if
  :: activeGen[mapped] != g -> goto startOver
  :: activeGen[mapped] == g -> goto nextCall /* dropped, counted */
  fi;

ends:
  if
  :: leased != NONE && !yielded -> giveUp(leased)
  :: else
  fi;
  d_step { running--; calls = 0; leased = NONE; leasedGen = 0; g = 0; ok = false; yielded = false }
}

/* ---- Flusher ------------------------------------------------------------------------------- */

inline sealGeneration() {
  CLAIM(g).sealed = true;
  i = 0;
  do
  :: i < CLAIM(g).claimed -> d_step { WORD(slot(g, i)).sealed = true; i++ }
  :: else -> break
  od;
  i = 0
}

/* In one step, since what a kill leaves of a write is swap.pml's. */
inline writeBlocks() {
  i = 0;
  do
  :: i < CLAIM(g).claimed ->
     d_step {
       ok = (lessee[slot(g, i)] == 0 && WORD(slot(g, i)).offset >= 1 && WORD(slot(g, i)).offset <= CAP);
       if
       :: ok -> CELL(slot(g, i), WORD(slot(g, i)).offset - 1) = TRAILER
       :: else
       fi
     }
     /* Nobody scribbles over what is built in the segment. */
     assert(!ok || zeroed[mapped] || CELL(slot(g, i), WORD(slot(g, i)).offset - 1) == TRAILER);
     d_step { ok = false; i++ }
  :: else -> break
  od;
  i = 0;
  d_step {
    ok = !zeroed[mapped]; /* it looks once more, before the bytes go out */
    do
    :: ok && i < CLAIM(g).claimed ->
       n = 0;
       do
       :: n + 1 < WORD(slot(g, i)).offset ->
          assert(CELL(slot(g, i), n) != 0 && CELL(slot(g, i), n) < TRAILER); /* I5 */
          who = CELL(slot(g, i), n) / 32;
#ifdef CUT
          assert(CELL(slot(g, i), n) % 32 > last[who]); /* I7, but for what is lost; I8 */
          last[who] = CELL(slot(g, i), n) % 32;
#else
          assert(CELL(slot(g, i), n) % 32 == last[who] + 1); /* I7, I8 */
          last[who]++;
#endif
          n++
       :: else -> break
       od;
       i++
    :: else -> break
    od;
    if
    :: ok -> written = g + 1
    :: else
    fi;
    i = 0; n = 0; who = 0
  }
}

inline recycleSet() {
  i = 0;
  do
  :: i < CLAIM(g).claimed ->
     d_step {
       WORD(slot(g, i)).sealed = false;
       WORD(slot(g, i)).offset = 0;
       /* What a free segment holds does not matter: fewer states. */
       n = 0;
       do
       :: lessee[slot(g, i)] == 0 && n < CAP -> CELL(slot(g, i), n) = 0; n++
       :: else -> break
       od;
       n = 0;
       i++
     }
  :: else -> break
  od;
  i = 0;
  d_step { CLAIM(g).gen = g + 2; CLAIM(g).claimed = 0; CLAIM(g).sealed = false }
  d_step { recycled = g + 1; recycledIn[mapped] = g + 1 }
}

/* Who finds the active set sealed starts over until it is not. */
inline assertOpen() {
  assert(zeroed[mapped] || activeGen[mapped] > recycled || !CLAIM(recycled).sealed)
}

/* Nothing is claimed from here on; then nothing is accepted. */
inline sealBoth() {
  i = 0;
  do
  :: i < 2 ->
     d_step {
       was[i] = CLAIM(recycled + i).sealed;
       claimedBy[i] = CLAIM(recycled + i).claimed;
       CLAIM(recycled + i).sealed = true;
       i++
     }
  :: else -> break
  od;
  g = activeGen[mapped];
#ifdef ACTIVE_READ_FIRST
  g = first;
#endif
  i = 0;
  do
  :: i < 2 * SEGMENTS ->
     d_step {
       if
       :: recycled + i / SEGMENTS <= g && recycled + i / SEGMENTS >= written &&
          i % SEGMENTS < claimedBy[i / SEGMENTS] ->
          WORD(slot(recycled + i / SEGMENTS, i % SEGMENTS)).sealed = true
       :: else
       fi;
       i++
     }
  :: else -> break
  od;
  i = 0
}

/* Into the file that is not mapped: the words one by one, then the entries below the offsets. */
inline copyWords() {
  d_step {
#ifdef NO_SWAP
    activeGen[1 - mapped] = g;
#else
    activeGen[1 - mapped] = recycled + 1; /* as somebody may swap in the old file meanwhile */
#endif
    recycledIn[1 - mapped] = recycled;
    i = 0;
    do
    :: i < 2 ->
       claimIn(1 - mapped, recycled + i).gen = CLAIM(recycled + i).gen;
       claimIn(1 - mapped, recycled + i).claimed = claimedBy[i];
#ifdef NO_UNSEAL
       claimIn(1 - mapped, recycled + i).sealed = true;
#else
       claimIn(1 - mapped, recycled + i).sealed = (was[i] || (i == 0 && g == recycled));
#endif
       i++
    :: else -> break
    od;
    i = 0
  }
  do
  :: i < 2 * SEGMENTS ->
     d_step {
       n = slot(recycled + i / SEGMENTS, i % SEGMENTS);
       if
       :: recycled + i / SEGMENTS <= g && i % SEGMENTS < claimedBy[i / SEGMENTS] ->
          wordIn(1 - mapped, n).offset = WORD(n).offset;
#ifdef SLOTS_UNSEALED
          wordIn(1 - mapped, n).sealed = (recycled + i / SEGMENTS < g)
#else
          wordIn(1 - mapped, n).sealed = WORD(n).sealed
#endif
       :: else ->
          wordIn(1 - mapped, n).offset = 0;
          wordIn(1 - mapped, n).sealed = false
       fi;
       n = 0;
       i++
     }
  :: else -> break
  od;
  i = 0
}

inline copyEntries() {
  d_step {
    i = 0;
    do
    :: i < SLOTS ->
       n = 0;
       do
       :: n + 1 < WORD(i).offset && n < CAP ->
          cellIn(1 - mapped, i, n) = CELL(i, n);
          n++
       :: else -> break
       od;
       i++
    :: else -> break
    od;
    i = 0; n = 0
  }
}

/* Nobody uses it any more: fewer states. */
inline forgetFile(f) {
  d_step {
    activeGen[f] = 0; recycledIn[f] = 0; zeroed[f] = 0;
    i = 0;
    do
    :: i < 2 ->
       claimIn(f, i).gen = 0; claimIn(f, i).claimed = 0; claimIn(f, i).sealed = false;
       was[i] = false; claimedBy[i] = 0;
       i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < SLOTS ->
       wordIn(f, i).offset = 0; wordIn(f, i).sealed = false;
       n = 0;
       do
       :: n < CAP -> cellIn(f, i, n) = 0; n++
       :: else -> break
       od;
       i++
    :: else -> break
    od;
    i = 0; n = 0
  }
}

/* The move has failed before the mapping: producers go on in the old file. */
inline unsealBoth() {
  i = 0;
  do
  :: i < 2 ->
     d_step {
       if
       :: !was[i] -> CLAIM(recycled + i).sealed = false
       :: else
       fi;
       i++
     }
  :: else -> break
  od;
  i = 0
}

/* In place of what was cut: words in which nothing has happened, of a generation not seen yet. */
inline makeAnew() {
  d_step {
#ifdef GENERATION_SEEN
    g = written;
#else
    g = written + 4;
#endif
    activeGen[1 - mapped] = g;
    recycledIn[1 - mapped] = g;
    claimIn(1 - mapped, g).gen = g;
    claimIn(1 - mapped, g + 1).gen = g + 1
  }
  named = 1 - mapped;
  d_step { mapped = 1 - mapped; written = g; recycled = g }
}

inline move() {
  named = NONE;
#ifdef ACTIVE_READ_FIRST
  first = activeGen[mapped];
#endif
#ifdef COPY_BEFORE_SEAL
  d_step {
    g = activeGen[mapped];
    claimedBy[0] = CLAIM(recycled).claimed; claimedBy[1] = CLAIM(recycled + 1).claimed
  }
  copyWords();
  copyEntries();
  sealBoth();
#else
  sealBoth();
  copyWords();
  copyEntries();
#endif
  if
  :: zeroed[mapped] -> forgetFile(1 - mapped); makeAnew()
  :: !zeroed[mapped] -> /* it cannot be mapped */
     named = 1 - mapped;
#ifndef NAME_STAYS
     named = NONE;
#endif
     unsealBoth()
  :: !zeroed[mapped] ->
     named = 1 - mapped;
     mapped = 1 - mapped;
     /* Who has leased a segment in the zeroes may write over what was copied. */
     if
#ifndef NO_DOUBT
     :: zeroed[1 - mapped] -> forgetFile(1 - mapped); makeAnew()
     :: !zeroed[1 - mapped]
#else
     :: true
#endif
     fi
  fi;
  forgetFile(1 - mapped);
  g = 0
}

proctype Flusher() {
  byte g, i, n, who, moves, first;
  byte claimedBy[2];
  bool was[2];
  bool ok;

  do
  :: zeroed[mapped] -> makeAnew(); forgetFile(1 - mapped); g = 0
  :: !zeroed[mapped] && recycled < activeGen[mapped] ->
     g = recycled;
     sealGeneration();
     writeBlocks();
#ifdef MOVES_WRITTEN
     if
     :: ok && moves < MOVES && written >= RECYCLED && written + 1 < GENERATIONS ->
        moves++;
        move();
        g = recycled
     :: true
     fi;
#endif
     if
     :: ok && !zeroed[mapped] && written > recycled -> recycleSet(); assertOpen()
     :: else
     fi;
     ok = false;
     g = 0
  :: moves < MOVES && recycled >= RECYCLED && recycled + 2 < GENERATIONS ->
     moves++;
     move()
  :: d_step { recycled == activeGen[mapped] && running == 0 && !zeroed[mapped] -> moves = MOVES } break
  od;

  /* What is left. Closing at any time is swap.pml's. */
  do
  :: zeroed[mapped] -> makeAnew(); forgetFile(1 - mapped); g = 0
  :: !zeroed[mapped] && written <= activeGen[mapped] ->
     g = written;
     sealGeneration();
     writeBlocks()
  :: d_step { !zeroed[mapped] && written > activeGen[mapped] -> isOver = true } break
  od;
  i = 0;
  d_step {
    i = 1;
    do
    :: i <= PRODUCERS ->
#ifdef CUT
       assert(last[i] <= accepted[i]);
#else
       assert(last[i] == accepted[i]); /* I7 */
#endif
       i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < SLOTS -> assert(holder[i] == 0 && lessee[i] == 0); i++ /* nobody's lease is left */
    :: else -> break
    od;
    i = 0; g = 0
  }
}

/* ---- Cut ----------------------------------------------------------------------------------- */

#ifdef CUT
proctype Cutter() {
  byte i, n;

  d_step {
    if
    :: !isOver ->
       zeroed[mapped] = 1;
       activeGen[mapped] = 0; recycledIn[mapped] = 0;
       i = 0;
       do
       :: i < 2 -> CLAIM(i).gen = 0; CLAIM(i).claimed = 0; CLAIM(i).sealed = false; i++
       :: else -> break
       od;
       i = 0;
       do
       :: i < SLOTS ->
          WORD(i).offset = 0; WORD(i).sealed = false;
#ifdef LESSEES_IN_FILE
          lessee[i] = 0;
#endif
          n = 0;
          do
          :: n < CAP -> CELL(i, n) = 0; n++
          :: else -> break
          od;
          i++
       :: else -> break
       od;
       i = 0; n = 0
    :: else
    fi
  }
}
#endif

/* ---- Kill ---------------------------------------------------------------------------------- */

/* Once a new file has the name: what is in the log and in that file is what was accepted (I9). */
#ifdef KILL
proctype Killer() {
  byte g, i, n, who;
  byte found[PRODUCERS + 1];

end:
  do
  :: d_step {
       named != NONE ->
       i = 1;
       do
       :: i <= PRODUCERS -> found[i] = last[i]; i++
       :: else -> break
       od;
       g = written;
       do
       :: g <= activeGen[named] ->
          i = 0;
          do
          :: claimIn(named, g).gen == g && i < claimIn(named, g).claimed ->
             n = 0;
             do
             :: n + 1 < wordIn(named, slot(g, i)).offset ->
                who = cellIn(named, slot(g, i), n) / 32;
                assert(cellIn(named, slot(g, i), n) == entry(who, found[who] + 1));
                found[who]++;
                n++
             :: else -> break
             od;
             i++
          :: else -> break
          od;
          g++
       :: else -> break
       od;
       i = 1;
       do
       :: i <= PRODUCERS -> assert(found[i] == accepted[i]); found[i] = 0; i++
       :: else -> break
       od;
       g = 0; i = 0; n = 0; who = 0
     }
  od
}
#endif

init {
  byte i;
  atomic {
    claim[1].gen = 1;
    i = 1;
    do
    :: i <= PRODUCERS -> run Producer(i); i++
    :: else -> break
    od;
    run Flusher();
#ifdef CUT
    run Cutter();
#endif
#ifdef KILL
    run Killer()
#endif
  }
}
