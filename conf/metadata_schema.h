/* metadata_schema.h: the rows that roles, locks and app auth configs have in common: version, kind,
 * and what stands under `metadata`.
 *
 * Used by their schemas. A form that takes them has the members version, kind, name, description
 * and labels.
 */
#ifndef GATEHOUSE_CONF_METADATA_SCHEMA_H
#define GATEHOUSE_CONF_METADATA_SCHEMA_H

#include "conf/schema.h"

#include <stddef.h>

enum { METADATA_DESCRIPTION_MAX = 1024 }; /* bytes */

/* Whether a key of the store, a URL and a log line show the name as it is. */
bool metadata_name_is_plain(struct slice name, size_t max);

/* `versions`, `kinds`: as in struct schema_row; `ends`: what to do instead of metadata.expires. */
#define METADATA_ROWS(form, versions_, version_hint, kinds_, name_check, ends)             \
    {.path = "version",                                                                    \
     .type = SCHEMA_CHOICE,                                                                \
     .required = true,                                                                     \
     .offset = offsetof(form, version),                                                    \
     .choices = (versions_),                                                               \
     .hint = (version_hint)},                                                              \
        {.path = "kind",                                                                   \
         .type = SCHEMA_CHOICE,                                                            \
         .required = true,                                                                 \
         .offset = offsetof(form, kind),                                                   \
         .choices = (kinds_)},                                                             \
        {.path = "metadata", .type = SCHEMA_MAPPING, .required = true},                    \
        {.path = "metadata.name",                                                          \
         .type = SCHEMA_STRING,                                                            \
         .required = true,                                                                 \
         .offset = offsetof(form, name),                                                   \
         .check = (name_check)},                                                           \
        {.path = "metadata.description",                                                   \
         .type = SCHEMA_STRING,                                                            \
         .offset = offsetof(form, description),                                            \
         .low = 1,                                                                         \
         .high = METADATA_DESCRIPTION_MAX},                                                \
        {.path = "metadata.labels", .type = SCHEMA_MAP, .offset = offsetof(form, labels)}, \
    {                                                                                      \
        .path = "metadata.expires", .type = SCHEMA_REFUSED, .hint = (ends)                 \
    }

#endif
