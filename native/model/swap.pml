/*
 * The protocol of docs/internals/memory-model.md: leases, claims, accepting, swapping, flushing,
 * recycling, closing, and what recovery would do if the process were killed. Every statement that
 * touches shared state is one atomic instruction of the engine; a producer may be suspended between
 * any two of them for ever, which is what interleaving means here.
 *
 * Abstractions. A segment holds CAP entries; `offset` 0 is "free", 1 stands for the 8 of the format
 * (leased, empty) and 1 + n for n accepted entries. An entry is one cell; a large one has a second
 * cell in the next segment, and entries of a run of segments lie in the cells of all of them, one
 * after the other. A cell holds 0, TORN (being copied) or who and which entry. The file is what
 * readers would see of it: for each producer the number of the last entry, every one having been
 * checked to be the successor of the one before.
 *
 * Ghost state (accepted, last, fileAtBase, mayDrop) takes no part in the protocol.
 *
 * run.sh names the configurations, and the mutations, each of which takes one rule out and must
 * make spin object.
 */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef SHARDS
#define SHARDS 2
#endif
#ifndef SEGMENTS /* per shard */
#define SEGMENTS 2
#endif
#ifndef CAP /* entries a segment holds */
#define CAP 1
#endif
#ifndef LOGS /* calls of the first producer */
#define LOGS 2
#endif
#ifndef OTHERS_LOG /* calls of each other producer */
#define OTHERS_LOG LOGS
#endif
#ifndef GENERATIONS /* the model stops when `active` would reach it */
#define GENERATIONS 4
#endif
#ifndef LARGE_BY /* the producer whose entries take two segments, 0: none */
#define LARGE_BY 0
#endif
#ifndef RUN /* segments in a row that the others lease where so many are to be had */
#define RUN 1
#endif

#define NONE 255
#define TORN 254
#define TRAILER 253
#define WORDS (2 * SHARDS)
#define SLOTS (WORDS * SEGMENTS)
#define claimWord(g, h) (((g) & 1) * SHARDS + (h))
#define slot(g, h, i) (claimWord(g, h) * SEGMENTS + (i))
#define entry(p, n) ((p) * 32 + (n))

typedef Claim {
  byte gen;
  byte claimed;
  byte order; /* 0 while the shard is not marked full */
  bool marked;
  bool sealed;
}

byte activeGen, written, recycled;
bool closed;
byte journal = NONE;
Claim claim[WORDS];
byte lessee[SLOTS];
byte offset[SLOTS];
bool sealed[SLOTS];
byte cell[SLOTS * CAP];
#if RUN > 1
byte span[SLOTS]; /* of the lease, told by its first segment; 1 of a large entry's, where there is room for that one alone */
#define room(at) (CAP * span[at])
#else
#define room(at) CAP
#endif
#define most(p) (p == LARGE_BY -> 2 : RUN)

byte running = PRODUCERS;
byte accepted[PRODUCERS + 1];
byte fileAtBase[PRODUCERS + 1];
/*
 * Last entry of each producer in the file, and from RECOVERY on in the file as recovery would leave
 * it.
 */
byte last[2 * (PRODUCERS + 1)];
#define RECOVERY (PRODUCERS + 1)

/* I1. Stated wherever one of the two moves. */
#ifdef NO_WRITTEN_WORD
#define assertGenerations() assert(recycled <= activeGen && activeGen <= recycled + 1)
#else
#define assertGenerations() assert(recycled <= activeGen && activeGen <= recycled + 1 && recycled <= written && written <= recycled + 1)
#endif

/* ---- Producer ---------------------------------------------------------------------------- */

/*
 * Takes the lessee out of every word of the lease. The bytes are given up with the last accepted
 * entry in place (I3).
 */
inline release() {
  do
  :: leasedSpan > 0 ->
     leasedSpan--;
     d_step {
#ifdef FIRST_WORD_ONLY
       if
       :: leasedSpan == 0 -> lessee[leased] = 0
       :: else
       fi
#else
       assert(lessee[leased + leasedSpan] == me); /* I3 */
       lessee[leased + leasedSpan] = 0
#endif
     }
  :: else -> break
  od;
  leased = NONE
}

