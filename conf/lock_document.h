/* lock_document.h: a lock document: who is shut out until it expires or is removed. Checked, not
 * compared with anything; no clock is read, so a lock may have expired already.
 */
#ifndef GATEHOUSE_CONF_LOCK_DOCUMENT_H
#define GATEHOUSE_CONF_LOCK_DOCUMENT_H

#include "conf/document.h"
#include "conf/schema.h"

void lock_document_read(const struct yaml_node *root, struct schema_context *context,
                        struct document *out);

/* What a lock is in `revocations`, without the time of its making. Borrowed from the document. */
void lock_record_fill(const struct document *document, struct revocation_record *out);

#endif
