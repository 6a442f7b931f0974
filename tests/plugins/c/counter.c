/* A plugin in C (and C++): counts, can be set, and refuses a wrong port. */
#include "mqtt_lab_plugin.h"

#include <stdlib.h>

/* The numbers of mqtt-lab-core/tests/abi.rs: a negative size does not compile. */
#define SAME(name, is, must) typedef char name[((is) == (must)) ? 1 : -1]
SAME(text_size, sizeof(mqtt_lab_text), 16);
SAME(value_size, sizeof(mqtt_lab_value), 40);
SAME(value_integer, offsetof(mqtt_lab_value, integer), 8);
SAME(value_number, offsetof(mqtt_lab_value, number), 16);
SAME(value_text, offsetof(mqtt_lab_value, text), 24);
SAME(sink_size, sizeof(mqtt_lab_sink), 80);
SAME(sink_number, offsetof(mqtt_lab_sink, number), 16);
SAME(sink_integer, offsetof(mqtt_lab_sink, integer), 24);
SAME(sink_boolean, offsetof(mqtt_lab_sink, boolean), 32);
SAME(sink_text, offsetof(mqtt_lab_sink, text), 40);
SAME(sink_qos, offsetof(mqtt_lab_sink, qos), 48);
SAME(sink_retain, offsetof(mqtt_lab_sink, retain), 56);
SAME(sink_document, offsetof(mqtt_lab_sink, document), 64);
SAME(sink_error, offsetof(mqtt_lab_sink, error), 72);
SAME(host_size, sizeof(mqtt_lab_host), 40);
SAME(host_log, offsetof(mqtt_lab_host, log), 8);
SAME(host_number, offsetof(mqtt_lab_host, setting_number), 16);
SAME(host_boolean, offsetof(mqtt_lab_host, setting_boolean), 24);
SAME(host_text, offsetof(mqtt_lab_host, setting_text), 32);
SAME(plugin_size, sizeof(mqtt_lab_plugin), 88);
SAME(plugin_abi, offsetof(mqtt_lab_plugin, abi), 8);
SAME(plugin_size_at, offsetof(mqtt_lab_plugin, size), 12);
SAME(plugin_built_with, offsetof(mqtt_lab_plugin, built_with), 16);
SAME(plugin_manifest, offsetof(mqtt_lab_plugin, manifest), 32);
SAME(plugin_create, offsetof(mqtt_lab_plugin, create), 40);
SAME(plugin_read, offsetof(mqtt_lab_plugin, read), 48);
SAME(plugin_set, offsetof(mqtt_lab_plugin, set), 56);
SAME(plugin_destroy, offsetof(mqtt_lab_plugin, destroy), 64);
SAME(plugin_idle, offsetof(mqtt_lab_plugin, idle), 72);
SAME(plugin_wake, offsetof(mqtt_lab_plugin, wake), 80);

typedef struct {
  int64_t count;
  int64_t step;
} counter;

static int32_t manifest(const mqtt_lab_sink *sink) {
  sink->document(sink->ctx, mqtt_lab_str("{\"name\":\"c-counter\",\"version\":\"1.0.0\",\"kinds\":"
                                         "[{\"name\":\"counter\",\"role\":\"sensor\"}]}"));
  return MQTT_LAB_OK;
}

static int32_t create(const mqtt_lab_host *host, mqtt_lab_text kind, mqtt_lab_text settings,
                      const mqtt_lab_sink *sink, void **instance) {
  double port = 0;
  char name[8];
  size_t name_len = 0;
  uint8_t quiet = 0;
  counter *made;
  if (!mqtt_lab_is(kind, "counter")) return mqtt_lab_fail(sink, "no such kind");
  if (host->setting_number(settings, mqtt_lab_str("port"), &port) != 1)
    return mqtt_lab_wrong_setting(sink, "/port", "a number is needed");
  if (port < 1 || port > 9) return mqtt_lab_wrong_setting(sink, "/port", "must be from 1 to 9");
  if (host->setting_text(settings, mqtt_lab_str("name"), name, sizeof name, &name_len) < 0)
    return mqtt_lab_wrong_setting(sink, "/name", "must be a text");
  if (name_len > sizeof name) return mqtt_lab_wrong_setting(sink, "/name", "is too long");
  if (host->setting_boolean(settings, mqtt_lab_str("quiet"), &quiet) < 0)
    return mqtt_lab_wrong_setting(sink, "/quiet", "must be true or false");
  made = (counter *)malloc(sizeof *made);
  if (!made) return mqtt_lab_fail(sink, "no memory");
  made->count = 0;
  made->step = 1;
  if (!quiet)
    host->log(MQTT_LAB_LOG_INFO, mqtt_lab_str("counter"), mqtt_lab_str("ready"),
              mqtt_lab_str(__FILE__), __LINE__);
  sink->document(sink->ctx,
                 mqtt_lab_str("{\"channels\":[{\"name\":\"count\",\"datatype\":\"int\"},"
                              "{\"name\":\"step\",\"datatype\":\"int\",\"settable\":true,"
                              "\"min\":1,\"max\":100,\"initial\":1}]}"));
  *instance = made;
  return MQTT_LAB_OK;
}

static int32_t read_(void *instance, uint32_t wait_ms, const mqtt_lab_sink *sink) {
  counter *self = (counter *)instance;
  (void)wait_ms;
  self->count += self->step;
  sink->integer(sink->ctx, mqtt_lab_str("count"), self->count);
  return MQTT_LAB_OK;
}

static int32_t set(void *instance, mqtt_lab_text channel, const mqtt_lab_value *value,
                   const mqtt_lab_sink *sink) {
  if (!mqtt_lab_is(channel, "step")) return mqtt_lab_fail(sink, "no such channel");
  if (value->integer == 13) return mqtt_lab_fail(sink, "not on a Friday");
  ((counter *)instance)->step = value->integer;
  return MQTT_LAB_OK;
}

static void destroy(void *instance) { free(instance); }

static mqtt_lab_plugin table = {
    MQTT_LAB_MAGIC, MQTT_LAB_ABI, sizeof(mqtt_lab_plugin), {NULL, 0},
    manifest,       create,       read_,                   set,
    destroy,        NULL,         NULL};

#ifdef __cplusplus
extern "C" {
#endif
MQTT_LAB_EXPORT const mqtt_lab_plugin *mqtt_lab_plugin_v1__counter(void);
const mqtt_lab_plugin *mqtt_lab_plugin_v1__counter(void) {
  table.built_with = mqtt_lab_str("C");
  return &table;
}
#ifdef __cplusplus
}
#endif
