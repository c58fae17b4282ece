/* app_schema.h: the tables of an app's keys. Used by app_document.c alone.
 */
#ifndef GATEHOUSE_CONF_APP_SCHEMA_H
#define GATEHOUSE_CONF_APP_SCHEMA_H

#include "conf/schema.h"

struct app_form {
    unsigned version, kind;
    struct slice name, description, uri, public_addr;
    struct slice ca; /* absolute path; empty: the system's bundle */
    bool insecure_skip_verify;
    const struct yaml_node *labels;  /* a mapping of names to texts, or NULL */
    const struct yaml_node *headers; /* a list, or NULL */
    const struct yaml_node *mcp;     /* a mapping: app_mcp_schema, or stdio_document.h; or NULL */
    const struct yaml_node *methods; /* a string or a list of strings, or NULL */
};

/* An app's header as {name, value}. */
struct app_header_form {
    struct slice name, value;
};

extern const struct schema app_entry_schema;    /* app_service.apps[] */
extern const struct schema app_document_schema; /* kind: app */
extern const struct schema app_header_schema;   /* rewrite.headers[] */

/* The mapping `mcp` of a server that is connected to; fills struct app_form's methods. */
extern const struct schema app_mcp_schema;
/* Of a method that an app allows besides the known: NULL, or what is wrong. */
const char *app_method_check(struct slice name);

#endif
