/*
 * Events of other addons in a flight recorder's ring, without a call of JavaScript. C99 and C++.
 *
 * JavaScript gives the addon `recorder.native` (docs/guide/flight-recorder.md), and the addon has
 *
 *   shardlog_recorder *recorder;
 *   napi_get_value_external(env, value, (void **)&recorder);
 *   if (recorder->version != SHARDLOG_RECORDER_VERSION) ...;
 *   shardlog_producer *producer = recorder->attach(recorder, 7);
 *
 * Each thread that records has a producer of its own. There is nothing to link against.
 */
#ifndef SHARDLOG_RECORDER_H
#define SHARDLOG_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of this header. Another major version of the package may have another one. */
#define SHARDLOG_RECORDER_VERSION 1u

typedef struct shardlog_recorder shardlog_recorder;
typedef struct shardlog_producer shardlog_producer;

typedef enum shardlog_kind {
  SHARDLOG_NULL = 0,
  SHARDLOG_BOOL = 1,
  SHARDLOG_INT = 2,    /* beyond 2^53, readers get it to the precision of a double */
  SHARDLOG_NUMBER = 3, /* null if it is not finite */
  SHARDLOG_STRING = 4, /* UTF-8 */
  SHARDLOG_JSON = 5    /* UTF-8, copied as it is: has to be JSON */
} shardlog_kind;

/* A field: its key, UTF-8 that ends in a NUL, and its value. Both are copied. */
typedef struct shardlog_field {
  const char *key;
  shardlog_kind kind;
  union {
    bool boolean;
    int64_t integer;
    double number;
    struct {
      const char *data;
      size_t bytes;
    } text;
  } value;
} shardlog_field;

struct shardlog_recorder {
  uint32_t version;

  /*
   * A producer for the calling thread; NULL if there are too many, or no memory. `recorder.native`
   * has to be alive at the call, and need not be afterwards.
   *
   * thread: by which readers tell its events from others (JavaScript's main thread is 0)
   */
  shardlog_producer *(*attach)(shardlog_recorder *recorder, uint32_t thread);

  /*
   * Records an event of now. Never waits, never throws. For the producer's thread only.
   *
   * level: 30 is info, as in JavaScript
   * target: what the event is of, a module for example; NULL or "": nothing
   * message: had better be one of few texts; what varies belongs into fields
   * fields: `count` of them; of more than the recorder's `maxFields` the first are kept
   *
   * False: dropped and counted (too large, no room), below the recorder's level, or the recorder of
   * the thread that gave `recorder.native` is closed.
   */
  bool (*record)(shardlog_producer *producer, int32_t level, const char *target,
                 const char *message, const shardlog_field *fields, size_t count);

  /* The end of a producer. For its thread, or for whoever knows that it is not recording. */
  void (*detach)(shardlog_producer *producer);
};

static inline shardlog_field shardlog_null(const char *key) {
  shardlog_field field;
  memset(&field, 0, sizeof field);
  field.key = key;
  return field;
}

static inline shardlog_field shardlog_bool(const char *key, bool value) {
  shardlog_field field = shardlog_null(key);
  field.kind = SHARDLOG_BOOL;
  field.value.boolean = value;
  return field;
}

static inline shardlog_field shardlog_int(const char *key, int64_t value) {
  shardlog_field field = shardlog_null(key);
  field.kind = SHARDLOG_INT;
  field.value.integer = value;
  return field;
}

static inline shardlog_field shardlog_number(const char *key, double value) {
  shardlog_field field = shardlog_null(key);
  field.kind = SHARDLOG_NUMBER;
  field.value.number = value;
  return field;
}

/* text: ends in a NUL */
static inline shardlog_field shardlog_string(const char *key, const char *text) {
  shardlog_field field = shardlog_null(key);
  field.kind = SHARDLOG_STRING;
  field.value.text.data = text;
  field.value.text.bytes = strlen(text);
  return field;
}

#ifdef __cplusplus
}
#endif

#endif
