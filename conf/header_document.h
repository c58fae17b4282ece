/* header_document.h: rewrite.headers, as "Name: value" or {name, value}. Called by app_document.c.
 */
#ifndef GATEHOUSE_CONF_HEADER_DOCUMENT_H
#define GATEHOUSE_CONF_HEADER_DOCUMENT_H

#include "conf/schema.h"
#include "shared/app_record.h"

/* The list's headers into headers[0..room). Their count. Refused: names that are no token, those
 * that frame a message or belong to a hop, and those that only Gatehouse may say. */
size_t headers_read(const struct yaml_node *list, const char *prefix,
                    struct schema_context *context, struct app_header *headers, size_t room);

#endif