/*
 * Gives a claim back that turned out to be stale: the offset to 0, a seal stays; then the lessees.
 */
inline backOut() {
  if
  :: opened -> d_step { offset[first] = 0; opened = false }
  :: else
  fi;
  do
  :: taken > 0 -> taken--; lessee[first + taken] = 0
  :: else -> break
  od
}

/*
 * One more than every full shard of generation g that can be seen; read after H's word and before
 * the CAS on it.
 */
inline drawNumber() {
  number = 0;
  other = 0;
  do
  :: other < SHARDS && other != shard ->
     d_step {
       if
       :: claim[claimWord(g, other)].gen == g && claim[claimWord(g, other)].marked && claim[claimWord(g, other)].order > number ->
          number = claim[claimWord(g, other)].order
       :: else
       fi;
       other++
     }
  :: other < SHARDS && other == shard -> other++
  :: else -> break
  od;
  other = 0;
  number++
}

proctype Producer(byte me) {
  byte calls, need = 1;
  byte leased = NONE, leasedSpan; /* slot of the first leased word, number of words */
  byte g, shard, visited, claimed, segments, first, taken, number, other, off, fresh;
  bool ok, opened, mayDrop;

  d_step {
    if
    :: me == 1 -> calls = LOGS
    :: else -> calls = OTHERS_LOG
    fi;
    if
    :: me == LARGE_BY -> need = 2
    :: else
    fi
  }

nextCall:
  /*
   * Out of calls, the thread ends; or it stays, idle, for ever, which the states in which it has
   * not yet ended stand for.
   */
  ok = false;
  d_step { g = 0; shard = 0; visited = 0; claimed = 0; first = 0; taken = 0; number = 0; off = 0; fresh = 0; mayDrop = false }
  if
  :: calls > 0 -> calls--
  :: calls == 0 -> goto ends
  fi;

  /* Accept. */
accept:
  if
  :: leased == NONE || leasedSpan < need -> goto acquire
  :: else
  fi;
  d_step {
    off = offset[leased];
#ifdef OFFSET_ZERO
    ok = !sealed[leased] && off < 1 + room(leased);
#else
    ok = !sealed[leased] && off >= 1 && off < 1 + room(leased);
#endif
    if
    :: need == 2 && off != 1 -> ok = false
    :: else
    fi
  }
  if
  :: !ok -> off = 0; goto acquire
  :: else
  fi;
  if
  :: off == 0 /* only under OFFSET_ZERO: the bytes are those of the block header */
  :: else ->
     d_step {
       assert(lessee[leased + (off - 1) / CAP] == me); /* I2 */
       cell[leased * CAP + off - 1] = TORN
     }
     if
     :: need == 2 ->
        d_step {
#ifndef FIRST_WORD_ONLY
          assert(lessee[leased + 1] == me); /* I2 */
#endif
          cell[(leased + 1) * CAP] = entry(me, accepted[me] + 1)
        }
     :: else
     fi;
     d_step {
       assert(lessee[leased + (off - 1) / CAP] == me); /* I2 */
       cell[leased * CAP + off - 1] = entry(me, accepted[me] + 1)
     }
  fi;
  d_step {
    ok = (!sealed[leased] && offset[leased] == off);
    if
    :: ok ->
       offset[leased] = off + 1;
       accepted[me]++
    :: else
    fi
  }
  off = 0;
  if
  :: ok -> goto nextCall
  :: else
  fi;

  /* Acquire. */
acquire:
  release();
startOver:
  shard = 0; visited = 0; claimed = 0; first = 0; taken = 0; segments = 0; number = 0; mayDrop = false; ok = false;
  if
  :: closed -> goto nextCall /* dropped, counted */
  :: else
  fi;
  g = activeGen;
  shard = me % SHARDS;
#ifdef SWAP_FIRST
  /* At the fill threshold, wherever that lies, the sets are swapped before anything is claimed. */
  if
  :: recycled == g && g + 1 < GENERATIONS -> goto swap
  :: true
  fi;
#endif

  /* Claim. */
tryShard:
#ifdef NUMBER_BEFORE_READ
  drawNumber();
#endif
  if
  :: claim[claimWord(g, shard)].gen != g || claim[claimWord(g, shard)].sealed -> goto startOver
  :: claim[claimWord(g, shard)].gen == g && !claim[claimWord(g, shard)].sealed && claim[claimWord(g, shard)].marked -> goto nextShard
  :: d_step {
       claim[claimWord(g, shard)].gen == g && !claim[claimWord(g, shard)].sealed && !claim[claimWord(g, shard)].marked ->
       claimed = claim[claimWord(g, shard)].claimed
     }
  fi;
  if
  :: claimed + need > SEGMENTS ->
#ifndef NUMBER_BEFORE_READ
     drawNumber();
#endif
     d_step {
       if
       :: claim[claimWord(g, shard)].gen == g && !claim[claimWord(g, shard)].sealed && !claim[claimWord(g, shard)].marked &&
          claim[claimWord(g, shard)].claimed == claimed ->
          claim[claimWord(g, shard)].marked = true;
          claim[claimWord(g, shard)].order = number
       :: else
       fi
     }
     number = 0; claimed = 0;
     goto tryShard
  :: else
  fi;

#ifndef LEASE_TAKES_LEASED
  /* Segments that somebody still leases from an earlier generation are passed over. */
  taken = 0;
  do
  :: taken < most(me) && claimed + taken < SEGMENTS ->
     if
     :: lessee[slot(g, shard, claimed + taken)] != 0 && taken >= need -> break
     :: lessee[slot(g, shard, claimed + taken)] != 0 && taken < need ->
        d_step {
          if
          :: claim[claimWord(g, shard)].gen == g && !claim[claimWord(g, shard)].sealed && !claim[claimWord(g, shard)].marked &&
             claim[claimWord(g, shard)].claimed == claimed ->
             claim[claimWord(g, shard)].claimed = claimed + taken + 1
          :: else
          fi;
          taken = 0;
          claimed = 0
        }
        goto tryShard
     :: lessee[slot(g, shard, claimed + taken)] == 0 -> taken++
     fi
#ifdef FIRST_WORD_ONLY
     ; taken = (claimed + most(me) > SEGMENTS -> need : most(me))
#endif
  :: else -> break
  od;
#else
  taken = need;
#endif
  segments = taken;
  taken = 0;
  d_step {
    ok = (claim[claimWord(g, shard)].gen == g && !claim[claimWord(g, shard)].sealed && !claim[claimWord(g, shard)].marked &&
          claim[claimWord(g, shard)].claimed == claimed);
    if
    :: ok ->
       claim[claimWord(g, shard)].claimed = claimed + segments;
       first = slot(g, shard, claimed)
    :: else
    fi;
    claimed = 0
  }
  if
  :: !ok -> segments = 0; goto tryShard
  :: else
  fi;

  /*
   * Take the lease of every segment claimed, then open the first. A failure means sealed, or held
   * by one about to back out.
   */
  do
  :: taken < segments ->
     d_step {
#ifdef FIRST_WORD_ONLY
       ok = (taken > 0 || lessee[first] == 0);
       if
       :: ok && taken == 0 -> lessee[first] = me
       :: else
       fi;
#else
#ifdef LEASE_TAKES_LEASED
       ok = true;
#else
       ok = (lessee[first + taken] == 0);
#endif
       if
       :: ok -> lessee[first + taken] = me
       :: else
       fi;
#endif
       if
       :: ok -> taken++
       :: else
       fi
     }
     if
     :: !ok -> backOut(); goto startOver
     :: else
     fi
  :: else -> break
  od;
  ok = false;
  d_step {
    ok = (!sealed[first] && offset[first] == 0);
    if
    :: ok -> offset[first] = 1
    :: else
    fi
  }
  if
  :: !ok -> backOut(); goto startOver
  :: else -> opened = true
  fi;

#ifndef NO_SECOND_READ
  if
  :: claim[claimWord(g, shard)].gen != g || claim[claimWord(g, shard)].sealed -> backOut(); goto startOver
  :: claim[claimWord(g, shard)].gen == g && !claim[claimWord(g, shard)].sealed
  fi;
#endif
  d_step {
    leased = first;
#ifdef FIRST_WORD_ONLY
    leasedSpan = segments;
#else
    leasedSpan = taken;
#endif
#if RUN > 1
    span[first] = (need == 2 -> 1 : leasedSpan);
#endif
    segments = 0;
    first = 0; taken = 0; shard = 0; visited = 0; g = 0; ok = false; opened = false
  }
  goto accept;

nextShard:
  visited++;
  shard = (shard + 1) % SHARDS;
  if
  :: visited < SHARDS -> goto tryShard
  :: else
  fi;

  /*
   * Swap. A large entry that found no room in two whole generations is dropped: leases may lie in
   * its way for ever.
   */
  shard = 0; visited = 0;
  if
  :: need > 1 && fresh == 2 -> goto nextCall
  :: else
  fi;
#ifdef SWAP_INTO_BUSY_SET
  if
  :: g + 1 < GENERATIONS -> goto swap
  :: else -> goto nextCall
  fi;
#endif
  d_step {
    ok = (recycled == g);
    mayDrop = (activeGen == g && recycled < g)
  }
  if
  :: ok && g + 1 < GENERATIONS -> goto swap
  :: ok && g + 1 >= GENERATIONS -> goto ends /* the bound of the model */
  :: else
  fi;
#ifndef NO_SECOND_LOOK_AT_ACTIVE
  if
  :: activeGen != g -> goto startOver
  :: activeGen == g
  fi;
#endif
  /*
   * Dropped (or waiting, which is the same to everybody else): only if the activeGen set is full
   * and the other one busy.
   */
  assert(mayDrop);
  mayDrop = false; g = 0;
  goto nextCall;

swap:
  mayDrop = false;
  d_step {
    if
    :: need > 1 -> fresh++
    :: else
    fi;
    if
    :: activeGen == g -> activeGen = g + 1; assertGenerations()
    :: else
    fi;
    g = 0
  }
  goto startOver;

ends:
  release();
  d_step {
    running--;
    calls = 0; need = 0; leased = 0; g = 0; shard = 0; visited = 0; claimed = 0; first = 0; taken = 0; number = 0; off = 0; fresh = 0;
    mayDrop = false; ok = false
  }
}

