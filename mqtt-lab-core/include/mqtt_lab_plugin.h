/*
 * The plugin ABI of mqtt-lab, version 1: sensors and actuators in C, or in any language that can
 * export a C function.
 *
 *   gcc -shared -fPIC -o libbutton.so button.c          (Linux)
 *
 * A plugin exports one function, named mqtt_lab_plugin_v1__NAME, that returns its table:
 *
 *   const mqtt_lab_plugin *mqtt_lab_plugin_v1__button(void) { return &table; }
 *
 * Rules
 * - All calls for one instance come from one thread, one at a time. Only `wake` may come from any
 *   thread at any time between `create` and `destroy`.
 * - Nobody frees memory of the other side: texts and values are valid during the call only.
 * - Texts are UTF-8 with a length, not terminated.
 * - A library is never unloaded.
 * - exit, abort and a segmentation fault end the whole lab, unless the plugin runs with
 *   isolation = "process".
 * - Fields may be added at the end of a structure that has a `size`; what is here stays as it is.
 */
#ifndef MQTT_LAB_PLUGIN_H
#define MQTT_LAB_PLUGIN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MQTT_LAB_ABI 1u
#define MQTT_LAB_MAGIC UINT64_C(0x0062616c7474716d) /* "mqttlab" and a zero */

/* What calls return. */
#define MQTT_LAB_OK 0
#define MQTT_LAB_PENDING 1 /* nothing to tell within wait_ms; asked again */
#define MQTT_LAB_ERROR -1  /* sink->error has said what; asked again */
#define MQTT_LAB_FATAL -2  /* the device must be constructed anew */
#define MQTT_LAB_PANIC -3  /* for languages that have panics */

/* Levels of log. */
#define MQTT_LAB_LOG_ERROR 1u
#define MQTT_LAB_LOG_WARN 2u
#define MQTT_LAB_LOG_INFO 3u
#define MQTT_LAB_LOG_DEBUG 4u
#define MQTT_LAB_LOG_TRACE 5u

typedef struct {
  const char *ptr;
  size_t len;
} mqtt_lab_text;

/* A value for a settable channel. */
typedef struct {
  uint32_t datatype; /* which field holds it: 0 number, 1 integer, 2 boolean, 3 text */
  uint32_t boolean;  /* 0 or 1 */
  int64_t integer;
  double number;
  mqtt_lab_text text; /* a text, a choice or a colour */
} mqtt_lab_value;

/* Where a plugin puts what a call yields. An empty channel means the device's only one. */
typedef struct {
  uint32_t size;
  uint32_t reserved;
  void *ctx; /* to be handed to each function */
  void (*number)(void *ctx, mqtt_lab_text channel, double value);
  void (*integer)(void *ctx, mqtt_lab_text channel, int64_t value);
  void (*boolean)(void *ctx, mqtt_lab_text channel, uint8_t value);
  void (*text)(void *ctx, mqtt_lab_text channel, mqtt_lab_text value);
  void (*qos)(void *ctx, uint8_t qos);       /* another QoS for this reading: 0, 1, 2 */
  void (*retain)(void *ctx, uint8_t retain); /* this reading retained (1) or not (0) */
  void (*document)(void *ctx, mqtt_lab_text json);
  /* `setting` is empty, or the JSON Pointer (RFC 6901) of the wrong setting: "/port". */
  void (*error)(void *ctx, mqtt_lab_text setting, mqtt_lab_text message);
} mqtt_lab_sink;

/* What the lab offers to a plugin; valid for ever, usable from any thread. */
typedef struct {
  uint32_t size;
  uint32_t max_level; /* what is worth logging */
  void (*log)(uint32_t level, mqtt_lab_text target, mqtt_lab_text message, mqtt_lab_text file,
              uint32_t line);
  /* Settings by name: 1 and *out is set, 0 there is none, -1 it is of another type. */
  int32_t (*setting_number)(mqtt_lab_text settings, mqtt_lab_text key, double *out);
  int32_t (*setting_boolean)(mqtt_lab_text settings, mqtt_lab_text key, uint8_t *out);
  /* At most `capacity` bytes are copied, *len is the length of the whole text. Not terminated. */
  int32_t (*setting_text)(mqtt_lab_text settings, mqtt_lab_text key, char *out, size_t capacity,
                          size_t *len);
} mqtt_lab_host;

