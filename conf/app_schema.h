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
    const struct yaml_node *labels;  /* a mapping of names to texts, or NULL */
    const struct yaml_node *headers; /* a list, or NULL */
    struct stdio_form stdio;         /* of a stdio server */
    const struct yaml_node *methods; /* a string or a list of strings, or NULL */
};

/* An app's header as {name, value}. */
struct app_header_form {
    struct slice name, value;
};

extern const struct schema app_entry_schema;    /* app_service.apps[] */
extern const struct schema app_document_schema; /* kind: app */
extern const struct schema app_header_schema;   /* rewrite.headers[] */

#endif