/* ---- Flusher ------------------------------------------------------------------------------ */

/*
 * The next shard to write: full ones by number, then the others by index (R13); NONE when all are
 * done.
 */
inline pickShard(gen, done, result) {
  result = NONE;
  s = 0;
  do
  :: s < SHARDS ->
     if
     :: (done >> s) & 1
     :: else ->
        if
        :: result == NONE -> result = s
        :: else ->
           if
           :: claim[claimWord(gen, s)].marked &&
              (!claim[claimWord(gen, result)].marked || claim[claimWord(gen, s)].order < claim[claimWord(gen, result)].order) ->
              result = s
           :: else
           fi
        fi
     fi;
     s++
  :: else -> break
  od;
  s = 0
}

/*
 * Reads the accepted entries of one segment: each must be whole (I5) and the successor of its
 * producer's last (I7, I8).
 */
inline readBlock(at, file) {
  n = 0;
  do
  :: n + 1 < offset[at] ->
     assert(cell[at * CAP + n] != TORN && cell[at * CAP + n] != 0 && cell[at * CAP + n] < TRAILER);
     who = cell[at * CAP + n] / 32;
     assert(cell[at * CAP + n] % 32 == last[file + who] + 1);
     last[file + who]++;
     if
     :: who == LARGE_BY -> assert(cell[(at + 1) * CAP] == cell[at * CAP + n])
     :: else
     fi;
     n++
  :: else -> break
  od;
  n = 0; who = 0
}

