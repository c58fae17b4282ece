/* settings_schema.h: the tables of gatehouse.yaml, and the forms that they fill.
 *
 * The tables are the reference of every setting: name, unit, range, default, and why. Used by
 * settings_document.c and listener_document.c, which check what no single value shows.
 */
#ifndef GATEHOUSE_CONF_SETTINGS_SCHEMA_H
#define GATEHOUSE_CONF_SETTINGS_SCHEMA_H

#include "conf/schema.h"
#include "shared/settings.h"

/* The document: what needs no second look stands in `settings` already. */
struct settings_form {
    struct settings settings;
    unsigned version, kind;
    unsigned audit_failure;         /* 1: refuse */
    const struct yaml_node *listen; /* a list; NULL when it was wrong or absent */
    const struct yaml_node *apps;   /* a list, or NULL */
    const struct yaml_node *allowed_origins, *allowed_hosts; /* strings, or NULL */
    struct slice admin_listen;
    struct slice workers; /* "auto", or a number within range */
    struct slice watcher_user, worker_user, bridge_user;
    const struct yaml_node *stdio_users; /* strings, or NULL */
};

/* One element of gate.listen. */
struct listener_form {
    struct slice address;
    const struct yaml_node *certificates; /* a list; NULL: no TLS, or it was wrong */
    bool insecure;
};

extern const struct schema settings_schema;
extern const struct schema listener_schema;
/* Fills a struct settings_certificate. */
extern const struct schema certificate_schema;

#endif
