/* app_schema.h: the tables of an app's keys. Used by app_document.c alone.
 */
#ifndef GATEHOUSE_CONF_APP_SCHEMA_H
#define GATEHOUSE_CONF_APP_SCHEMA_H

#include "conf/schema.h"
#include "conf/stdio_document.h"

struct app_form {
    unsigned version, kind;
    struct slice name, description, uri, public_addr;
    struct slice ca; /* absolute path; empty: the system's bundle */
    bool insecure_skip_verify;
    const struct yaml_node *endpoints; /* a list, or NULL */
    struct app_health_form {
        unsigned type; /* enum app_health_type */
        struct slice path;
        uint64_t interval, timeout, rise, fall; /* timeout 0: not said */
    } health;
    unsigned on_loss;                /* enum app_loss_form */
    const struct yaml_node *labels;  /* a mapping of names to texts, or NULL */
    const struct yaml_node *headers; /* a list, or NULL */
    struct stdio_form stdio;         /* of a stdio server */
    const struct yaml_node *methods; /* a string or a list of strings, or NULL */
};

/* What becomes of the MCP sessions of an endpoint that is lost. */
enum app_loss_form { APP_LOSS_END, APP_LOSS_REINITIALIZE };

enum app_health_type { APP_HEALTH_TCP, APP_HEALTH_HTTP, APP_HEALTH_MCP, APP_HEALTH_OFF };

/* One of an app's endpoints as {uri, state}. */
struct app_endpoint_form {
    struct slice uri;
    unsigned state; /* enum app_endpoint_state */
};

enum app_endpoint_state { APP_ENDPOINT_ACTIVE, APP_ENDPOINT_DRAIN };

/* An app's header as {name, value}. */
struct app_header_form {
    struct slice name, value;
};

extern const struct schema app_entry_schema;    /* app_service.apps[] */
extern const struct schema app_document_schema; /* kind: app */
extern const struct schema app_endpoint_schema; /* endpoints[] */
extern const struct schema app_header_schema;   /* rewrite.headers[] */

#endif