inline sealClaims() {
  i = 0;
  do
  :: i < SHARDS -> d_step { claim[claimWord(g, i)].sealed = true; i++ }
  :: else -> break
  od;
  i = 0
}

inline sealSegments() {
  i = 0;
  do
  :: i < SHARDS * SEGMENTS ->
     d_step {
       if
       :: i % SEGMENTS < claim[claimWord(g, i / SEGMENTS)].claimed -> sealed[slot(g, 0, i)] = true
       :: else
       fi;
       i++
     }
  :: else -> break
  od;
  i = 0
}

inline writeJournal() {
  journal = NONE;
  d_step {
    i = 0;
    do
    :: i <= PRODUCERS -> fileAtBase[i] = last[i]; i++
    :: else -> break
    od;
    i = 0
  }
  journal = g
}

inline writeBlocks() {
  done = 0;
  do
  :: done != (1 << SHARDS) - 1 ->
     d_step { pickShard(g, done, shard) }
     i = 0;
     do
     :: i < claim[claimWord(g, shard)].claimed ->
        /*
         * Padding and trailer are built in the segment if it had no lessee after the seal (the seal
         * was the step before).
         */
        ok = false;
        d_step {
          if
#ifdef PADDING_IN_PLACE
          :: offset[slot(g, shard, i)] > 1 && offset[slot(g, shard, i)] <= room(slot(g, shard, i)) ->
#else
          :: offset[slot(g, shard, i)] > 1 && offset[slot(g, shard, i)] <= room(slot(g, shard, i)) && lessee[slot(g, shard, i)] == 0 ->
#endif
             cell[slot(g, shard, i) * CAP + offset[slot(g, shard, i)] - 1] = TRAILER;
             ok = true
          :: else
          fi
        }
        assert(!ok || cell[slot(g, shard, i) * CAP + offset[slot(g, shard, i)] - 1] == TRAILER);
        ok = false;
        d_step { readBlock(slot(g, shard, i), 0); i++ }
     :: else -> break
     od;
     atomic { done = done | (1 << shard); shard = 0; i = 0 }
  :: else -> break
  od;
  done = 0
}

