/* json_table.h: the members of one JSON object, read in one pass and asked for by name. Pure.
 *
 * For objects of which a decision reads many members, or reads them in more than one step: the
 * header and the claims of a token. As strict as json_parse and json_members together. A table is
 * large, and needs no clearing before it is read.
 */
#ifndef GATEHOUSE_SHARED_JSON_TABLE_H
#define GATEHOUSE_SHARED_JSON_TABLE_H

#include "shared/json.h"
#include "shared/json_name.h"

struct json_table {
    struct json_names names;                    /* borrowed from the text */
    struct json_value values[JSON_MEMBERS_MAX]; /* of the names, in their order; borrowed, too */
};

/* Checks the whole text, which must be one object without duplicate members, and gives its value.
 * 0 or -EINVAL: the table must not be asked then. */
int json_table_read(struct json_table *table, struct slice text, struct json_value *object);
/* The member of that name (escapes are compared decoded); JSON_INVALID when it is absent. */
struct json_value json_table_get(const struct json_table *table, struct slice name);

#endif
