/* status_document.h: the part of `gatehouse status` that shows documents and key sets, as the
 * watcher left them in state/config. Reads only.
 */
#ifndef GATEHOUSE_MASTER_STATUS_DOCUMENT_H
#define GATEHOUSE_MASTER_STATUS_DOCUMENT_H

#include "master/inspection.h"

/* Refused documents, and with --wide the accepted ones; then key sets. 0 or -errno. */
int status_document_print(const struct inspection *inspection, struct store *config);
/* Members of the object at hand: "documents" and "key_sets". 0 or the store's error. */
int status_document_json(const struct inspection *inspection, struct json_writer *json,
                         struct store *config);

#endif