typedef struct {
  uint64_t magic; /* MQTT_LAB_MAGIC */
  uint32_t abi;   /* MQTT_LAB_ABI */
  uint32_t size;  /* sizeof(mqtt_lab_plugin) */
  mqtt_lab_text built_with;
  /*
   * sink->document: {"name":"button","version":"1.0.0","kinds":[{"name":"button","role":"sensor"}]}
   * `role` is sensor, actuator or both. A kind may also have `sample`, a commented TOML block, and
   * `settings`, a JSON Schema; `mqtt-lab kinds` shows them.
   */
  int32_t (*manifest)(const mqtt_lab_sink *sink);
  /*
   * Constructs a device from `settings`, a JSON object, sets *instance and describes the device:
   * sink->document: {"channels":[{"name":"pressed","datatype":"bool"}],"trigger":"interval"}
   * `datatype` is float, int, bool, text, choice or color. A channel may also have unit, quantity,
   * label, min, max, step, max_len, choices, settable, initial. `trigger` is interval or event.
   */
  int32_t (*create)(const mqtt_lab_host *host, mqtt_lab_text kind, mqtt_lab_text settings,
                    const mqtt_lab_sink *sink, void **instance);
  /* Takes a measurement, or waits for the event, for at most `wait_ms`: then MQTT_LAB_PENDING.
   * An actuator is asked only if its `trigger` is event. */
  int32_t (*read)(void *instance, uint32_t wait_ms, const mqtt_lab_sink *sink);
  /* Takes a value for a settable channel, of its datatype and in its range. The new state goes to
   * the sink; without one it is the value itself. */
  int32_t (*set)(void *instance, mqtt_lab_text channel, const mqtt_lab_value *value,
                 const mqtt_lab_sink *sink);
  void (*destroy)(void *instance);
  /* May be NULL: lets background work go on for at most `wait_ms`. */
  void (*idle)(void *instance, uint32_t wait_ms);
  /* May be NULL: ends a running `read` (with MQTT_LAB_PENDING) or `idle` early, also one that
   * begins a moment later: a wake must not get lost. Without it an event sensor is asked for 50 ms
   * at a time. */
  void (*wake)(void *instance);
} mqtt_lab_plugin;

/* A text of a C string. */
static inline mqtt_lab_text mqtt_lab_str(const char *text) {
  mqtt_lab_text result;
  result.ptr = text;
  result.len = strlen(text);
  return result;
}

/* Whether a text is this C string. */
static inline int mqtt_lab_is(mqtt_lab_text text, const char *other) {
  return text.len == strlen(other) && memcmp(text.ptr, other, text.len) == 0;
}

/* Says what went wrong; to be returned: return mqtt_lab_fail(sink, "no such port"); */
static inline int32_t mqtt_lab_fail(const mqtt_lab_sink *sink, const char *message) {
  sink->error(sink->ctx, mqtt_lab_str(""), mqtt_lab_str(message));
  return MQTT_LAB_ERROR;
}

/* The same for a wrong setting, by its JSON Pointer: "/port". */
static inline int32_t mqtt_lab_wrong_setting(const mqtt_lab_sink *sink, const char *pointer,
                                             const char *message) {
  sink->error(sink->ctx, mqtt_lab_str(pointer), mqtt_lab_str(message));
  return MQTT_LAB_ERROR;
}

/* Where the function of a plugin must be visible. */
#if defined(_WIN32)
#define MQTT_LAB_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define MQTT_LAB_EXPORT __attribute__((visibility("default")))
#else
#define MQTT_LAB_EXPORT
#endif

#ifdef __cplusplus
}
#endif

#endif
