/* An addon that records into the ring: module(native, threads, events) returns how many were kept. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "shardlog/recorder.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of Node-API, so that no headers are looked for. */
typedef void *napi_env, *napi_value, *napi_callback_info;
typedef napi_value (*napi_callback)(napi_env, napi_callback_info);
int napi_get_cb_info(napi_env, napi_callback_info, size_t *, napi_value *, napi_value *, void **);
int napi_get_value_external(napi_env, napi_value, void **);
int napi_get_value_int32(napi_env, napi_value, int32_t *);
int napi_create_int32(napi_env, int32_t, napi_value *);
int napi_create_function(napi_env, const char *, size_t, napi_callback, void *, napi_value *);

struct job {
  shardlog_recorder *recorder;
  shardlog_producer *producer;
  int32_t events;
  int32_t kept;
};

static void *work(void *argument) {
  struct job *job = (struct job *)argument;
  shardlog_producer *producer = job->producer;
  for (int32_t i = 0; i < job->events; i++) {
    char text[300];
    snprintf(text, sizeof text, "text %d \"\xc3\xa4\" %*s", i, i % 3 == 0 ? 280 : 0, "");
    shardlog_field json = shardlog_string("json", "{\"a\":[1,2]}");
    json.kind = SHARDLOG_JSON;
    const shardlog_field fields[] = {
        shardlog_int("n", i),        shardlog_int("large", 1099511627776 + i),
        shardlog_number("x", i / 2.), shardlog_string("text", text),
        shardlog_bool("even", i % 2 == 0), shardlog_null("nothing"), json};
    /* Few messages, and from time to time one that has not been there. */
    char message[32];
    snprintf(message, sizeof message, i % 50 == 0 ? "number %d" : "of an \"addon\"", i);
    job->kept += job->recorder->record(producer, i % 5 == 0 ? 20 : 30, i % 2 == 0 ? "native" : NULL,
                                       message, fields, sizeof fields / sizeof *fields);
  }
  job->recorder->detach(producer);
  return NULL;
}

static napi_value run(napi_env env, napi_callback_info info) {
  size_t count = 3;
  napi_value given[3], result = NULL;
  void *recorder = NULL;
  int32_t threads = 0, events = 0, kept = 0;
  napi_get_cb_info(env, info, &count, given, NULL, NULL);
  napi_get_value_external(env, given[0], &recorder);
  napi_get_value_int32(env, given[1], &threads);
  napi_get_value_int32(env, given[2], &events);
  struct job jobs[8];
  pthread_t ids[8];
  shardlog_recorder *const ring = (shardlog_recorder *)recorder;
  if (ring->version != SHARDLOG_RECORDER_VERSION || threads > 8) return NULL;
  for (int32_t i = 0; i < threads; i++) {
    const struct job job = {ring, ring->attach(ring, 100u + (uint32_t)i), events, 0};
    jobs[i] = job;
    pthread_create(&ids[i], NULL, work, &jobs[i]);
  }
  for (int32_t i = 0; i < threads; i++) {
    pthread_join(ids[i], NULL);
    kept += jobs[i].kept;
  }
  napi_create_int32(env, kept, &result);
  return result;
}

napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  napi_value function = NULL;
  (void)exports;
  napi_create_function(env, "run", 3, run, NULL, &function);
  return function;
}

#ifdef __cplusplus
}
#endif