inline recycleSet() {
  i = 0;
  do
  :: i < SHARDS * SEGMENTS ->
     d_step {
       if
       :: i % SEGMENTS < claim[claimWord(g, i / SEGMENTS)].claimed ->
          sealed[slot(g, 0, i)] = false;
          offset[slot(g, 0, i)] = 0;
#ifdef RECYCLE_CLEARS_LESSEE
          lessee[slot(g, 0, i)] = 0;
#endif
          /* What a free segment holds does not matter: fewer states. */
          if
          :: lessee[slot(g, 0, i)] == 0 ->
             n = 0;
             do
             :: n < CAP -> cell[slot(g, 0, i) * CAP + n] = 0; n++
             :: else -> break
             od;
             n = 0
          :: else
          fi;
       :: else
       fi;
       i++
     }
  :: else -> break
  od;
  i = 0;
  do
  :: i < SHARDS ->
     d_step {
       claim[claimWord(g, i)].gen = g + 2;
       claim[claimWord(g, i)].claimed = 0;
       claim[claimWord(g, i)].order = 0;
       claim[claimWord(g, i)].marked = false;
       claim[claimWord(g, i)].sealed = false;
       i++
     }
  :: else -> break
  od;
  i = 0
}

inline flushGeneration() {
#ifdef SEGMENTS_SEALED_FIRST
  sealSegments();
  sealClaims();
#else
  sealClaims();
  sealSegments();
#endif
#ifdef JOURNAL_AFTER_WRITE
  writeBlocks();
  writeJournal();
#else
  writeJournal();
  writeBlocks();
#endif
#ifndef NO_WRITTEN_WORD
  d_step {
    written = g + 1;
    assert(written <= activeGen + 1);
    /* Nobody asks about these again: fewer states. */
    journal = NONE;
    i = 0;
    do
    :: i <= PRODUCERS -> fileAtBase[i] = 0; i++
    :: else -> break
    od;
    i = 0
  }
#endif
}

