/* app_document.h: an app as it is written, in app_service.apps or as `kind: app`, into a record.
 *
 * Called by settings_document.c and document.c. Resolves no name and reads no CA bundle: the
 * watcher does.
 */
#ifndef GATEHOUSE_CONF_APP_DOCUMENT_H
#define GATEHOUSE_CONF_APP_DOCUMENT_H

#include "conf/document.h"
#include "conf/schema.h"

/* An element of app_service.apps. Always fills *out; it is refused when something was wrong. */
void app_document_read_entry(const struct yaml_node *node, const char *prefix,
                             struct schema_context *context, struct document *out);

/* A whole document of `kind: app`. */
void app_document_read(const struct yaml_node *root, struct schema_context *context,
                       struct document *out);

/* The app "debug", as app_service.debug_app asks for it; `gate_host` is the gate's own host. */
void app_document_make_debug(struct place place, struct slice gate_host,
                             struct schema_context *context, struct document *out);

#endif
