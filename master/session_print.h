/* session_print.h: a session as the commands show it. Used by `gatehouse sessions`. */
#ifndef GATEHOUSE_MASTER_SESSION_PRINT_H
#define GATEHOUSE_MASTER_SESSION_PRINT_H

#include "master/json_writer.h"
#include "master/table.h"
#include "shared/session_record.h"

#include <stdbool.h>

enum { SESSION_PRINT_COLUMNS = 7 };
extern const char *const session_print_headings[SESSION_PRINT_COLUMNS];

/* A row of the list: the id whole only when `wide`. */
void session_print_row(struct table *table, struct slice id, const struct session_record *session,
                       int64_t now, bool wide);

/* Every field, one a row of two columns. */
void session_print_fields(struct table *table, struct slice id,
                          const struct session_record *session, int64_t now);

/* Every field, as one object. */
void session_print_json(struct json_writer *json, struct slice id,
                        const struct session_record *session);

#endif