#if SHARDS == 1
#define hasData() (claim[claimWord(activeGen, 0)].claimed > 0)
#else
#define hasData() (claim[claimWord(activeGen, 0)].claimed > 0 || claim[claimWord(activeGen, 1)].claimed > 0)
#endif

proctype Flusher() {
  byte g, i, s, n, who, shard, done;
  bool ok;

  do
  :: recycled < activeGen ->
     g = recycled;
     flushGeneration();
     recycleSet();
     d_step { recycled = g + 1; g = 0; assertGenerations() }
  :: d_step {
       recycled == activeGen && activeGen + 1 < GENERATIONS && running > 0 && hasData() -> /* interval, flush() */
       activeGen = activeGen + 1;
       assertGenerations()
     }
  :: recycled == activeGen && (running == 0
#ifdef CLOSE_AT_ANY_TIME
       || true
#endif
     ) -> break
  od;

  /*
   * Close: the activeGen generation g is sealed for good, and so is the one after it, which a
   * producer may be swapping to at this moment. Neither is recycled, so nobody can swap again.
   */
  closed = true;
  do
  :: recycled < activeGen ->
     g = recycled;
     flushGeneration();
     recycleSet();
     d_step { recycled = g + 1; g = 0; assertGenerations() }
  :: else -> break
  od;
  g = recycled;
  d_step {
    if
    :: activeGen == g -> activeGen = g + 1
    :: else
    fi
  }
  flushGeneration();
#ifndef CLOSE_SEALS_ONE
  g = g + 1;
  flushGeneration();
#endif
  running == 0;
  g = 0;
  do
  :: g <= PRODUCERS -> assert(last[g] == accepted[g]); g++
  :: else -> break
  od
}

/* ---- Kill ---------------------------------------------------------------------------------- */

/*
 * In every state reached: were the process killed here, recovery would bring the file to exactly
 * the accepted entries. It starts at journal.base if the journal speaks of the first generation not
 * known to be written, else behind the last block.
 */
#ifdef KILL
proctype Killer() {
  byte g, i, s, n, who, shard, done;

end:
  do
  :: d_step {
#ifdef NO_WRITTEN_WORD
       g = recycled;
#else
       g = written;
#endif
       i = 0;
       do
       :: i <= PRODUCERS ->
          if
          :: journal == g -> last[RECOVERY + i] = fileAtBase[i]
          :: else -> last[RECOVERY + i] = last[i]
          fi;
          i++
       :: else -> break
       od;
       do
       :: g <= activeGen ->
          done = 0;
          do
          :: done != (1 << SHARDS) - 1 ->
             pickShard(g, done, shard);
             i = 0;
             do
             :: claim[claimWord(g, shard)].gen == g && i < claim[claimWord(g, shard)].claimed ->
                readBlock(slot(g, shard, i), RECOVERY);
                i++
             :: else -> break
             od;
             done = done | (1 << shard)
          :: else -> break
          od;
          g++
       :: else -> break
       od;
       i = 0;
       do
       :: i <= PRODUCERS -> assert(last[RECOVERY + i] == accepted[i]); last[RECOVERY + i] = 0; i++
       :: else -> break
       od;
       g = 0; i = 0; shard = 0; done = 0
     }
  od
}
#endif

init {
  byte i;
  atomic {
    do
    :: i < WORDS -> claim[i].gen = i / SHARDS; i++
    :: else -> break
    od;
    i = 1;
    do
    :: i <= PRODUCERS -> run Producer(i); i++
    :: else -> break
    od;
    run Flusher();
#ifdef KILL
    run Killer()
#endif
  }
}
