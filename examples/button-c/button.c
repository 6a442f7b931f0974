/* A plugin in C: a lamp that counts how often it was switched. */

#include <stdlib.h>

#include "mqtt_lab_plugin.h"

typedef struct {
  uint8_t on;
  int64_t switched;
  double limit; /* of switches; 0: none */
} lamp;

static int32_t manifest(const mqtt_lab_sink *sink) {
  sink->document(sink->ctx,
                 mqtt_lab_str("{\"name\":\"button\",\"version\":\"1.0.0\",\"kinds\":[{"
                              "\"name\":\"counting-lamp\",\"role\":\"actuator\",\"settings\":{"
                              "\"type\":\"object\",\"properties\":{\"limit\":{\"type\":\"number\","
                              "\"default\":0,\"description\":\"Switches until it breaks; 0: never.\"}}}}]}"));
  return MQTT_LAB_OK;
}

static int32_t create(const mqtt_lab_host *host, mqtt_lab_text kind, mqtt_lab_text settings,
                      const mqtt_lab_sink *sink, void **instance) {
  lamp *made = calloc(1, sizeof *made);
  (void)kind; /* there is only one */
  if (!made) return mqtt_lab_fail(sink, "no memory");
  if (host->setting_number(settings, mqtt_lab_str("limit"), &made->limit) < 0 || made->limit < 0) {
    free(made);
    return mqtt_lab_wrong_setting(sink, "/limit", "expected a number from 0 on");
  }
  host->log(MQTT_LAB_LOG_INFO, mqtt_lab_str("button"), mqtt_lab_str("a lamp is made"),
            mqtt_lab_str(__FILE__), __LINE__);
  sink->document(sink->ctx,
                 mqtt_lab_str("{\"channels\":[{\"name\":\"on\",\"datatype\":\"bool\",\"settable\":true,"
                              "\"initial\":false},{\"name\":\"switched\",\"datatype\":\"int\"}],"
                              "\"trigger\":\"event\"}"));
  *instance = made;
  return MQTT_LAB_OK;
}

/* An actuator has nothing to tell by itself. */
static int32_t read_nothing(void *instance, uint32_t wait_ms, const mqtt_lab_sink *sink) {
  (void)instance, (void)wait_ms, (void)sink;
  return MQTT_LAB_PENDING;
}

static int32_t set(void *instance, mqtt_lab_text channel, const mqtt_lab_value *value,
                   const mqtt_lab_sink *sink) {
  lamp *of = instance;
  if (!mqtt_lab_is(channel, "on")) return mqtt_lab_fail(sink, "no such channel");
  if (of->limit > 0 && (double)of->switched >= of->limit) return mqtt_lab_fail(sink, "the lamp is broken");
  of->switched += of->on != (uint8_t)value->boolean;
  of->on = (uint8_t)value->boolean;
  sink->boolean(sink->ctx, channel, of->on);
  sink->integer(sink->ctx, mqtt_lab_str("switched"), of->switched);
  return MQTT_LAB_OK;
}

static const mqtt_lab_plugin table = {
    MQTT_LAB_MAGIC, MQTT_LAB_ABI, sizeof table, {"C", 1}, manifest, create, read_nothing, set, free, NULL, NULL,
};

/* The one function that a plugin exports; its name ends with that of the plugin. */
MQTT_LAB_EXPORT const mqtt_lab_plugin *mqtt_lab_plugin_v1__button(void);
const mqtt_lab_plugin *mqtt_lab_plugin_v1__button(void) { return &table; }
