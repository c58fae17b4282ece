/* listener_document.h: gate.listen and gate.admin_listen as listeners of the settings.
 *
 * Called by settings_document.c. Opens nothing and binds nothing: that is master's work.
 */
#ifndef GATEHOUSE_CONF_LISTENER_DOCUMENT_H
#define GATEHOUSE_CONF_LISTENER_DOCUMENT_H

#include "conf/settings_schema.h"

/* Appends to form->settings.listeners and certificates; what is wrong goes to the diagnostics.
 * `root` is the whole document. *any_insecure: some listener says insecure: true. */
void listeners_read(struct settings_form *form, const struct yaml_node *root,
                    struct schema_context *context, bool *any_insecure);

#endif
